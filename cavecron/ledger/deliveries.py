"""The delivery state of each recipient of a run, so that no mail is sent twice or forgotten.

It knows neither mail nor the application's tables: a caller passes the function that writes there in the same
transaction.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from cavecron.database.timestamps import utc_text
from cavecron.ledger.column_values import UnreadableError, skip_unreadable, text
from cavecron.ledger.runs import require_given_up, require_lease
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import IN_FLIGHT
from cavecron.schedule import GRACE

#: `sending`: sent, without a known result (yet). `deferred`: not delivered, but may be later.
#: `abandoned`: sent twice without a known result; it is never sent again.
DeliveryState = Literal["sending", "sent", "failed", "deferred", "abandoned"]
#: Writes or rewrites the mail's row in the application's log; takes and returns the id of that row.
LogWriter = Callable[[sqlite3.Connection, int | None], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousDelivery:
    """The state of one recipient after earlier attempts; `error` is None if the mail was delivered."""

    state: DeliveryState
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryUpdate:
    """The new state of one recipient's mail; `write_row` writes it into the application's log as well."""

    state: DeliveryState
    error: str | None = None
    write_row: LogWriter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """The deliveries of one run, which this process executes."""

    ledger: Ledger
    run: int

    def session(self) -> AbstractContextManager[None]:
        """Return a context manager that keeps the connection open, for a job with many mails."""
        return self.ledger.session()

    def previous(self) -> Mapping[str, PreviousDelivery]:
        """Return the state after earlier attempts of the run, by recipient.

        A mail that is `sending` there was being sent when the run was cut off.
        """
        previous = {}
        with self.ledger.reading() as connection:
            if connection is None:
                return {}
            rows = connection.execute(
                "SELECT rowid, recipient, state, error FROM cavecron_delivery WHERE run = ?", (self.run,)
            )
            for row, recipient, state, error in rows:
                with skip_unreadable(self.ledger, "cavecron_delivery", row):
                    previous[text(recipient)] = _previous(state, error)
        return previous

    def record(
        self,
        *,
        now: datetime,
        started: Iterable[str] = (),
        finished: Mapping[str, DeliveryUpdate] | None = None,
    ) -> None:
        """Record at `now` (aware), in one transaction, which mails are started and which are finished.

        Threads that record at the same time share a transaction. To start a mail that is still `sending`
        counts as a repetition.

        Raises:
            LeaseLostError: another process has taken over the run; nothing is written.
            RunMissingError: the run is not in the ledger any more; nothing is written.

        """
        at, starting, updates = utc_text(now), tuple(started), dict(finished or {})

        def write(connection: sqlite3.Connection) -> None:
            require_lease(connection, self.ledger, self.run)
            for recipient, update in updates.items():
                _update(connection, self.run, recipient, update, at=at)
            connection.executemany(
                "INSERT INTO cavecron_delivery (run, recipient, state, repeats, at)"
                " VALUES (?, ?, 'sending', 0, ?)"
                " ON CONFLICT (run, recipient) DO UPDATE SET repeats = repeats + (state = 'sending'),"
                " state = 'sending', at = excluded.at",
                [(self.run, recipient, at) for recipient in starting],
            )

        self.ledger.write(write)

    def amend(self, *, now: datetime, attempt: int, finished: Mapping[str, DeliveryUpdate]) -> None:
        """Record at `now` (aware) the end of mails of a run that was given up after this attempt.

        Raises:
            LeaseLostError: the run was resumed meanwhile; nothing is written.

        """

        def write(connection: sqlite3.Connection) -> None:
            require_given_up(connection, self.run, attempt)
            for recipient, update in finished.items():
                _update(connection, self.run, recipient, update, at=utc_text(now))

        self.ledger.write(write)

    def in_flight_of_dead_runs(self, *, before: datetime) -> list[tuple[int, str]]:
        """Return run and recipient of mails whose result will never be known.

        Their runs are earlier runs of the same job in the ledger, were cut off, and are not resumed
        automatically: their slots lie before `before` (aware), or they are runs by hand at a time when the
        clock was ahead.
        """
        ahead = before + 2 * GRACE
        with self.ledger.reading() as connection:
            if connection is None:
                return []
            rows = connection.execute(
                "SELECT old.id, recipient FROM cavecron_delivery JOIN cavecron_run AS old ON old.id = run"  # noqa: S608
                " JOIN cavecron_run AS this ON this.id = ? AND this.job = old.job AND this.id > old.id"
                f" WHERE cavecron_delivery.{IN_FLIGHT} AND old.state <> 'running'"
                " AND (old.slot < ? OR (old.trigger = 'manual' AND old.slot > ?))",
                (self.run, utc_text(before), utc_text(ahead)),
            )
            return [(run, str(recipient)) for run, recipient in rows]

    def close_abandoned(self, run: int, recipient: str, update: DeliveryUpdate, *, now: datetime) -> None:
        """Record at `now` (aware) the final state of a mail that `in_flight_of_dead_runs` returned."""

        def write(connection: sqlite3.Connection) -> None:
            require_lease(connection, self.ledger, self.run)
            _update(connection, run, recipient, update, at=utc_text(now))

        self.ledger.write(write)


def _previous(state: object, error: object) -> PreviousDelivery:
    if state not in get_args(DeliveryState):
        raise UnreadableError(state)
    return PreviousDelivery(
        state=state,  # type: ignore[arg-type]
        error=None if error is None else str(error),
    )


def _update(
    connection: sqlite3.Connection, run: int, recipient: str, update: DeliveryUpdate, *, at: str
) -> None:
    row = connection.execute(
        "SELECT mail FROM cavecron_delivery WHERE run = ? AND recipient = ?", (run, recipient)
    ).fetchone()
    mail = row[0] if row and isinstance(row[0], int) else None
    if update.write_row is not None:
        mail = update.write_row(connection, mail)
    connection.execute(
        "INSERT INTO cavecron_delivery (run, recipient, state, repeats, error, mail, at)"
        " VALUES (:run, :recipient, :state, 0, :error, :mail, :at)"
        " ON CONFLICT (run, recipient)"
        " DO UPDATE SET state = :state, error = :error, mail = :mail, at = :at",
        {
            "run": run,
            "recipient": recipient,
            "state": update.state,
            "error": update.error,
            "mail": mail,
            "at": at,
        },
    )
