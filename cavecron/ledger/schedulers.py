"""A list of the schedulers that were started on this database, and of their ends, for `cavecron status`.

It is written at the start and at the end of a scheduler only. No decision on a slot or a run depends on it.
"""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from cavecron.database.timestamps import utc_text
from cavecron.ledger.column_values import optional_instant
from cavecron.ledger.process_id import OwnerState, owner_state
from cavecron.ledger.store import Ledger

#: The most schedulers in the list: with two instances in containers, the last starts of both.
_MOST_SCHEDULERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerRow:
    """A scheduler that was started at `started` on `host`; `stopped` is when it stopped, None if it did not.

    Instants are aware. `process_state` is `unseen` if it runs in another container or on another host.
    """

    host: str
    started: datetime
    stopped: datetime | None
    process_state: OwnerState


def record_start(ledger: Ledger, now: datetime) -> None:
    """Record that a scheduler of this process started at `now` (aware), or started to use this file.

    Raises:
        CavecronError: the ledger cannot be written.

    """

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO cavecron_scheduler (owner, started) VALUES (?, ?)"
            " ON CONFLICT (owner) DO UPDATE SET stopped = NULL",
            (ledger.owner, utc_text(now)),
        )
        connection.execute(
            "DELETE FROM cavecron_scheduler WHERE rowid <="
            " (SELECT rowid FROM cavecron_scheduler ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
            (_MOST_SCHEDULERS,),
        )

    ledger.write(write)


def record_stop(ledger: Ledger, now: datetime) -> None:
    """Record that the scheduler of this process stopped at `now` (aware).

    Raises:
        CavecronError: the ledger cannot be written.

    """

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE cavecron_scheduler SET stopped = ? WHERE owner = ?", (utc_text(now), ledger.owner)
        )

    ledger.write(write)


def schedulers(ledger: Ledger) -> list[SchedulerRow]:
    """Return the schedulers that were started last, the latest one first.

    Raises:
        CavecronError: the database cannot be read.

    """
    rows: list[tuple[object, ...]] = []
    with ledger.reading() as connection:
        if connection is not None:
            with suppress(sqlite3.OperationalError):  # a ledger of an earlier release has no such table
                rows = connection.execute(
                    "SELECT owner, started, stopped FROM cavecron_scheduler ORDER BY rowid DESC LIMIT ?",
                    (_MOST_SCHEDULERS,),
                ).fetchall()
    return [
        SchedulerRow(
            host=str(owner).partition(":")[0],
            started=began,
            stopped=optional_instant(stopped),
            process_state=owner_state(str(owner)),
        )
        for owner, started, stopped in rows
        if (began := optional_instant(started))
    ]
