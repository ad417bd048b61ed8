"""The costs of a large ledger: every statement that holds the write lock uses an index."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from cavecron.ledger.catch_up import register_jobs, scan_once
from cavecron.ledger.deliveries import Deliveries, DeliveryUpdate
from cavecron.ledger.models import RunResult
from cavecron.ledger.retention import count_old, prune
from cavecron.ledger.runs import claim_manual, claim_resume, record_end, renew
from cavecron.ledger.store import Ledger
from cavecron.schedule import parse
from tests.support.app_database import NOW, CellarFile
from tests.support.in_process import command
from tests.support.ledgers import (
    DONE,
    HOUR,
    HOURLY,
    MINUTE,
    MONDAYS,
    WAITING,
    another,
    insert_minutes,
    scan_job,
)
from tests.support.traced_database import WatchedDatabase

DAY = timedelta(days=1)
EVERY_MINUTE = parse("* * * * *", MONDAYS.zone)
#: Small tables that may be read as a whole.
_WHOLE_TABLES = ("cavecron_job", "cavecron_ledger", "sqlite_master")


def fill(cellar: CellarFile, job: str, rows: int, *, failed_every: int = 10**9) -> None:
    """Fill the ledger with the runs of a job that runs every minute, up to NOW."""
    with closing(sqlite3.connect(cellar.path)) as connection, connection:
        insert_minutes(connection, job, rows, until=NOW, failed_every=failed_every)


def locked_statements(database: WatchedDatabase) -> Iterator[str]:
    """Yield the statements that were executed under the write lock."""
    is_locked = False
    for statement in database.statements:
        if statement == "BEGIN IMMEDIATE":
            is_locked = True
        elif statement in ("COMMIT", "ROLLBACK"):
            is_locked = False
        elif is_locked and re.match("SELECT|UPDATE|DELETE|INSERT|WITH", statement):
            yield statement


def claim_seconds(ledger: Ledger) -> float:
    """Return the shortest duration of eleven claims, in seconds."""
    times = []
    for number in range(1, 12):
        at = NOW + number * MINUTE
        started = time.perf_counter()
        claim = scan_job(ledger, at, job="minute", schedule=EVERY_MINUTE, accounted_until=at - MINUTE).claim
        times.append(time.perf_counter() - started)
        assert claim
        record_end(ledger, claim, DONE, at)
    return min(times)


def test_every_statement_of_a_transaction_goes_by_an_index(cellar: CellarFile) -> None:
    """SQLite's query plan of each statement names an index, because a ledger grows for years."""
    database = WatchedDatabase(cellar.path)
    ledger = Ledger(database=database)
    register_jobs(ledger, {"report": HOURLY, "old": HOURLY}, NOW - 5 * HOUR)
    register_jobs(ledger, {"report": MONDAYS}, NOW - 4 * HOUR)
    register_jobs(ledger, {"report": HOURLY}, NOW - 3 * HOUR)
    claim = scan_job(ledger, NOW, schedule=HOURLY).claim
    assert claim
    mails = Deliveries(ledger=ledger, run=claim.run)
    mails.record(now=NOW, started=["1", "2"])
    mails.record(now=NOW, finished={"1": DeliveryUpdate(state="sent")})
    renew(ledger, claim.run, NOW)
    record_end(ledger, claim, RunResult(state="failed", retry_at=NOW + MINUTE), NOW)
    scan_job(ledger, NOW - HOUR, schedule=HOURLY, state=WAITING)
    scan_once(ledger, {"report": HOURLY}, NOW + 2 * MINUTE)
    resumed = claim_resume(another(ledger), "report", NOW + 9 * MINUTE)
    record_end(replace_owner(ledger, cellar), resumed, DONE, NOW + 9 * MINUTE)
    record_end(ledger, claim_manual(ledger, "report", ("marie",), NOW + HOUR), DONE, NOW + HOUR)
    later = Deliveries(ledger=ledger, run=claim_manual(ledger, "report", (), NOW + 9 * HOUR).run)
    later.close_abandoned(claim.run, "2", DeliveryUpdate(state="failed"), now=NOW + 9 * HOUR)
    prune(ledger, days=1, now=NOW + 9 * DAY, check=lambda: None, sleep=lambda _seconds: None)
    statements = set(locked_statements(database))
    assert len(statements) > 30
    with closing(sqlite3.connect(cellar.path)) as connection:
        for statement in statements:
            for *_ids, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
                scanned = re.match(r"SCAN (?!\d|CONSTANT)(\w+)", step)
                assert not scanned or scanned[1] in _WHOLE_TABLES, (statement, step)


