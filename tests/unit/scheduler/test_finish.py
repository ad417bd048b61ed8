"""The end of a run while the database is unavailable."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from cavecron.cli import log
from cavecron.config.settings import JobDefaults
from cavecron.errors import CavecronError, NotReadyError
from cavecron.jobs.context import Run
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load_for
from cavecron.ledger.history import history
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import RunContext
from cavecron.scheduler.scheduler import Scheduler
from cavecron.simulation.machine import InMemoryDatabase, Process, SimulatedMachine, loop_of, memory_database
from tests.support.app_database import NOW

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaky(InMemoryDatabase):
    """A database that raises the first error in `trouble` instead of connecting."""

    trouble: list[CavecronError] = field(default_factory=list)

    def connect(self) -> sqlite3.Connection:
        """Return the connection, or raise the first error in `trouble`."""
        if self.trouble:
            raise self.trouble[0]
        return InMemoryDatabase.connect(self)


class SimulatedScheduler:
    """A scheduler with one job on a simulated machine."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self.machine = machine
        memory = memory_database()
        self.database = Flaky(path=memory.path, connection=memory.connection)
        self.runs: list[int] = []
        self.scheduler: Scheduler

    def work(self, run: Run) -> str:
        """Execute the job, during which the database becomes unavailable."""
        self.runs.append(run.claim.attempt)
        self.database.trouble.append(NotReadyError("base introuvable"))
        return "fait"

    def start(self, process: Process) -> None:
        """Start the scheduler in a process of the machine."""
        job = Job(
            name="report",
            title="rapport",
            function=self.work,
            defaults=JobDefaults(name="report", prefix="REPORT"),
        )
        settings = load_for([job], {"SCHEDULER_REPORT_CRON": "0 8 * * mon"})
        ledger = Ledger(database=self.database, owner="us")
        context = RunContext(
            settings=settings, database=self.database, ledger=ledger, clock=process, threads=process
        )
        self.scheduler = Scheduler([job], context=context)
        self.task = process.run(self.scheduler.run())


@contextmanager
def simulated_scheduler() -> Iterator[SimulatedScheduler]:
    """Yield a scheduler that starts a minute before its slot; at the end, simulate three hours."""
    machine = SimulatedMachine(NOW - MINUTE)
    with log.silence(), loop_of(machine) as loop:
        simulated = SimulatedScheduler(machine)
        simulated.start(Process(machine=machine, loop=loop))
        yield simulated
        machine.end_at(NOW + 180 * MINUTE)
        loop.run_forever()
        assert not machine.errors


@pytest.mark.parametrize("away", [timedelta(seconds=1), 5 * MINUTE, 59 * MINUTE, 90 * MINUTE], ids=str)
def test_a_run_that_ended_without_a_database_is_not_repeated(away: timedelta) -> None:
    """The end is recorded as soon as the database is available, and the run is not repeated."""
    with simulated_scheduler() as simulated:
        simulated.machine.at(NOW + away, simulated.database.trouble.clear)
    assert simulated.runs == [1]
    (entry,) = history(Ledger(database=simulated.database))
    assert (entry.state, entry.summary, entry.attempt) == ("succeeded", "fait", 1)


def test_a_stop_does_not_wait_for_the_database() -> None:
    """The scheduler stops within seconds although the end of a run is not recorded."""
    with simulated_scheduler() as simulated:
        simulated.machine.at(NOW + MINUTE, simulated.scheduler.stop)
        done: list[bool] = []
        simulated.machine.at(NOW + MINUTE + timedelta(seconds=5), lambda: done.append(simulated.task.done()))
    assert done == [True]
