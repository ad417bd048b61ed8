"""Past slots and runs; it only reads."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from cavecron.ledger.column_values import instant, number, optional_instant, skip_unreadable, text
from cavecron.ledger.models import KILLED, HistoryEntry
from cavecron.ledger.process_id import is_dead
from cavecron.ledger.store import Ledger

_ENTRIES = """
    SELECT id, job, slot, last_slot, slots, trigger, state, attempt, started, finished, retry_at, summary,
           reason, lease_until, owner, users,
           (SELECT coalesce(sum(repeats), 0) FROM cavecron_delivery WHERE run = cavecron_run.id)
    FROM cavecron_run {where} ORDER BY id DESC LIMIT :most"""


def history(
    ledger: Ledger, *, job: str | None = None, most: int = 20, now: datetime | None = None
) -> list[HistoryEntry]:
    """Return the latest entries of one job or of all, in reverse order of their insertion.

    With `now` (aware), a run whose process is dead at that time is returned as interrupted, although that is
    not recorded yet.
    """
    with ledger.reading() as connection:
        if connection is None:
            return []
        return select_entries(connection, ledger, "job = :job" if job else "", job=job, most=most, now=now)


def select_entries(
    connection: sqlite3.Connection,
    ledger: Ledger,
    where: str,
    *,
    job: str | None,
    most: int,
    now: datetime | None,
) -> list[HistoryEntry]:
    """Return the latest entries that meet the SQL condition `where`, the last inserted one first.

    The condition can contain `:job`, and '' is met by all entries. `now` (aware) as in `history`.
    """
    query = _ENTRIES.format(where=f"WHERE {where}" if where else "")
    rows = connection.execute(query, {"job": job, "most": most}).fetchall()
    entries = []
    for row in rows:
        with skip_unreadable(ledger, "cavecron_run", row[0]):
            entries.append(_entry(row, now))
    return entries


def _entry(row: Sequence[object], now: datetime | None) -> HistoryEntry:
    lease_until, owner, users, repeats = row[13:]
    state, reason = text(row[6]), row[12]
    if now and state == "running" and _is_dead(optional_instant(lease_until), str(owner), now):
        state, reason = "interrupted", KILLED
    return HistoryEntry(
        id=number(row[0]),
        job=text(row[1]),
        slot=instant(row[2]),
        last_slot=instant(row[3]),
        slots=number(row[4]),
        trigger=text(row[5]),
        state=state,
        attempt=number(row[7]),
        started=optional_instant(row[8]),
        finished=optional_instant(row[9]),
        retry_at=optional_instant(row[10]) if state == "failed" else None,
        summary=None if row[11] is None else str(row[11]),
        reason=None if reason is None else str(reason),
        repeats=repeats if isinstance(repeats, int) else 0,
        partial=users is not None,
    )


def _is_dead(lease_until: datetime | None, owner: str, now: datetime) -> bool:
    return lease_until is None or lease_until <= now or is_dead(owner)
