"""Storing the cursors of a process in a ledger that is older than they are, such as a restored backup.

It computes no slot.
"""

from collections.abc import Sequence
from datetime import datetime

from cavecron.database.timestamps import utc_text
from cavecron.ledger.models import JobCursor
from cavecron.ledger.store import Ledger


def store_cursors(ledger: Ledger, cursors: Sequence[JobCursor], now: datetime) -> None:
    """Store until when this process has accounted for slots, where the ledger has an earlier instant.

    Instants after `now` (aware) are ignored, because the clock was ahead then.

    Raises:
        CavecronError: the ledger cannot be written.

    """
    rows = [
        (utc_text(cursor.accounted_until), cursor.job, cursor.schedule.fingerprint)
        for cursor in cursors
        if cursor.accounted_until and cursor.accounted_until <= now
    ]
    if not rows:
        return
    with ledger.writing() as connection:
        connection.executemany(
            "INSERT INTO cavecron_job (looked_until, name, schedule) VALUES (?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET looked_until = max(looked_until, excluded.looked_until)"
            " WHERE schedule = excluded.schedule",
            rows,
        )
