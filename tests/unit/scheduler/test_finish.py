"""The end of a run, while the database cannot be written."""

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
from cavecron.simulation.machine import KeptDatabase, Process, SimulatedMachine, loop_of, memory_database
from tests.support.app_database import NOW

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaky(KeptDatabase):
    """A database that cannot be had while there is an error in `trouble`."""

    trouble: list[CavecronError] = field(default_factory=list)

    def connect(self) -> sqlite3.Connection:
        """Return the connection, or raise what is wrong."""
        if self.trouble:
            raise self.trouble[0]
        return KeptDatabase.connect(self)


class Life:
    """A scheduler with one job, on a machine whose time is made up."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self.machine = machine
        memory = memory_database()
        self.database = Flaky(path=memory.path, connection=memory.connection)
        self.runs: list[int] = []
        self.scheduler: Scheduler

    def work(self, run: Run) -> str:
        """Do the job: the database is lost while it works."""
        self.runs.append(run.claim.attempt)
        self.database.trouble.append(NotReadyError("base introuvable"))
        return "fait"

    def start(self, process: Process) -> None:
        """Start the scheduler."""
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
def life() -> Iterator[Life]:
    """Yield a scheduler that starts a minute before its slot, and live it for three hours at the end."""
    machine = SimulatedMachine(NOW - MINUTE)
    with log.silence(), loop_of(machine) as loop:
        lived = Life(machine)
        lived.start(Process(machine=machine, loop=loop))
        yield lived
        machine.end_at(NOW + 180 * MINUTE)
        loop.run_forever()
        assert not machine.errors


@pytest.mark.parametrize("away", [timedelta(seconds=1), 5 * MINUTE, 59 * MINUTE, 90 * MINUTE], ids=str)
def test_a_run_that_came_to_its_end_is_not_taken_for_one_cut_off(away: timedelta) -> None:
    """Its end is noted as soon as the database is back, and it does not run again."""
    with life() as lived:
        lived.machine.at(NOW + away, lived.database.trouble.clear)
    assert lived.runs == [1]
    (entry,) = history(Ledger(database=lived.database))
    assert (entry.state, entry.summary, entry.attempt) == ("succeeded", "fait", 1)


def test_a_stop_is_not_held_up_by_it() -> None:
    """The scheduler returns within a few seconds."""
    with life() as lived:
        lived.machine.at(NOW + MINUTE, lived.scheduler.stop)
        ended: list[bool] = []
        lived.machine.at(NOW + MINUTE + timedelta(seconds=5), lambda: ended.append(lived.task.done()))
    assert ended == [True]
