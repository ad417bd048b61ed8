"""The simulated machine: the wake-ups that it leaves out change nothing."""

import random
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from cavecron.cli import log
from cavecron.config.settings import JobDefaults
from cavecron.jobs.context import Run
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load_for
from cavecron.ledger.history import history
from cavecron.ledger.models import HistoryEntry
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import RunContext
from cavecron.scheduler.scheduler import Scheduler
from cavecron.simulation.machine import NotDoneYet, Process, SimulatedMachine, loop_of, memory_database

START = datetime(2026, 11, 22, 23, 12, 7, 250_000, tzinfo=UTC)
LONGEST = timedelta(seconds=30)


class FrequentlyWaking(SimulatedMachine):
    """A machine that wakes up every thirty seconds, as a real one does."""

    def sleep_seconds(self, until: datetime) -> float:
        """Return the seconds until `until`, at most thirty."""
        return max(0.0, min(until - self.now(), LONGEST).total_seconds())


def history_of(machine: SimulatedMachine, seed: int) -> list[HistoryEntry]:
    """Return the history of an hourly job over two days, in which the machine sleeps and its clock is set."""
    dice = random.Random(seed)
    at = START
    for _number in range(6):
        at += timedelta(seconds=dice.uniform(0, 6 * 3600))
        span = timedelta(seconds=dice.choice((1, 20, 45, 600, 4000, 9000)) + dice.random())
        if dice.random() < 0.5:
            machine.at(at, machine.sleep, interrupts=True)
            at += span
            machine.at(at, machine.wake, interrupts=True)
        else:
            machine.at(at, partial(machine.set_clock, span * dice.choice((-1, 1))), interrupts=True)
    machine.end_at(START + timedelta(days=2))
    started: dict[tuple[int, int], float] = {}

    def work(run: Run) -> None:
        begin = started.setdefault((run.claim.run, run.claim.attempt), run.clock.monotonic())
        if run.clock.monotonic() - begin < 100:
            raise NotDoneYet(timedelta(seconds=7))

    job = Job(name="job", title="job", function=work, defaults=JobDefaults(name="job", prefix="JOB"))
    settings = load_for([job], {"SCHEDULER_JOB_CRON": "0 * * * *"})
    database = memory_database()
    ledger = Ledger(database=database, owner="us")
    with log.silence(), loop_of(machine) as loop:
        process = Process(machine=machine, loop=loop)
        context = RunContext(
            settings=settings, database=database, ledger=ledger, clock=process, threads=process
        )
        task = process.run(Scheduler([job], context=context).run())
        loop.run_forever()
        assert not task.done()
    assert not machine.errors
    return history(ledger, most=1000)


@pytest.mark.parametrize("seed", range(6))
def test_left_out_wake_ups_change_nothing(seed: int) -> None:
    """The rows equal, to the microsecond, those of a machine that wakes up every thirty seconds."""
    entries = history_of(SimulatedMachine(START), seed)
    assert entries == history_of(FrequentlyWaking(START), seed)
    assert len(entries) > 5
