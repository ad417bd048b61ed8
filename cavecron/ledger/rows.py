"""Reading stored rows strictly, because people edit tables and no edit may end the scheduler.

A row that cannot be read is skipped, and logged once.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from cavecron.database.timestamps import read_utc
from cavecron.lazy import lazy_module
from cavecron.ledger.models import State, Trigger
from cavecron.ledger.store import Ledger

if TYPE_CHECKING:
    import json
else:
    json = lazy_module("json")  # only runs by hand, for some users

#: Years of a valid instant: converting it to a zone, or adding an hour, never leaves the calendar.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
#: The largest valid count.
_LARGEST = 2**53
_RUN_COLUMNS = "id, job, slot, trigger, state, attempt, failures, lease_until, retry_at, users, owner"


class UnreadableError(ValueError):
    """A column has a value of the wrong type or range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as stored in the ledger, running or ended; instants are aware, in UTC."""

    id: int
    job: str
    slot: datetime
    trigger: Trigger
    state: str
    attempt: int
    failures: int
    lease_until: datetime | None
    retry_at: datetime | None
    users: tuple[str, ...]
    owner: str

    @property
    def is_settled(self) -> bool:
        """Return whether it will not be resumed automatically."""
        return self.state == "succeeded" or (self.state == "failed" and self.retry_at is None)


def select_runs(connection: sqlite3.Connection, ledger: Ledger, where: str, *values: object) -> list[RunRow]:
    """Return the runs that meet an SQL condition with these parameters."""
    rows = connection.execute(
        f"SELECT {_RUN_COLUMNS} FROM cavecron_run WHERE {where}",  # noqa: S608 - constants
        values,
    )
    runs = []
    for row in rows:
        with skip_unreadable(ledger, "cavecron_run", row[0]):
            runs.append(_run(row))
    return runs


@contextmanager
def skip_unreadable(ledger: Ledger, table: str, row: object) -> Iterator[None]:
    """End the block if it raises UnreadableError, and log the row."""
    try:
        yield
    except UnreadableError:
        ledger.report_unreadable(table, row)


def instant(stored: object) -> datetime:
    """Return a stored instant (aware, UTC); raise UnreadableError if it is not one."""
    read = optional_instant(stored)
    if read is None:
        raise UnreadableError(stored)
    return read


def optional_instant(stored: object) -> datetime | None:
    """Return a stored instant (aware, UTC), None if there is none or it cannot be read."""
    read = read_utc(stored)
    return read if read and _FIRST_YEAR <= read.year <= _LAST_YEAR else None


def number(stored: object) -> int:
    """Return a stored count; raise UnreadableError if it is not one."""
    if not isinstance(stored, int) or not 0 <= stored <= _LARGEST:
        raise UnreadableError(stored)
    return stored


def text(stored: object) -> str:
    """Return stored text; raise UnreadableError if it is not text."""
    if not isinstance(stored, str):
        raise UnreadableError(stored)
    return stored


def _run(row: tuple[object, ...]) -> RunRow:
    trigger, state = row[3], row[4]
    if trigger not in get_args(Trigger) or state not in get_args(State):
        raise UnreadableError(trigger, state)
    return RunRow(
        id=number(row[0]),
        job=text(row[1]),
        slot=instant(row[2]),
        trigger=trigger,  # type: ignore[arg-type]
        state=text(state),
        attempt=number(row[5]),
        failures=number(row[6]),
        lease_until=optional_instant(row[7]),
        retry_at=optional_instant(row[8]),
        users=_users(row[9]),
        owner=row[10] if isinstance(row[10], str) else "",
    )


def _users(stored: object) -> tuple[str, ...]:
    if stored is None:
        return ()
    try:
        users = json.loads(text(stored))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(stored) from error
    if not isinstance(users, list) or not all(isinstance(user, str) for user in users):
        raise UnreadableError(stored)
    return tuple(users)
