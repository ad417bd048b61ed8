"""Reading the runs of the ledger; a row that somebody edited is skipped if it cannot be read.

It writes nothing, and does not know which of the runs matter.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from cavecron.lazy import lazy_module
from cavecron.ledger.column_values import (
    UnreadableError,
    instant,
    number,
    optional_instant,
    skip_unreadable,
    text,
)
from cavecron.ledger.states import State, Trigger
from cavecron.ledger.store import Ledger

if TYPE_CHECKING:
    import json
else:
    json = lazy_module("json")  # only runs by hand, for some users

_RUN_COLUMNS = "id, job, slot, trigger, state, attempt, failures, lease_until, retry_at, users, owner"


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
