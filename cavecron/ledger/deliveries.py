"""What became of the mail to each recipient of a run, so that none gets it twice and none is forgotten.

It knows neither mail nor the application's tables: what has to be written in the same transaction is
handed in.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cavecron.cellar.database import utc_text
from cavecron.ledger.claims import check_ours
from cavecron.ledger.store import Ledger

#: `sending`: handed over, and what became of it is not known (yet). `deferred`: not delivered, may be later.
DeliveryState = Literal["sending", "sent", "failed", "deferred"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """The deliveries of one run that this process holds."""

    ledger: Ledger
    run: int

    def known(self) -> Mapping[str, DeliveryState]:
        """Return what earlier attempts of the run left, by recipient.

        Whoever is `sending` there was being written to when the run was cut off.
        """
        with self.ledger.reading() as connection:
            if connection is None:
                return {}
            rows = connection.execute(
                "SELECT recipient, state FROM cavecron_delivery WHERE run = ?", (self.run,)
            )
            return dict(rows.fetchall())

    def record(
        self,
        *,
        now: datetime,
        begun: Iterable[str] = (),
        settled: Mapping[str, DeliveryState] | None = None,
        write: Callable[[sqlite3.Connection], None] = lambda _connection: None,
    ) -> None:
        """Note in one transaction who is about to be written to, and what became of others.

        `begun` that are known already are repetitions. `write` adds what belongs into the same transaction.

        Raises:
            LeaseLostError: another process has taken the run over; nothing is written.

        """
        at = utc_text(now)
        with self.ledger.writing() as connection:
            check_ours(connection, self.ledger, self.run)
            connection.executemany(
                "INSERT INTO cavecron_delivery (run, recipient, state, repeats, at)"
                " VALUES (?, ?, 'sending', 0, ?)"
                " ON CONFLICT (run, recipient) DO UPDATE SET repeats = repeats + (state = 'sending'),"
                " state = 'sending', at = excluded.at",
                [(self.run, recipient, at) for recipient in begun],
            )
            connection.executemany(
                "INSERT INTO cavecron_delivery (run, recipient, state, repeats, at)"
                " VALUES (?, ?, ?, 0, ?)"
                " ON CONFLICT (run, recipient) DO UPDATE SET state = excluded.state, at = excluded.at",
                [(self.run, recipient, state, at) for recipient, state in (settled or {}).items()],
            )
            write(connection)
