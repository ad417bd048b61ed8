"""A ledger that somebody edited: an unreadable row is skipped and named in the log, and stops nothing."""

import logging
from datetime import timedelta

import pytest

from cavecron.ledger.catch_up import register_jobs, scan_once
from cavecron.ledger.deliveries import Deliveries
from cavecron.ledger.history import history
from cavecron.ledger.overdue import overdue
from cavecron.ledger.retention import count_old, prune
from cavecron.ledger.runs import claim_manual, claim_resume, record_end
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW, CellarFile
from tests.support.ledgers import DONE, HOUR, HOURLY, MINUTE, MONDAYS, WAITING, another, scan_job

#: Unexpected values that people and programs write into a column.
ODD = {
    "text": "'beaucoup'",
    "blob": "x'00ff'",
    "text that is no UTF-8": "CAST(x'ff41' AS TEXT)",
    "year 1": "'0001-01-01 00:00:00.000000'",
    "year 9999": "'9999-12-31 23:59:59.999999'",
    "huge": "9223372036854775807",
    "negative": "-1",
    "a number as text": "'5'",
    "JSON of something else": """'{"a": 1}'""",
    "deep JSON": f"'{'[' * 20000}'",
    "NULL": "NULL",
}
each_odd_value = pytest.mark.parametrize("value", ODD.values(), ids=ODD)
COLUMNS = (
    *("slot", "last_slot", "slots", "trigger", "state", "attempt", "failures", "owner", "lease_until"),
    *("retry_at", "started", "finished", "summary", "reason", "users", "job"),
)


def edit(cellar: CellarFile, table: str, column: str, value: str) -> None:
    """Write a value into a column of every row, without the table's NOT NULL constraints."""
    cellar.execute("PRAGMA writable_schema = ON")
    cellar.execute(f"UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = '{table}'")
    cellar.execute("PRAGMA writable_schema = RESET")
    cellar.execute(f"UPDATE OR IGNORE {table} SET {column} = {value}")


def use(ledger: Ledger) -> None:
    """Call everything that the scheduler and the commands call, and check that a new run is recorded."""
    register_jobs(ledger, {"report": HOURLY}, NOW + 10 * HOUR)
    register_jobs(ledger, {"report": MONDAYS}, NOW - 2 * HOUR)
    scan_job(ledger, NOW - HOUR)
    scan_job(ledger, NOW + MINUTE, state=WAITING)
    scan_once(ledger, {"report": MONDAYS}, NOW + 2 * MINUTE)
    history(ledger, now=NOW)
    history(ledger, job="report", now=NOW)
    overdue(ledger, {"report": MONDAYS}, NOW + HOUR)
    other = claim_manual(ledger, "other", (), NOW + 3 * HOUR)
    record_end(ledger, other, DONE, NOW + 3 * HOUR)
    mails = Deliveries(ledger=ledger, run=other.run)
    mails.previous()
    mails.in_flight_of_dead_runs(before=NOW)
    count_old(ledger, days=1, now=NOW + 1000 * HOUR)
    prune(ledger, days=1, now=NOW + 1000 * HOUR, check=lambda: None, sleep=lambda _seconds: None)
    assert [entry.state for entry in history(ledger, job="other")] == ["succeeded"]


@pytest.mark.parametrize("state", ["running", pytest.param("failed", marks=pytest.mark.slow)])
@each_odd_value
@pytest.mark.parametrize("column", COLUMNS)
def test_an_edited_run_does_not_end_the_scheduler(
    ledger: Ledger, cellar: CellarFile, column: str, *, value: str, state: str
) -> None:
    """Every function of the ledger works although all runs have an unexpected value."""
    register_jobs(ledger, {"report": HOURLY}, NOW - HOUR)
    record_end(ledger, claim_manual(ledger, "report", (), NOW - 3 * HOUR), DONE, NOW)
    scan_job(ledger, NOW + MINUTE, schedule=HOURLY)
    scan_job(ledger, NOW + 20 * HOUR, schedule=HOURLY)
    cellar.execute("UPDATE cavecron_run SET state = ? WHERE id > 1 AND state <> 'missed'", (state,))
    edit(cellar, "cavecron_run", column, value)
    use(another(ledger))


@each_odd_value
@pytest.mark.parametrize("column", ["name", "schedule", "looked_until"])
def test_an_edited_job_is_registered_again(
    ledger: Ledger, cellar: CellarFile, column: str, value: str
) -> None:
    """The job has missed nothing, and its next slot is claimed."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    edit(cellar, "cavecron_job", column, value)
    use(another(ledger))
    register_jobs(another(ledger), {"report": MONDAYS}, NOW + MINUTE)
    week = timedelta(days=7)
    assert scan_job(another(ledger), NOW + week, accounted_until=NOW + week - MINUTE).claim
    assert not overdue(another(ledger), {"report": MONDAYS}, NOW + week + MINUTE)


@each_odd_value
@pytest.mark.parametrize("column", ["recipient", "state", "repeats", "error", "mail", "at"])
def test_an_edited_delivery_ends_nothing(ledger: Ledger, cellar: CellarFile, column: str, value: str) -> None:
    """New deliveries can be recorded and read although the former one has an unexpected value."""
    claim = claim_manual(ledger, "report", (), NOW)
    mails = Deliveries(ledger=ledger, run=claim.run)
    mails.record(now=NOW, started=["1"])
    edit(cellar, "cavecron_delivery", column, value)
    mails.previous()
    mails.record(now=NOW, started=["1", "2"])
    assert mails.previous()["2"].state == "sending"
    record_end(ledger, claim, DONE, NOW)
    use(another(ledger))


@pytest.mark.parametrize(
    ("column", "value"),
    [("slots", "'beaucoup'"), ("slot", "x'00'"), ("last_slot", "'0001-01-01 00:00:00'")],
)
def test_a_row_that_cannot_be_read_is_named_once(
    ledger: Ledger, cellar: CellarFile, caplog: pytest.LogCaptureFixture, *, column: str, value: str
) -> None:
    """The warning names the table, the id and what to do; the other runs are listed as usual."""
    for job in ("first", "second"):
        record_end(ledger, claim_manual(ledger, job, (), NOW), DONE, NOW)
    cellar.execute(f"UPDATE cavecron_run SET {column} = {value} WHERE id = 1")
    with caplog.at_level(logging.WARNING, logger="cavecron.ledger"):
        for _ in range(3):
            assert [entry.job for entry in history(ledger)] == ["second"]
    assert caplog.messages == ["cavecron_run, ligne 1 illisible, ignorée : la corriger ou la supprimer"]


def test_a_run_whose_users_cannot_be_read_is_not_resumed(
    ledger: Ledger, cellar: CellarFile, caplog: pytest.LogCaptureFixture
) -> None:
    """A run with unreadable users is not resumed, because it could become a run for all users."""
    record_end(ledger, claim_manual(ledger, "report", (), NOW), DONE, NOW)
    claim_manual(ledger, "report", ("marie",), NOW)
    cellar.execute("UPDATE cavecron_run SET state = 'interrupted', users = '5' WHERE id = 2")
    with pytest.raises(Exception, match="rien à reprendre"):
        claim_resume(ledger, "report", NOW)
    assert "cavecron_run, ligne 2 illisible" in caplog.text
