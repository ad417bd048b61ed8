"""The ledger as tests use it: one of every Monday at 8, looked at by one process or another."""

import sqlite3
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cavecron.database.timestamps import utc_text
from cavecron.ledger.catch_up import scan
from cavecron.ledger.history import history
from cavecron.ledger.models import HistoryEntry, JobCursor, RunResult, ScanResult
from cavecron.ledger.states import CursorState
from cavecron.ledger.store import Ledger
from cavecron.schedule import parse

#: NOW is its slot: a Monday at 8 in Paris.
MONDAYS = parse("0 8 * * mon", ZoneInfo("Europe/Paris"))
HOURLY = parse("0 * * * *", ZoneInfo("Europe/Paris"))
MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=7)
WAITING, BUSY_BEFORE, SUSPECTED = CursorState.WAITING, CursorState.BUSY, CursorState.LEASE_EXPIRED
DONE = RunResult(state="succeeded", summary="fait")


def another(ledger: Ledger) -> Ledger:
    """Return the same ledger as another process has it."""
    return Ledger(database=ledger.database)


def scan_job(ledger: Ledger, now: datetime, *, eager: bool = False, **cursor: object) -> ScanResult:
    """Scan once for Mondays, as a process that has just started unless `cursor` says more."""
    values = {"job": "report", "schedule": MONDAYS, **cursor}
    (result,) = scan(ledger, [JobCursor(**values)], now, eager=eager)  # type: ignore[arg-type]
    return result


def entries(ledger: Ledger) -> list[tuple[str, datetime, int, str | None]]:
    """Return what the history says, newest first."""
    return [(entry.state, entry.slot, entry.slots, entry.reason) for entry in history(ledger)]


def latest(ledger: Ledger) -> HistoryEntry:
    """Return the newest entry of the history."""
    return history(ledger)[0]


def insert_minutes(
    connection: sqlite3.Connection, job: str, rows: int, *, until: datetime, failed_every: int = 10**9
) -> None:
    """Insert the runs of so many minutes up to an instant (aware), within the caller's transaction."""
    connection.execute(
        "INSERT INTO cavecron_run (job, slot, last_slot, slots, trigger, state, attempt, failures, started,"
        " finished, summary) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
        " SELECT :job, at, at, 1, 'slot', CASE WHEN i % :every THEN 'succeeded' ELSE 'failed' END, 1, 0, at,"
        " at, 'fait' FROM (SELECT i, strftime('%Y-%m-%d %H:%M:%S.000000', :until, (i - :rows) || ' minutes')"
        " AS at FROM n)",
        {"job": job, "rows": rows, "every": failed_every, "until": utc_text(until)[:19]},
    )
