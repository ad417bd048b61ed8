"""The simulated machine with its database and processes, whose ledger the oracle judges."""

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
from cavecron.simulation.machine import NotDoneYet, SimulatedMachine
from tests.model.instances import ROWS, Behaviour, Instance, new_execution, row, visible_state
from tests.model.oracle import BrokenPromiseError, Execution, Oracle, Row
from tests.model.processes import Faults, KillableProcess, open_database

#: Seconds after the last activity of a job in which its slots need no row yet: a lease and some patience.
SETTLING_SECONDS = 300.0


class Simulation:
    """The machine, the database and all processes; `settings` is the configuration of those that start."""

    def __init__(self, generator: random.Random, machine: SimulatedMachine, path: Path) -> None:
        self.generator, self.machine, self._path = generator, machine, path
        self.faults = Faults(generator, hidden=generator.random() < 0.5)
        self.oracle = Oracle()
        self.instances: dict[KillableProcess, Instance] = {}
        self.violations: list[BrokenPromiseError] = []
        self.trace: Callable[[str], None] = lambda _text: None
        self.asleep = False
        self.long_runs = generator.random() < 0.15
        self.quiet_since = machine.true()
        self.last_activity: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: Sequence[Job] = ()
        self._settings: Settings | None = None
        self._numbers = 0
        path.touch()
        self._observer = sqlite3.connect(path, isolation_level=None)
        self._version = -1
        self._rows: dict[int, Sequence[object]] = {}

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this loop for all processes."""
        self._loop = loop

    def configure(self, environ: dict[str, str], names: Sequence[str]) -> None:
        """Set the variables that processes which start from now on get."""
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

    def daemons(self) -> list[Instance]:
        """Return the schedulers that run."""
        return [instance for instance in self.instances.values() if instance.scheduler]

    def start_daemon(self) -> None:
        """Start a scheduler."""
        instance = self._process("daemon")
        instance.scheduler = Scheduler(self._jobs, context=self._context(instance))
        self._run(instance, instance.scheduler.run())

    def run_by_hand(self, job: str, *, resume: bool) -> None:
        """Do what `cavecron run JOB` does."""
        instance = self._process("resume" if resume else "by hand")

        def claim(ledger: Ledger, now: datetime) -> list[Claim]:
            return [claim_resume(ledger, job, now) if resume else claim_manual(ledger, job, (), now)]

        self._run(instance, self._once(instance, claim))

    def run_due(self) -> None:
        """Do what `cavecron run --due` does."""
        instance = self._process("due")

        def claim(ledger: Ledger, now: datetime) -> list[Claim]:
            jobs = instance.settings.schedules
            results = scan_once(ledger, jobs, now)
            for name, schedule in jobs.items():
                self.oracle.register(name, schedule, now)
                if schedule:
                    self.oracle.may_take_latest(name, schedule, now)
            return [result.claim for result in results.values() if result.claim]

        self._run(instance, self._once(instance, claim))

    async def _once(self, instance: Instance, claim: Callable[[Ledger, datetime], list[Claim]]) -> None:
        context, process = self._context(instance), instance.process
        try:
            claims = await process.start("claim", lambda: claim(context.ledger, process.now()))
        except CavecronError as error:
            self.trace(f"{process.name}: {error}")
            return
        jobs = {job.name: job for job in self._jobs}
        await asyncio.gather(
            *(
                execute_run(
                    claim, jobs[claim.job], context, stop=instance.signal_of(claim.job), options=Options()
                )
                for claim in claims
            ),
            return_exceptions=True,
        )

    def _process(self, kind: str) -> Instance:
        assert self._loop
        self._numbers += 1
        process = KillableProcess(
            machine=self.machine,
            loop=self._loop,
            name=f"{kind} {self._numbers}",
            database=open_database(self._path, self.faults),
            on_call=self._on_call,
            on_end=self._on_end,
        )
        self.instances[process] = Instance(process=process, settings=self.settings)
        self.trace(f"start {process.name}")
        return self.instances[process]

    def _context(self, instance: Instance) -> RunContext:
        process, state_of = instance.process, partial(visible_state, self.instances, self.faults)
        return RunContext(
            settings=instance.settings,
            database=process.database,
            ledger=Ledger(database=process.database, owner=process.name, state_of=state_of),
            clock=process,
            threads=process,
        )

    def _run(self, instance: Instance, work: Coroutine[Any, Any, None]) -> None:
        instance.process.run(work).add_done_callback(lambda done: self._on_task_end(instance, done))

    def _on_task_end(self, instance: Instance, done: "asyncio.Task[None]") -> None:
        if not done.cancelled() and (error := done.exception()):
            self.machine.errors.append(error)
        instance.process.kill()

    def _on_end(self, process: KillableProcess) -> None:
        """Record that everything the process did has ended."""
        self.trace(f"end of {process.name}")
        if self.instances[process].registered:
            self.oracle.observe(self.machine.now())  # its last call may have been committed before the kill
        with self.judging():
            self.judge()
        for execution, _behaviour in self.instances.pop(process).work.values():
            if execution.active:
                self._end_execution(execution)

    def _on_call(self, process: KillableProcess, name: str) -> None:
        """Report a finished ledger call to the oracle, and let it judge the ledger."""
        instance = self.instances[process]
        if name == "register":
            instance.registered = True
            for job, configured in instance.settings.jobs.items():
                self.oracle.register(
                    job, configured.schedule if configured.enabled else None, self.machine.now()
                )
        if name in ("register", "scan") or process.name.startswith("due"):
            self.oracle.observe(self.machine.now())
        if name == "end":
            self._settle(instance)
        if name != "lease":
            with self.judging():
                self.judge()

    def sleep(self) -> None:
        """Suspend the machine."""
        self.machine.sleep()
        self.asleep = True

    def wake(self) -> None:
        """Resume the machine."""
        self.machine.wake()
        self.asleep = False

    def is_observed(self) -> bool:
        """Return whether a scheduler can see what happens now."""
        faults = self.faults
        able = not (self.asleep or faults.away or faults.locked or faults.full or faults.threadless)
        return able and any(one.registered for one in self.daemons())

    def observe(self) -> None:
        """Let the oracle observe the time, if a scheduler can."""
        if self.is_observed():
            self.oracle.observe(self.machine.now())

    @contextmanager
    def judging(self) -> Iterator[None]:
        """Record a broken promise, and end the simulation."""
        try:
            yield
        except BrokenPromiseError as violation:
            self.violations.append(violation)
            if self._loop:
                self._loop.stop()

    def judge(self) -> None:
        """Let the oracle judge the rows of the ledger that have changed."""
        (version,) = self._observer.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        rows = {values[0]: values for values in self._observer.execute(ROWS)}
        changed = {number: row(values) for number, values in rows.items() if self._rows.get(number) != values}
        deleted = self._rows.keys() - rows.keys()
        self._rows = rows
        self.oracle.judge(changed, deleted)

    def check_complete(self) -> None:
        """Let the oracle check that every slot is accounted for."""
        self.judge()
        awake = self.machine.monotonic()
        executions = (work for instance in self.instances.values() for work, _ in instance.work.values())
        busy = {work.job for work in executions if work.active}
        busy |= {job for job, instant in self.last_activity.items() if awake - instant < SETTLING_SECONDS}
        self.oracle.check_complete(self.machine.now(), busy)

    def rows(self) -> list[Row]:
        """Return the rows of the ledger."""
        return [row(values) for values in self._rows.values()]

    def _settle(self, instance: Instance) -> None:
        """Record for each execution of a process whether its result is in the ledger."""
        for key, (execution, _behaviour) in list(instance.work.items()):
            state, retry = self._observer.execute(
                "SELECT state, retry_at FROM cavecron_run WHERE id = ?", (execution.run,)
            ).fetchone()
            execution.settled = state == "succeeded" or (state == "failed" and retry is None)
            if state != "running":
                execution.may_overlap = True  # if it is still active, its thread was abandoned
                if not execution.active:
                    del instance.work[key]

    def _function(self, run: Run) -> str:
        """Do the work of every job."""
        process = run.clock
        assert isinstance(process, KillableProcess)
        work = self.instances[process].work
        key = (run.claim.run, run.claim.attempt)
        if key not in work:
            work[key] = (self._start(process, run), Behaviour.draw(self.generator, long_runs=self.long_runs))
        execution, behaviour = work[key]
        worked = run.clock.monotonic() - execution.started_monotonic
        try:
            if not behaviour.ignores_stop:
                run.check()
        except CavecronError:
            self._end_execution(execution)
            raise
        left = behaviour.duration - worked
        if left > 0.001:
            raise NotDoneYet(timedelta(seconds=min(left, behaviour.step)))
        self._end_execution(execution, behaviour.ending)
        behaviour.end()
        return ""

    def _start(self, process: KillableProcess, run: Run) -> Execution:
        claim = run.claim
        execution = new_execution(claim, process, self.machine)
        self.trace(f"{process.name}: {claim.job} {claim.slot} {claim.trigger} attempt {claim.attempt}")
        scanned_at = process.call_times["claim" if "claim" in process.call_times else "scan"]
        schedule = self.instances[process].settings.jobs[claim.job].schedule
        self.last_activity[claim.job] = self.machine.monotonic()
        with self.judging():
            self.oracle.begin(execution, schedule, scanned_at)
        return execution

    def _end_execution(self, execution: Execution, outcome: str = "cut off") -> None:
        execution.active, execution.outcome = False, outcome
        self.last_activity[execution.job] = self.machine.monotonic()
