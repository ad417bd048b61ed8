"""The world around the scheduler: processes start and die, the machine sleeps, the oracle watches."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cavecron.config.settings import JobDefaults, Settings
from cavecron.errors import CavecronError
from cavecron.jobs.context import Run
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load_for
from cavecron.ledger.catch_up import scan_once
from cavecron.ledger.models import Claim
from cavecron.ledger.runs import claim_manual, claim_resume
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, RunContext
from cavecron.scheduler.runner import execute_run
from cavecron.scheduler.scheduler import Scheduler
from cavecron.simulation.machine import SimulatedMachine, StillWorkingError
from tests.model.living import ROWS, Behaviour, Living, begun, row, seen_state
from tests.model.oracle import BrokenPromiseError, Execution, Oracle, Row
from tests.model.processes import Mortal, Weather, open_database

#: How long a job can keep its slots waiting after its last sign of life: a lease, and patience with it.
LINGER = 300.0


class World:
    """All that there is; `settings` is what processes that start are configured by."""

    def __init__(self, dice: random.Random, machine: SimulatedMachine, path: Path) -> None:
        self.dice, self.machine, self._path = dice, machine, path
        self.weather = Weather(dice, hidden=dice.random() < 0.5)
        self.oracle = Oracle()
        self.living: dict[Mortal, Living] = {}
        self.broken: list[BrokenPromiseError] = []
        self.trace: Callable[[str], None] = lambda _text: None
        self.asleep = False
        self.long_runs = dice.random() < 0.15
        self.quiet_since = machine.true()
        self.signs: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: Sequence[Job] = ()
        self._settings: Settings | None = None
        self._numbers = 0
        path.touch()
        self._observer = sqlite3.connect(path, isolation_level=None)
        self._version = -1
        self._rows: dict[int, Sequence[object]] = {}

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Live in this loop."""
        self._loop = loop

    def configure(self, environ: dict[str, str], names: Sequence[str]) -> None:
        """Have processes that start from now on see these variables."""
        self._jobs = [
            Job(
                name=name,
                title=name,
                function=self._function,
                defaults=JobDefaults(name=name, prefix=name.upper()),
            )
            for name in names
        ]
        self._settings = load_for(self._jobs, {"DATABASE_URL": f"sqlite:///{self._path}", **environ})

    @property
    def settings(self) -> Settings:
        """Return the present configuration."""
        assert self._settings
        return self._settings

    def daemons(self) -> list[Living]:
        """Return the schedulers that run."""
        return [living for living in self.living.values() if living.scheduler]

    def start_daemon(self) -> None:
        """Start a scheduler."""
        living = self._process("daemon")
        living.scheduler = Scheduler(self._jobs, context=self._context(living))
        self._run(living, living.scheduler.run())

    def run_by_hand(self, job: str, *, resume: bool) -> None:
        """Do what `cavecron run JOB` does."""
        living = self._process("resume" if resume else "by hand")

        def claim(ledger: Ledger, now: datetime) -> list[Claim]:
            return [claim_resume(ledger, job, now) if resume else claim_manual(ledger, job, (), now)]

        self._run(living, self._once(living, claim))

    def run_due(self) -> None:
        """Do what `cavecron run --due` does."""
        living = self._process("due")

        def claim(ledger: Ledger, now: datetime) -> list[Claim]:
            jobs = living.settings.schedules
            looks = scan_once(ledger, jobs, now)
            for name, schedule in jobs.items():
                self.oracle.register(name, schedule, now)
                if schedule:
                    self.oracle.may_take_latest(name, schedule, now)
            return [seen.claim for seen in looks.values() if seen.claim]

        self._run(living, self._once(living, claim))

    async def _once(self, living: Living, claim: Callable[[Ledger, datetime], list[Claim]]) -> None:
        context, process = self._context(living), living.process
        try:
            claims = await process.start("claim", lambda: claim(context.ledger, process.now()))
        except CavecronError as error:
            self.trace(f"{process.name}: {error}")
            return
        named = {job.name: job for job in self._jobs}
        await asyncio.gather(
            *(
                execute_run(
                    claim, named[claim.job], context, stop=living.control_of(claim.job), options=Options()
                )
                for claim in claims
            ),
            return_exceptions=True,
        )

    def _process(self, kind: str) -> Living:
        assert self._loop
        self._numbers += 1
        process = Mortal(
            machine=self.machine,
            loop=self._loop,
            name=f"{kind} {self._numbers}",
            database=open_database(self._path, self.weather),
            heard=self._heard,
            died=self._died,
        )
        self.living[process] = Living(process=process, settings=self.settings)
        self.trace(f"start {process.name}")
        return self.living[process]

    def _context(self, living: Living) -> RunContext:
        process, state_of = living.process, partial(seen_state, self.living, self.weather)
        return RunContext(
            settings=living.settings,
            database=process.database,
            ledger=Ledger(database=process.database, owner=process.name, state_of=state_of),
            clock=process,
            threads=process,
        )

    def _run(self, living: Living, work: Coroutine[Any, Any, None]) -> None:
        living.process.run(work).add_done_callback(lambda done: self._ended(living, done))

    def _ended(self, living: Living, done: "asyncio.Task[None]") -> None:
        if not done.cancelled() and (error := done.exception()):
            self.machine.errors.append(error)
        living.process.kill()

    def _died(self, process: Mortal) -> None:
        """Let all that the process did come to its end with it."""
        self.trace(f"end of {process.name}")
        if self.living[process].registered:
            self.oracle.see(self.machine.now())  # its last call may have been written before it died
        with self.judging():
            self.judge()
        for execution, _behaviour in self.living.pop(process).work.values():
            if execution.active:
                self._finish(execution)

    def _heard(self, process: Mortal, name: str) -> None:
        """Tell the oracle of a ledger call that came to its end, and have it look at the ledger."""
        living = self.living[process]
        if name == "register":
            living.registered = True
            for job, configured in living.settings.jobs.items():
                self.oracle.register(
                    job, configured.schedule if configured.enabled else None, self.machine.now()
                )
        if name in ("register", "scan") or process.name.startswith("due"):
            self.oracle.see(self.machine.now())
        if name == "end":
            self._settle(living)
        if name != "lease":
            with self.judging():
                self.judge()

    def sleep(self) -> None:
        """Suspend the machine."""
        self.machine.sleep()
        self.asleep = True

    def wake(self) -> None:
        """Resume it."""
        self.machine.wake()
        self.asleep = False

    def watched(self) -> bool:
        """Return whether a scheduler is there to see what happens."""
        weather = self.weather
        able = not (self.asleep or weather.away or weather.locked or weather.full or weather.threadless)
        return able and any(one.registered for one in self.daemons())

    def see(self) -> None:
        """Let time pass for the oracle, if a scheduler is there to see it."""
        if self.watched():
            self.oracle.see(self.machine.now())

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Keep the promise that was broken, and end the world."""
        try:
            yield
        except BrokenPromiseError as broken:
            self.broken.append(broken)
            if self._loop:
                self._loop.stop()

    def judge(self) -> None:
        """Have the oracle read the ledger where it has changed."""
        (version,) = self._observer.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        rows = {values[0]: values for values in self._observer.execute(ROWS)}
        changed = {number: row(values) for number, values in rows.items() if self._rows.get(number) != values}
        gone = self._rows.keys() - rows.keys()
        self._rows = rows
        self.oracle.judge(changed, gone)

    def complain(self) -> None:
        """Have the oracle say what is forgotten."""
        self.judge()
        awake = self.machine.monotonic()
        works = (work for living in self.living.values() for work, _ in living.work.values())
        busy = {work.job for work in works if work.active}
        busy |= {job for job, sign in self.signs.items() if awake - sign < LINGER}
        self.oracle.complain(self.machine.now(), busy)

    def rows(self) -> list[Row]:
        """Return what the ledger says."""
        return [row(values) for values in self._rows.values()]

    def _settle(self, living: Living) -> None:
        """Note of each of its executions whether its end is in the ledger now."""
        for key, (execution, _behaviour) in list(living.work.items()):
            state, retry = self._observer.execute(
                "SELECT state, retry_at FROM cavecron_run WHERE id = ?", (execution.run,)
            ).fetchone()
            execution.settled = state == "succeeded" or (state == "failed" and retry is None)
            if state != "running":
                execution.excused = True  # abandoned, if it still works
                if not execution.active:
                    del living.work[key]

    def _function(self, run: Run) -> str:
        """Do the work of every job."""
        process = run.clock
        assert isinstance(process, Mortal)
        work = self.living[process].work
        key = (run.claim.run, run.claim.attempt)
        if key not in work:
            work[key] = (self._start(process, run), Behaviour.drawn(self.dice, long_runs=self.long_runs))
        execution, behaviour = work[key]
        worked = run.clock.monotonic() - execution.begun_awake
        try:
            if not behaviour.deaf:
                run.check()
        except CavecronError:
            self._finish(execution)
            raise
        left = behaviour.lasting - worked
        if left > 0.001:
            raise StillWorkingError(timedelta(seconds=min(left, behaviour.step)))
        self._finish(execution, behaviour.ending)
        behaviour.end()
        return ""

    def _start(self, process: Mortal, run: Run) -> Execution:
        claim = run.claim
        execution = begun(claim, process, self.machine)
        self.trace(f"{process.name}: {claim.job} {claim.slot} {claim.trigger} attempt {claim.attempt}")
        looked = process.asked["claim" if "claim" in process.asked else "scan"]
        schedule = self.living[process].settings.jobs[claim.job].schedule
        self.signs[claim.job] = self.machine.monotonic()
        with self.judging():
            self.oracle.begin(execution, schedule, looked)
        return execution

    def _finish(self, execution: Execution, outcome: str = "cut off") -> None:
        execution.active, execution.outcome = False, outcome
        self.signs[execution.job] = self.machine.monotonic()
