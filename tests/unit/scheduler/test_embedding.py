"""The scheduler inside another asyncio program: jobs as objects, real time, and a clean stop."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event

import pytest

from cavecron import CavecronError, Job, Run, Scheduler, TemporaryError, job
from cavecron.errors import ConfigurationError
from cavecron.ledger.history import history
from cavecron.ledger.models import HistoryEntry
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import LedgerError
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock

#: Seconds after which a scheduler counts as hung.
_LIMIT = 20.0


def run_scheduler(
    cellar: CellarFile, *jobs: Job, before: timedelta, until: Callable[[], bool], **environ: str
) -> None:
    """Run a scheduler from `before` NOW on until a condition is true."""
    environ["DATABASE_URL"] = f"sqlite:///{cellar.path}"
    with wall_clock(NOW - before, tick=True):
        asyncio.run(_run_until(Scheduler(jobs, environ), until))


async def _run_until(scheduler: Scheduler, done: Callable[[], bool]) -> None:
    """Run the scheduler until `done` returns true, then stop it; fail after a time limit."""
    running = asyncio.create_task(scheduler.run())
    async with asyncio.timeout(_LIMIT):
        while not done() and not running.done():
            await asyncio.sleep(0.01)
        scheduler.stop()
        await running


def entries(cellar: CellarFile) -> list[HistoryEntry]:
    """Return the entries of the history, newest first."""
    return history(Ledger(database=cellar.database))


def has_finished_run(cellar: CellarFile) -> bool:
    """Return whether a run has ended."""
    return any(entry.finished for entry in entries(cellar))


def test_a_slot_runs_in_a_program_of_ones_own(cellar: CellarFile) -> None:
    """The job gets the instant of its slot, and `Scheduler.run` returns after `stop`."""
    slots: list[tuple[datetime | None, datetime]] = []

    @job("mine", cron="0 8 * * *")
    def mine(run: Run) -> str:
        slots.append((run.slot, run.planned))
        return "fait"

    run_scheduler(cellar, mine, before=timedelta(seconds=0.3), until=lambda: has_finished_run(cellar))
    (entry,) = entries(cellar)
    assert slots == [(NOW, NOW)]
    assert (entry.state, entry.trigger, entry.summary) == ("succeeded", "slot", "fait")
    assert entry.started
    assert NOW <= entry.started < NOW + timedelta(seconds=5)


def test_a_coroutine_is_a_job_too(cellar: CellarFile) -> None:
    """A coroutine runs in a loop and a thread of its own, with the time limit of its run."""

    @job("slow", cron="0 8 * * *")
    async def slow(run: Run) -> None:
        await asyncio.sleep(600)

    run_scheduler(
        *(cellar, slow),
        before=timedelta(seconds=0.2),
        until=lambda: has_finished_run(cellar),
        SCHEDULER_SLOW_TIMEOUT="1",
    )
    assert entries(cellar)[0].reason == "durée limite de 1 s dépassée (SCHEDULER_SLOW_TIMEOUT)"


def test_a_failure_that_can_pass_is_tried_again(cellar: CellarFile) -> None:
    """The next attempt is planned for a minute after the failure."""

    @job("flaky", cron="0 8 * * *")
    def flaky(run: Run) -> None:
        raise TemporaryError("réseau absent")

    run_scheduler(cellar, flaky, before=timedelta(seconds=0.2), until=lambda: has_finished_run(cellar))
    (entry,) = entries(cellar)
    assert (entry.state, entry.reason) == ("failed", "réseau absent")
    assert entry.retry_at
    assert entry.finished
    assert entry.retry_at - entry.finished == pytest.approx(timedelta(minutes=1), abs=timedelta(seconds=1))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        pytest.param(ConnectionResetError("coupé"), True, id="a network error"),
        pytest.param(TimeoutError("trop long"), True, id="a time-out"),
        pytest.param(CavecronError("clé fausse"), False, id="a wrong setting"),
        pytest.param(ZeroDivisionError("oups"), False, id="a bug in the job"),
    ],
)
def test_only_temporary_failures_are_retried(cellar: CellarFile, error: Exception, *, again: bool) -> None:
    """Network errors are retried; an error of the configuration or of the job is not."""

    @job("flaky", cron="0 8 * * *")
    def flaky(run: Run) -> None:
        raise error

    run_scheduler(cellar, flaky, before=timedelta(seconds=0.2), until=lambda: has_finished_run(cellar))
    assert (entries(cellar)[0].retry_at is not None) == again


def test_a_stop_lets_a_running_job_finish_its_step(cellar: CellarFile) -> None:
    """The job stops at its next `Run.check`, no run starts, and the interrupted run can be resumed."""
    started = Event()

    @job("steps", cron="0 8 * * *")
    def steps(run: Run) -> None:
        started.set()
        while True:
            run.check()
            Event().wait(0.01)

    run_scheduler(cellar, steps, before=timedelta(seconds=0.2), until=started.is_set)
    (entry,) = entries(cellar)
    assert (entry.state, entry.reason) == ("interrupted", "arrêt demandé, le job s'est interrompu")
    run_scheduler(cellar, steps, before=-timedelta(minutes=1), until=lambda: entries(cellar)[0].attempt == 2)


def test_wrong_settings_are_an_error_of_the_constructor(cellar: CellarFile) -> None:
    """The constructor raises the error, before anything runs."""

    @job("mine")
    def mine(run: Run) -> None: ...

    with pytest.raises(ConfigurationError, match="SCHEDULER_MINE_HOUR='99' : une heure de 0 à 23"):
        Scheduler([mine], {"SCHEDULER_MINE_HOUR": "99", "DATABASE_URL": f"sqlite:///{cellar.path}"})


def test_a_ledger_of_a_later_version_ends_the_scheduler(cellar: CellarFile) -> None:
    """The scheduler ends with the error, because waiting does not help."""

    @job("mine")
    def mine(run: Run) -> None: ...

    cellar.execute("CREATE TABLE cavecron_ledger (version INTEGER NOT NULL)")
    cellar.execute("INSERT INTO cavecron_ledger VALUES (7)")
    with pytest.raises(LedgerError, match="plus récent"):
        run_scheduler(cellar, mine, before=timedelta(), until=lambda: False)


def test_a_claim_that_cannot_be_written_loses_no_slot(
    cellar: CellarFile, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that the claim is retried, and the slot runs once the database can be written."""

    @job("mine", cron="0 8 * * *")
    def mine(run: Run) -> None: ...

    def registered() -> bool:
        return bool(cellar.rows("SELECT 1 FROM sqlite_master WHERE name = 'cavecron_run_unfinished'"))

    run_scheduler(cellar, mine, before=timedelta(minutes=9), until=registered)
    cellar.execute("CREATE TRIGGER full BEFORE INSERT ON cavecron_run BEGIN SELECT raise(ABORT, 'full'); END")
    with caplog.at_level(logging.WARNING, logger="cavecron"):
        run_scheduler(cellar, mine, before=-timedelta(minutes=1), until=lambda: "nouvel essai" in caplog.text)
    assert entries(cellar) == []
    cellar.execute("DROP TRIGGER full")
    run_scheduler(cellar, mine, before=-timedelta(minutes=2), until=lambda: has_finished_run(cellar))
    assert entries(cellar)[0].trigger == "replay"
