"""What became of the mail to each recipient of a run, so that none gets it twice and none is forgotten.

It knows neither mail nor the application's tables: what has to be written there in the same transaction is
handed in.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from cavecron.database.timestamps import utc_text
from cavecron.ledger.runs import require_lease
from cavecron.ledger.store import Ledger, LedgerSession

#: `sending`: handed over, and what became of it is not known (yet). `deferred`: not delivered, may be later.
DeliveryState = Literal["sending", "sent", "failed", "deferred"]
#: Writes or rewrites the mail's row in the application's log; takes and returns the id of that row.
LogWriter = Callable[[sqlite3.Connection, int | None], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousDelivery:
    """What earlier attempts left of one recipient; `error` is None where the mail was delivered."""

    state: DeliveryState
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryUpdate:
    """What became of one recipient's mail; `log` writes it into the application's log too."""

    state: DeliveryState
    error: str | None = None
    log: LogWriter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """The deliveries of one run that this process holds."""

    ledger: Ledger
    run: int
    open_session: LedgerSession | None = None

    @contextmanager
    def session(self) -> Iterator["Deliveries"]:
        """Yield them over a connection that stays open, for the thread that notes down what it mails."""
        with self.ledger.session() as session:
            yield replace(self, open_session=session)

    def previous(self) -> Mapping[str, PreviousDelivery]:
        """Return what earlier attempts of the run left, by recipient.

        Whoever is `sending` there was being written to when the run was cut off.
        """
        with self.ledger.reading() as connection:
            if connection is None:
                return {}
            rows = connection.execute(
                "SELECT recipient, state, error FROM cavecron_delivery WHERE run = ?", (self.run,)
            )
            return {recipient: PreviousDelivery(state=state, error=error) for recipient, state, error in rows}

    def record(
        self,
        *,
        now: datetime,
        started: Iterable[str] = (),
        finished: Mapping[str, DeliveryUpdate] | None = None,
    ) -> None:
        """Note at `now` (aware), in one transaction, who is about to be written to and what became of others.

        Who is started while still `sending` is written to again: that is counted as a repetition.

        Raises:
            LeaseLostError: another process has taken the run over; nothing is written.

        """
        at = utc_text(now)
        with (self.open_session or self.ledger).writing() as connection:
            require_lease(connection, self.ledger, self.run)
            for recipient, what in (finished or {}).items():
                self._settle(connection, recipient, what, at)
            connection.executemany(
                "INSERT INTO cavecron_delivery (run, recipient, state, repeats, at)"
                " VALUES (?, ?, 'sending', 0, ?)"
                " ON CONFLICT (run, recipient) DO UPDATE SET repeats = repeats + (state = 'sending'),"
                " state = 'sending', at = excluded.at",
                [(self.run, recipient, at) for recipient in started],
            )

    def in_flight_of_dead_runs(self, *, before: datetime) -> list[tuple[int, str]]:
        """Return run and recipient of mails whose fate will stay unknown.

        Their runs were cut off, stand for an instant `before` (aware) that nobody takes up again by itself,
        and this job has a newer run: this one.
        """
        with self.ledger.reading() as connection:
            if connection is None:
                return []
            found = connection.execute(
                "SELECT old.id, recipient FROM cavecron_run AS old JOIN cavecron_delivery ON run = old.id"
                " JOIN cavecron_run AS this ON this.id = ? AND this.job = old.job AND this.id <> old.id"
                " WHERE old.state <> 'running' AND old.slot < ? AND cavecron_delivery.state = 'sending'",
                (self.run, utc_text(before)),
            )
            return [(run, recipient) for run, recipient in found]

    def close_abandoned(self, run: int, recipient: str, what: DeliveryUpdate, *, now: datetime) -> None:
        """Settle what `in_flight_of_dead_runs` has found, at `now` (aware)."""
        with (self.open_session or self.ledger).writing() as connection:
            require_lease(connection, self.ledger, self.run)
            replace(self, run=run)._settle(connection, recipient, what, utc_text(now))

    def _settle(self, connection: sqlite3.Connection, recipient: str, what: DeliveryUpdate, at: str) -> None:
        found = connection.execute(
            "SELECT mail FROM cavecron_delivery WHERE run = ? AND recipient = ?", (self.run, recipient)
        ).fetchone()
        mail = found[0] if found else None
        if what.log is not None:
            mail = what.log(connection, mail)
        connection.execute(
            "INSERT INTO cavecron_delivery (run, recipient, state, repeats, error, mail, at)"
            " VALUES (:run, :recipient, :state, 0, :error, :mail, :at)"
            " ON CONFLICT (run, recipient)"
            " DO UPDATE SET state = :state, error = :error, mail = :mail, at = :at",
            {
                "run": self.run,
                "recipient": recipient,
                "state": what.state,
                "error": what.error,
                "mail": mail,
                "at": at,
            },
        )
