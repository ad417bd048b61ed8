"""A database that is replaced or deleted, or loses its ledger, during a run: the error says which."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cavecron import CavecronError, Run, job
from cavecron.errors import LeaseLostError, NotReadyError
from cavecron.jobs.loader import load_for
from cavecron.ledger.deliveries import Deliveries
from cavecron.ledger.history import history
from cavecron.ledger.models import RunResult
from cavecron.ledger.runs import RunMissingError, claim_manual, record_end, renew
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.ledgers import DONE, HOUR, another, scan_job

_TABLES = ("cavecron_run", "cavecron_job", "cavecron_delivery", "cavecron_ledger")


def drop(path: Path, cellar: CellarFile) -> None:
    """Drop the tables of the ledger."""
    for table in _TABLES:
        cellar.execute(f"DROP TABLE {table}")


def restore(path: Path, cellar: CellarFile) -> None:
    """Replace the database by its backup."""
    path.with_name("backup.db").replace(path)


@pytest.mark.parametrize("harm", [drop, restore])
def test_a_run_that_the_ledger_does_not_know_any_more_has_its_own_error(
    ledger: Ledger, cellar: CellarFile, harm: object
) -> None:
    """The error does not blame another process, and the end of the run is recorded in a new row."""
    shutil.copyfile(cellar.path, cellar.path.with_name("backup.db"))
    claim = scan_job(ledger, NOW, eager=True).claim
    assert claim
    assert callable(harm)
    harm(cellar.path, cellar)
    with pytest.raises(RunMissingError, match="la base a été remplacée, ou son registre effacé"):
        renew(ledger, claim.run, NOW)
    with pytest.raises(RunMissingError):
        Deliveries(ledger=ledger, run=claim.run).record(now=NOW, started=["1"])
    record_end(ledger, claim, RunResult(state="failed", reason="remplacée"), NOW)
    (entry,) = history(ledger)
    assert (entry.slot, entry.state, entry.reason) == (NOW, "failed", "remplacée")
    assert scan_job(another(ledger), NOW, eager=True).claim is None


def test_a_slot_that_ran_in_the_new_file_gets_no_second_row(ledger: Ledger, cellar: CellarFile) -> None:
    """Another process ran the slot in the new file, so the unique index refuses a second row."""
    claim = scan_job(ledger, NOW, eager=True).claim
    assert claim
    drop(cellar.path, cellar)
    record_end(
        ledger, claim_manual(ledger, "other", (), NOW - HOUR), DONE, NOW
    )  # has the number of the lost run
    other = scan_job(another(ledger), NOW, eager=True).claim
    assert other
    with pytest.raises(LeaseLostError):
        record_end(ledger, claim, DONE, NOW)


def test_a_deleted_database_is_a_temporary_error(ledger: Ledger, cellar: CellarFile) -> None:
    """The error says that the file is missing, and it is temporary because the file may return."""
    claim = scan_job(ledger, NOW, eager=True).claim
    assert claim
    with ledger.session():
        renew(ledger, claim.run, NOW)
        cellar.path.unlink()
        with pytest.raises(NotReadyError, match="base introuvable"):
            renew(ledger, claim.run, NOW)


def test_a_job_stops_at_once_where_its_run_is_not_known_any_more(cellar: CellarFile) -> None:
    """The job stops at its first safe point after the renewal of its lease has failed."""
    default_context = system_context(load_for([], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))
    ledger = Ledger(database=default_context.database, lease=timedelta(seconds=1))

    @job("long")
    def long(run: Run) -> None:
        with closing(sqlite3.connect(cellar.path)) as connection:
            for table in _TABLES:
                connection.execute(f"DROP TABLE {table}")
        end = run.clock.monotonic() + 20
        while run.clock.monotonic() < end:
            run.check()

    settings = load_for([long], {"DATABASE_URL": f"sqlite:///{cellar.path}"})
    context = replace(default_context, ledger=ledger, settings=settings)
    claim = claim_manual(ledger, "long", (), context.clock.now())
    with pytest.raises(CavecronError, match="ne connaît plus cette exécution"):
        asyncio.run(execute_run(claim, long, context, stop=StopSignal(), options=Options()))
    (entry,) = history(ledger)
    assert entry.state == "failed"
    assert "la base a été remplacée" in (entry.reason or "")
