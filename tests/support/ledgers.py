"""The ledger as tests use it: one of every Monday at 8, looked at by one process or another."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cavecron.ledger.catch_up import scan
from cavecron.ledger.history import history
from cavecron.ledger.models import CursorState, HistoryEntry, JobCursor, RunResult, ScanResult
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


def looked(ledger: Ledger, now: datetime, *, eager: bool = False, **cursor: object) -> ScanResult:
    """Scan once for Mondays, as a process that has just started unless `cursor` says more."""
    values = {"job": "report", "schedule": MONDAYS, **cursor}
    (found,) = scan(ledger, [JobCursor(**values)], now, eager=eager)  # type: ignore[arg-type]
    return found


def entries(ledger: Ledger) -> list[tuple[str, datetime, int, str | None]]:
    """Return what the history says, newest first."""
    return [(entry.state, entry.slot, entry.slots, entry.reason) for entry in history(ledger)]


def latest(ledger: Ledger) -> HistoryEntry:
    """Return the newest entry of the history."""
    return history(ledger)[0]
