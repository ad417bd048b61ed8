"""What must not stop the scheduler: odd results of jobs, a clock that was never set, other schedulers."""

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
from tests.support.ledgers import HOUR, MONDAYS, WEEK, another, looked


def context(cellar: CellarFile, some: Job) -> RunContext:
    """Return what a run of this job is executed with."""
    return system_context(load_for([some], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))


def run(cellar: CellarFile, some: Job) -> str:
    """Run a job by hand; return the state that the history has of it."""
    made = context(cellar, some)
    claim = claim_manual(made.ledger, some.name, (), made.clock.now())
    work = execute_run(claim, some, made, stop=StopSignal(), options=Options())
    with suppress(CavecronError):
        asyncio.run(asyncio.wait_for(work, 20))
    return history(made.ledger)[0].state


@pytest.mark.parametrize(
    ("result", "state"),
    [
        pytest.param("fichier \udce9t\u00e9.txt", "succeeded", id="a name that is not UTF-8"),
        pytest.param("x" * 10_000_000, "succeeded", id="a huge summary"),
        pytest.param("a\0b", "succeeded", id="a NUL"),
        pytest.param(ValueError("\udce9"), "failed", id="an error that cannot be encoded"),
    ],
)
def test_whatever_a_job_says_can_be_noted_down(cellar: CellarFile, result: Any, state: str) -> None:
    """Its end is in the ledger, and short."""

    @job("odd")
    def odd(run: Run) -> str:
        if isinstance(result, Exception):
            raise result
        return str(result)

    assert run(cellar, odd) == state
    told = history(context(cellar, odd).ledger)[0]
    assert len((told.summary or "") + (told.reason or "")) < 6_000


def test_a_cancelled_coroutine_is_a_failure(cellar: CellarFile) -> None:
    """Not a run without end: an awaited task that was cancelled is an ordinary mistake."""

    @job("cancelled")
    async def cancelled(run: Run) -> None:
        raise asyncio.CancelledError

    assert run(cellar, cancelled) == "failed"


def test_a_scheduler_that_is_embedded_retires_no_other_job(cellar: CellarFile) -> None:
    """Only the process whose jobs are all there are knows which are gone."""
    ledger = Ledger(database=cellar.database)
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    register_jobs(another(ledger), {"disk": MONDAYS}, NOW - HOUR / 2, exclusive=False)
    assert looked(ledger, NOW).claim


def test_a_clock_that_nobody_has_set_is_not_believed(cellar: CellarFile) -> None:
    """Neither is history taken back, nor half a century of slots missed when it is right again."""
    ledger = Ledger(database=cellar.database)
    register_jobs(ledger, {"report": MONDAYS}, NOW - 2 * WEEK)
    assert looked(ledger, NOW - WEEK + 2 * HOUR).missed
    in_1970 = datetime(1970, 1, 1, tzinfo=UTC)
    with pytest.raises(TemporaryError, match="l'horloge n'est pas à l'heure"):
        looked(another(ledger), in_1970)
    with pytest.raises(TemporaryError, match="attendre NTP"):
        register_jobs(another(ledger), {"report": MONDAYS}, in_1970)
    assert looked(ledger, NOW).claim
    assert [entry.state for entry in history(ledger)] == ["running", "missed"]


def test_a_lock_is_not_taken_for_an_edited_table(cellar: CellarFile) -> None:
    """Whoever would obey that message would throw the ledger away."""
    register_jobs(Ledger(database=cellar.database), {"report": MONDAYS}, NOW)
    impatient = Ledger(database=Database(cellar.path, busy_timeout=0.1))
    with closing(sqlite3.connect(cellar.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TemporaryError, match="verrouillée"):
            looked(impatient, NOW + timedelta(hours=1))


@pytest.mark.parametrize("stored", ["9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00"])
def test_a_date_that_an_offset_leads_out_of_the_calendar_is_none(stored: str) -> None:
    """As any other that cannot be read."""
    assert read_utc(stored) is None
