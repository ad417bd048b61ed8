"""Retracting missed slots after the clock was set back or the schedule changed."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cavecron.database.timestamps import utc_text
from cavecron.ledger.column_values import instant, number, skip_unreadable
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import MISSED
from cavecron.schedule import Schedule, parse, slots_between


def schedule_of(fingerprint: str, zone_of: Callable[[str], ZoneInfo]) -> Schedule | None:
    """Return the schedule with this fingerprint, None if it cannot be parsed.

    `zone_of` returns a zone by its IANA name.
    """
    expression, _, zone = fingerprint.rpartition(" ")
    try:
        return parse(expression, zone_of(zone))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None


def retract_missed(
    connection: sqlite3.Connection,
    ledger: Ledger,
    job: str,
    until: datetime,
    *,
    schedule: Schedule | None,
) -> None:
    """Delete or shorten the rows of slots missed after `until` (aware), because these slots come again."""
    values = {"job": job, "until": utc_text(until)}
    connection.execute(
        f"DELETE FROM cavecron_run WHERE job = :job AND {MISSED} AND last_slot > :until"  # noqa: S608
        " AND slot > :until",
        values,
    )
    rows = connection.execute(
        f"SELECT id, slot, slots FROM cavecron_run WHERE job = :job AND {MISSED}"  # noqa: S608
        " AND last_slot > :until",
        values,
    ).fetchall()
    for row, stored, count in rows:
        with skip_unreadable(ledger, "cavecron_run", row):
            first, slots = instant(stored), number(count)
            # If the row's schedule is unknown, its first slot is the only one whose instant is certain.
            rest = slots_between(schedule, first - datetime.resolution, until) if schedule else None
            connection.execute(
                "UPDATE cavecron_run SET last_slot = ?, slots = ? WHERE id = ?",
                (utc_text(rest.last), min(rest.count, slots), row) if rest else (utc_text(first), 1, row),
            )