def replace_owner(ledger: Ledger, cellar: CellarFile) -> Ledger:
    """Return the ledger after making it the owner of the run that is running."""
    cellar.execute("UPDATE cavecron_run SET owner = ? WHERE state = 'running'", (ledger.owner,))
    return ledger


def test_a_run_by_hand_is_claimed_fast_after_many_failures(ledger: Ledger, cellar: CellarFile) -> None:
    """A claim is fast with 20,000 runs of which one in ten failed; it once held the write lock for 25 s."""
    register_jobs(ledger, {"minute": EVERY_MINUTE}, NOW)
    fill(cellar, "minute", 20_000, failed_every=10)
    started = time.perf_counter()
    claim = claim_manual(ledger, "minute", (), NOW + MINUTE)
    assert time.perf_counter() - started < 1.0
    assert claim.attempt == 2  # of the run of NOW, which failed


@pytest.mark.slow
def test_a_year_of_a_job_of_every_minute(ledger: Ledger, cellar: CellarFile) -> None:
    """A claim takes at most 10 ms; with the weekly cleanup the file stays below 60 MB."""
    register_jobs(ledger, {"minute": EVERY_MINUTE}, NOW)
    fill(cellar, "minute", 525_600)
    empty = CellarFile(cellar.path.with_name("empty.db"))
    seconds_when_empty = claim_seconds(Ledger(database=empty.database))
    empty.close()
    assert claim_seconds(ledger) < max(0.010, 2 * seconds_when_empty)  # a busy machine makes both slow
    deleted = prune(ledger, days=400, now=NOW + HOUR, check=lambda: None, sleep=lambda _seconds: None)
    ((rows,),) = cellar.rows("SELECT count(*) FROM cavecron_run")
    assert isinstance(rows, int)
    assert 200_000 < rows == 525_600 + 11 - deleted < 202_000
    cellar.execute("VACUUM")  # the size that a weekly cleanup would have kept
    assert cellar.path.stat().st_size < 60_000_000


def test_old_runs_go_and_the_last_of_each_job_stay(ledger: Ledger, cellar: CellarFile) -> None:
    """Old runs are deleted with their deliveries, but the last 20 of each job stay, however old."""
    register_jobs(ledger, {"minute": EVERY_MINUTE}, NOW)
    fill(cellar, "minute", 3000)
    for number in range(19):
        claim = claim_manual(ledger, "yearly", (), NOW - 3000 * DAY + number * HOUR)
        Deliveries(ledger=ledger, run=claim.run).record(now=NOW, finished={"1": DeliveryUpdate(state="sent")})
        record_end(ledger, claim, DONE, NOW)
    assert count_old(ledger, days=1, now=NOW) == 3000 - 1441
    waits: list[float] = []
    assert prune(ledger, days=1, now=NOW, check=lambda: None, sleep=waits.append) == 3000 - 1441
    assert len(waits) == 4  # batches
    assert cellar.rows("SELECT job, count(*) FROM cavecron_run GROUP BY job") == [
        ("minute", 1441),
        ("yearly", 19),
    ]
    assert prune(ledger, days=1, now=NOW + 99 * DAY, check=lambda: None, sleep=waits.append) == 1421
    assert cellar.rows("SELECT count(*) FROM cavecron_run WHERE job = 'minute'") == [(20,)]
    assert cellar.rows("SELECT count(*) FROM cavecron_delivery") == [(19,)]
    for number in range(20):
        record_end(ledger, claim_manual(ledger, "yearly", (), NOW + number * HOUR), DONE, NOW)
    assert prune(ledger, days=1, now=NOW + DAY, check=lambda: None, sleep=waits.append) == 19
    assert cellar.rows("SELECT count(*) FROM cavecron_delivery") == [(0,)]


