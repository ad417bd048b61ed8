"""Deleting old rows of the application's log tables, in short transactions.

It does not know when a cleanup is due. The application's web workers write all the time, and with a
rollback journal only one writer gets in: so each transaction of a cleanup is sized by its time, and
between two a waiting writer finds the file free.
"""

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from cavecron.config.settings import Retention
from cavecron.database.sqlite import Database, transaction
from cavecron.database.timestamps import utc_text

#: Seconds that a write transaction should take, its commit included.
TRANSACTION_BUDGET = 0.028
#: SQLite's busy handler tries again after so many seconds in all, and then every 0.1
#: (https://www.sqlite.org/src/file/src/main.c, sqliteDefaultBusyCallback).
RETRIES = (0.003, 0.008, 0.018, 0.033, 0.053, 0.078, 0.103, 0.128, 0.178, 0.228)
#: Seconds by which a pause is longer than the time between two tries: a sleep ends a little late.
PAUSE_MARGIN = 0.001
FIRST_ROWS, FEWEST_ROWS, MOST_ROWS = 200, 50, 10_000
#: How much larger or smaller than the last a batch may be: the same both ways, or noise would shrink it.
GROWTH = 1.5
#: Rows that one statement reads: a writer that commits meanwhile waits for its end.
SCAN_ROWS = 1_000
#: KiB of pages in memory: a transaction that spills into the file before its end keeps readers out too.
CACHE = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _OldRows:
    """The rows of one table whose `column` says an instant before `limit`.

    Rows without a readable instant are never old, so that they are never deleted.
    """

    table: str
    column: str
    limit: str

    @property
    def condition(self) -> str:
        """Return the SQL condition; it takes `limit` as its parameter."""
        # Names are constants of this module. Text before `limit` is not always an older instant
        # ('', '12/05/2024', numbers): SQLite has to read the same date and time that it shows. '+0 days'
        # makes it refuse the 30th of February; it rounds .9995 up, which the second half corrects.
        # No Python date has a year 0, and '0001' without the hyphen would be the number 1.
        column, shown = self.column, f"substr({self.column}, 1, 19)"
        return (
            f"{column} < :limit AND {column} >= '0001-' AND (datetime({column}, '+0 days') = {shown}"
            f" OR datetime({shown}, '+0 days') = {shown} AND substr({column}, 20) NOT GLOB '*[^.0-9]*')"
        )


def count_old(
    database: Database, retention: Retention, *, now: datetime, check: Callable[[], None]
) -> dict[str, int]:
    """Return how many rows of each table `prune` would delete at `now` (aware).

    `check` is called between two statements and may raise.
    """
    with database.session() as connection:
        return {
            old.table: BatchDeleter(connection, old, target_rows=sys.maxsize).find_batch(check)
            for old in _old_rows(retention, now)
        }


