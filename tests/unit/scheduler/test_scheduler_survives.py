"""Events that must not stop the scheduler: odd results, a clock that was never set, other schedulers."""

import asyncio
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cavecron import CavecronError, Run, job
from cavecron.database.sqlite import Database
from cavecron.database.timestamps import read_utc
from cavecron.errors import TemporaryError
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load_for
from cavecron.ledger.catch_up import register_jobs
from cavecron.ledger.history import history
from cavecron.ledger.runs import claim_manual
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.ledgers import HOUR, MONDAYS, WEEK, another, scan_job


def context(cellar: CellarFile, some: Job) -> RunContext:
    """Return the context of a process with this job."""
    return system_context(load_for([some], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))


def run(cellar: CellarFile, some: Job) -> str:
    """Run a job by hand; return the state of its run in the history."""
    run_context = context(cellar, some)
    claim = claim_manual(run_context.ledger, some.name, (), run_context.clock.now())
    work = execute_run(claim, some, run_context, stop=StopSignal(), options=Options())
    with suppress(CavecronError):
        asyncio.run(asyncio.wait_for(work, 20))
    return history(run_context.ledger)[0].state


@pytest.mark.parametrize(
    ("result", "state"),
    [
        pytest.param("fichier \udce9t\u00e9.txt", "succeeded", id="a name that is not UTF-8"),
        pytest.param("x" * 10_000_000, "succeeded", id="a huge summary"),
        pytest.param("a\0b", "succeeded", id="a NUL"),
        pytest.param(ValueError("\udce9"), "failed", id="an error that cannot be encoded"),
    ],
)
def test_every_result_of_a_job_can_be_recorded(cellar: CellarFile, result: Any, state: str) -> None:
    """The end of the run is recorded with a text of limited length."""

    @job("odd")
    def odd(run: Run) -> str:
        if isinstance(result, Exception):
            raise result
        return str(result)

    assert run(cellar, odd) == state
    entry = history(context(cellar, odd).ledger)[0]
    assert len((entry.summary or "") + (entry.reason or "")) < 6_000


def test_a_cancelled_coroutine_is_a_failure(cellar: CellarFile) -> None:
    """A cancelled task that the job awaited is a mistake in the job, so its run fails."""

    @job("cancelled")
    async def cancelled(run: Run) -> None:
        raise asyncio.CancelledError

    assert run(cellar, cancelled) == "failed"


def test_a_scheduler_that_is_embedded_retires_no_other_job(cellar: CellarFile) -> None:
    """Only a process that has all jobs can decide which jobs exist no more."""
    ledger = Ledger(database=cellar.database)
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    register_jobs(another(ledger), {"disk": MONDAYS}, NOW - HOUR / 2, exclusive=False)
    assert scan_job(ledger, NOW).claim


def test_a_clock_that_was_never_set_is_refused(cellar: CellarFile) -> None:
    """A clock of 1970 is refused: no slots are missed because of it, and no rows are deleted."""
    ledger = Ledger(database=cellar.database)
    register_jobs(ledger, {"report": MONDAYS}, NOW - 2 * WEEK)
    assert scan_job(ledger, NOW - WEEK + 2 * HOUR).missed
    in_1970 = datetime(1970, 1, 1, tzinfo=UTC)
    with pytest.raises(TemporaryError, match="l'horloge n'est pas à l'heure"):
        scan_job(another(ledger), in_1970)
    with pytest.raises(TemporaryError, match="attendre NTP"):
        register_jobs(another(ledger), {"report": MONDAYS}, in_1970)
    assert scan_job(ledger, NOW).claim
    assert [entry.state for entry in history(ledger)] == ["running", "missed"]


def test_a_lock_is_not_taken_for_an_edited_table(cellar: CellarFile) -> None:
    """The error says that the database is locked, and does not advise to drop a table."""
    register_jobs(Ledger(database=cellar.database), {"report": MONDAYS}, NOW)
    impatient = Ledger(database=Database(cellar.path, busy_timeout=0.1))
    with closing(sqlite3.connect(cellar.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TemporaryError, match="verrouillée"):
            scan_job(impatient, NOW + timedelta(hours=1))


@pytest.mark.parametrize("stored", ["9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00"])
def test_a_date_outside_the_calendar_because_of_its_offset_is_none(stored: str) -> None:
    """Such a date counts as unreadable."""
    assert read_utc(stored) is None
