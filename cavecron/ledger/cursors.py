"""Writing cursors of a process into a ledger that is behind them, such as a restored backup."""

from collections.abc import Sequence
from datetime import datetime

from cavecron.database.timestamps import utc_text
from cavecron.ledger.models import JobCursor
from cavecron.ledger.store import Ledger


def store_cursors(ledger: Ledger, cursors: Sequence[JobCursor], now: datetime) -> None:
    """Note how far this process has followed its jobs, in a ledger that is behind: a restored backup.

    What lies after `now` (aware) is left out: the clock was ahead then.

    Raises:
        CavecronError: the ledger cannot be written.

    """
    followed = [
        (utc_text(cursor.accounted_until), cursor.job, cursor.schedule.fingerprint)
        for cursor in cursors
        if cursor.accounted_until and cursor.accounted_until <= now
    ]
    if not followed:
        return
    with ledger.writing() as connection:
        connection.executemany(
            "INSERT INTO cavecron_job (looked_until, name, schedule) VALUES (?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET looked_until = max(looked_until, excluded.looked_until)"
            " WHERE schedule = excluded.schedule",
            followed,
        )
