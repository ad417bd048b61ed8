"""Schedulers on a simulated machine, with jobs whose runs are recorded."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from cavecron.cli import log
from cavecron.config.settings import JobDefaults
from cavecron.errors import CavecronError
from cavecron.jobs.context import Run
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load_for
from cavecron.ledger.history import history
from cavecron.ledger.models import HistoryEntry
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import RunContext
from cavecron.scheduler.scheduler import Scheduler
from cavecron.scheduler.threads import NoThreadError
from cavecron.simulation.machine import (
    InMemoryDatabase,
    NotDoneYet,
    Process,
    SimulatedMachine,
    loop_of,
    memory_database,
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SwappedDatabase(InMemoryDatabase):
    """A database that can be replaced by another one, or be missing: the last of `files`."""

    files: list[InMemoryDatabase]
    trouble: list[CavecronError] = field(default_factory=list)

    def connect(self) -> sqlite3.Connection:
        """Return the connection to the present database, or raise its error."""
        if self.trouble:
            raise self.trouble[0]
        return self.files[-1].connect()

    def file_identity(self) -> tuple[int, int] | None:
        """Return the identity of the present file."""
        return (0, len(self.files))


@dataclass(slots=True, kw_only=True, eq=False)
class FewThreads(Process):
    """A process that cannot start threads while `exhausted`, optionally only for calls of some names."""

    exhausted: set[str] = field(default_factory=set)

    def start(self, name: str, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Make a call if a thread can be started."""
        if name not in self.exhausted:
            return Process.start(self, name, call)
        future: asyncio.Future[_T] = self.loop.create_future()
        future.set_exception(NoThreadError("plus de thread"))
        return future


class Simulation:
    """A machine with one scheduler; `begun` has the runs, and when they began by the wall clock.

    A run raises the last of `fails` instead of ending.
    """

    def __init__(self, machine: SimulatedMachine, loop: asyncio.AbstractEventLoop) -> None:
        first = memory_database()
        self.machine, self.loop = machine, loop
        self.database = SwappedDatabase(path=first.path, connection=first.connection, files=[first])
        self.process = FewThreads(machine=machine, loop=loop)
        self.begun: list[tuple[str, datetime]] = []
        self.working = self.most_at_work = 0
        self.fails: list[CavecronError] = []
        self._since: dict[tuple[str, datetime, int], float] = {}
        self.scheduler: Scheduler | None = None

    def start(self, crons: Mapping[str, str], *, lasting: timedelta = timedelta(), **environ: str) -> None:
        """Start the scheduler with jobs that last `lasting`."""
        jobs = [self._job(name, lasting) for name in crons]
        variables = {f"SCHEDULER_{name.upper()}_CRON": cron for name, cron in crons.items()}
        context = RunContext(
            settings=load_for(jobs, {"SCHEDULER_TIMEZONE": "Europe/Paris", **variables, **environ}),
            database=self.database,
            ledger=Ledger(database=self.database, owner="us"),
            clock=self.process,
            threads=self.process,
        )
        self.scheduler = Scheduler(jobs, context=context)
        self.process.run(self.scheduler.run())

    def stop(self) -> None:
        """Stop it, as SIGTERM does."""
        assert self.scheduler
        self.scheduler.stop()

    def _job(self, name: str, lasting: timedelta) -> Job:
        def work(run: Run) -> str:
            if self.fails:
                raise self.fails.pop()
            key = (name, run.planned, run.claim.attempt)
            if key not in self._since:
                self._since[key] = run.clock.monotonic()
                self.begun.append((name, run.clock.now()))
                self.working += 1
                self.most_at_work = max(self.most_at_work, self.working)
            done = timedelta(seconds=run.clock.monotonic() - self._since[key])
            if done < lasting:
                try:
                    run.check()
                except CavecronError:
                    self.working -= 1
                    raise
                raise NotDoneYet(min(lasting - done, timedelta(seconds=1)))
            self.working -= 1
            return "fait"

        defaults = JobDefaults(name=name, prefix=name.upper())
        return Job(name=name, title=name, function=work, defaults=defaults)

    def history(self) -> Sequence[HistoryEntry]:
        """Return the entries of the ledger, oldest first."""
        return history(Ledger(database=self.database), most=10_000)[::-1]


@contextmanager
def simulation(start: datetime, *, until: datetime) -> Iterator[Simulation]:
    """Yield a machine that starts at an instant (aware); at the end it is run until another instant."""
    machine = SimulatedMachine(start)
    with log.silence(), loop_of(machine) as loop:
        yield Simulation(machine, loop)
        machine.end_at(until)
        loop.run_forever()
        assert not machine.errors