def test_a_row_that_prevents_a_repetition_is_never_pruned(ledger: Ledger, cellar: CellarFile) -> None:
    """Rows stay that prevent a second run or mail: of the last hour, in the future, running or in doubt."""
    register_jobs(ledger, {"minute": EVERY_MINUTE}, NOW)
    fill(cellar, "minute", 100)
    cellar.execute("UPDATE cavecron_run SET slot = '2031-01-01 00:00:00.000000' WHERE id = 1")
    cellar.execute(
        "UPDATE cavecron_run SET slot = '2020-01-01 00:00:0' || id || '.000000' WHERE id IN (2, 3, 4)"
    )
    cellar.execute("UPDATE cavecron_run SET state = 'running' WHERE id = 2")
    cellar.execute("INSERT INTO cavecron_delivery VALUES (3, '1', 'sending', 0, NULL, NULL, '')")
    assert prune(ledger, days=1, now=NOW, check=lambda: None, sleep=lambda _seconds: None) == 1
    assert cellar.rows("SELECT id FROM cavecron_run WHERE id < 6") == [(1,), (2,), (3,), (5,)]


def test_old_missed_slots_are_deleted(ledger: Ledger, cellar: CellarFile) -> None:
    """Rows of missed slots are no runs, so the limit of 20 does not keep them."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - 40 * DAY)
    scan_job(ledger, NOW - 30 * DAY)
    assert prune(ledger, days=10, now=NOW, check=lambda: None, sleep=lambda _seconds: None) == 1
    assert cellar.rows("SELECT 1 FROM cavecron_run") == []


def test_a_ledger_of_an_earlier_release_gets_its_indices(ledger: Ledger, cellar: CellarFile) -> None:
    """The indices are replaced in one transaction, and all rows stay."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    record_end(ledger, claim_manual(ledger, "report", (), NOW - HOUR), DONE, NOW - HOUR)
    for (name,) in cellar.rows("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE INDEX %cavecron%'"):
        cellar.execute(f"DROP INDEX {name}")
    cellar.execute("CREATE INDEX cavecron_run_job ON cavecron_run (job, slot)")
    cellar.execute("CREATE INDEX cavecron_run_running ON cavecron_run (job) WHERE state = 'running'")
    database = WatchedDatabase(cellar.path)
    assert scan_job(Ledger(database=database), NOW).claim
    assert database.statements.count("BEGIN IMMEDIATE") == 2
    names = {name for (name,) in cellar.rows("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert "cavecron_run_unfinished" in names
    assert not names & {"cavecron_run_job", "cavecron_run_running"}
    assert cellar.rows("SELECT state FROM cavecron_run ORDER BY id") == [("succeeded",), ("running",)]


def test_the_cleanup_prunes_the_past_of_cavecron_itself(ledger: Ledger, cellar: CellarFile) -> None:
    """The cleanup reports how many runs it deletes or would delete, and follows the setting for their age."""
    for number in range(30):
        at = NOW - 3000 * DAY + number * HOUR
        record_end(ledger, claim_manual(ledger, "report", (), at), DONE, at)
    database = f"sqlite:///{cellar.path}"
    assert "cavecron_run 10" in command("run", "cleanup", "--dry-run", DATABASE_URL=database).out
    kept = command("run", "cleanup", DATABASE_URL=database, SCHEDULER_CLEANUP_LEDGER_DAYS="36500")
    assert (kept.code, "cavecron_run" in kept.out) == (0, False)
    assert "cavecron_run 10" in command("run", "cleanup", DATABASE_URL=database).out
    assert cellar.rows("SELECT count(*) FROM cavecron_run WHERE job = 'report'") == [(20,)]