def prune(
    database: Database,
    retention: Retention,
    *,
    now: datetime,
    check: Callable[[], None],
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Delete the rows older than their retention at `now` (aware); return how many of each table.

    `check` is called between two transactions and may raise; what is deleted by then stays deleted.
    `monotonic` returns seconds, `sleep` waits for some.
    """
    counts = {}
    with database.session() as connection:
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        for old in _old_rows(retention, now):
            deleter = BatchDeleter(connection, old, monotonic=monotonic)
            counts[old.table] = 0
            while deleter.find_batch(check):
                counts[old.table] += deleter.delete_batch()
                resumed = monotonic() + pause_after(deleter.seconds)
                check()
                deleter.find_batch(check)  # a reader keeps no writer waiting for long
                sleep(max(0.0, resumed - monotonic()))
    return counts


def pause_after(seconds: float) -> float:
    """Return how long a pause has to be after a transaction that took so many seconds.

    A writer that found the file locked at any moment of the transaction then tries again within the pause.
    """
    return PAUSE_MARGIN + next((late - early for early, late in pairwise(RETRIES) if seconds <= late), 0.1)


def _old_rows(retention: Retention, now: datetime) -> tuple[_OldRows, ...]:
    kept = (
        ("email_log", "created_at", retention.email_log_days),
        ("activity_log", "created_at", retention.activity_log_days),
        ("api_token_usage", "timestamp", retention.api_usage_days),
    )
    return tuple(
        _OldRows(table=table, column=column, limit=_limit(now, days)) for table, column, days in kept
    )


def _limit(now: datetime, days: int) -> str:
    """Return the text that exactly the instants older than `days` sort before.

    Without the zeros at its end, '12:00:00' (an old row without a fraction) and '12:00:00.000000'
    are the same instant to a comparison of texts: neither sorts before '12:00:00'.
    """
    return utc_text(now - timedelta(days=days)).rstrip("0").rstrip(".")


@dataclass(slots=True)
class BatchDeleter:
    """A cursor on a table's primary key, and the batch of rows behind it that goes next.

    A batch has `target_rows` old rows at most; `seconds` is how long the last transaction took.
    """

    connection: sqlite3.Connection
    old: _OldRows
    monotonic: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    target_rows: int = field(default=FIRST_ROWS, kw_only=True)
    seconds: float = 0.0
    _start: int = -(2**63)
    _cursor: int = -(2**63)
    _found: int = 0
    _ended: bool = False
    _indexed: bool = field(init=False)

    def __post_init__(self) -> None:
        self._indexed = _is_indexed(self.connection, self.old)

    def find_batch(self, check: Callable[[], None]) -> int:
        """Read on until the batch is full; return how many old rows it has.

        `check` is called between two statements and may raise.
        """
        while self._found < self.target_rows and not self._ended:
            self._scan()
            check()
        return self._found

    def delete_batch(self) -> int:
        """Delete the batch in one transaction; return how many rows went."""
        with transaction(self.connection):
            started = self.monotonic()  # while it waits for the lock, others can write
            deleted = self.connection.execute(
                # NOT INDEXED: by the primary key, or each batch would read the old part of the other index.
                f"DELETE FROM {self.old.table} NOT INDEXED"  # noqa: S608 - constants
                f" WHERE id > :start AND id <= :cursor AND {self.old.condition}",
                {"start": self._start, "cursor": self._cursor, "limit": self.old.limit},
            ).rowcount
        self.seconds = self.monotonic() - started
        self._resize()
        self._start, self._found = self._cursor, 0
        return deleted

    def _scan(self) -> None:
        """Move the cursor on until the batch is full, the statement has read enough, or the table ends."""
        if self._indexed and not self._any_ahead():
            self._ended = True
            return
        seen = 0
        with closing(
            self.connection.execute(
                # CASE stops at the first part of a condition that is false.
                f"SELECT id, CASE WHEN {self.old.condition} THEN 1 ELSE 0 END FROM {self.old.table}"  # noqa: S608
                " WHERE id > :cursor ORDER BY id LIMIT :rows",
                {"cursor": self._cursor, "limit": self.old.limit, "rows": SCAN_ROWS},
            )
        ) as rows:
            for key, is_old in rows:
                seen += 1
                self._cursor = key
                self._found += is_old
                if self._found == self.target_rows:
                    return
        # Rows that come in meanwhile are young: the cursor gets to the end, however fast they come.
        self._ended = seen < SCAN_ROWS

    def _any_ahead(self) -> bool:
        """Return whether the index knows an old row ahead of the cursor: that spares reading young rows."""
        table, column = self.old.table, self.old.column
        ahead = self.connection.execute(
            # The plus sign keeps SQLite from reading the table itself.
            f"SELECT 1 FROM {table} WHERE {column} < ? AND {column} >= '0001-' AND +id > ? LIMIT 1",  # noqa: S608 - constants
            (self.old.limit, self._cursor),
        )
        return ahead.fetchone() is not None

    def _resize(self) -> None:
        """Have the next batch take TRANSACTION_BUDGET; a short one says nothing of the time of a full one."""
        factor = TRANSACTION_BUDGET / max(self.seconds, 1e-6)
        if self._found < self.target_rows:
            factor = min(factor, 1.0)
        rows = int(self.target_rows * min(GROWTH, max(1 / GROWTH, factor)))
        self.target_rows = min(MOST_ROWS, max(FEWEST_ROWS, rows))


def _is_indexed(connection: sqlite3.Connection, old: _OldRows) -> bool:
    """Return whether the table has an index that begins with the date."""
    found = connection.execute(
        "SELECT 1 FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS part"
        " WHERE part.seqno = 0 AND part.name = ? AND NOT list.partial",
        (old.table, old.column),
    )
    return found.fetchone() is not None
