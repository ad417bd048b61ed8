"""Deleting old rows of the application's log tables, in short transactions.

The application's web workers write all the time, and with a rollback journal only one connection can write
at a time. Each transaction therefore has a time budget, and pauses between them let waiting writers in. It
does not know when a cleanup is due.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from cavecron.config.settings import Retention
from cavecron.database.sqlite import Database, transaction
from cavecron.database.timestamps import utc_text

#: Seconds that a write transaction should take, its commit included.
TRANSACTION_BUDGET = 0.030
#: Seconds after the first try at which SQLite's busy handler tries again; then it tries every 0.1 s
#: (https://www.sqlite.org/src/file/src/main.c, sqliteDefaultBusyCallback).
RETRIES = (0.003, 0.008, 0.018, 0.033, 0.053, 0.078, 0.103, 0.128, 0.178, 0.228)
#: Seconds by which a pause is longer than the time between two tries, because the writer's sleep ends late.
PAUSE_MARGIN = 0.001
#: Old rows that one statement deletes, and the most such statements in a transaction.
CHUNK_ROWS, MOST_CHUNKS = 100, 100
#: Rows that one statement reads; a writer that wants to commit waits for its end.
SCAN_ROWS = 1_000
#: KiB of the page cache; a transaction that exceeds it writes to the file early, which blocks readers.
CACHE = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _OldRows:
    """The rows of one table whose `column` is an instant before `limit`.

    Rows whose instant cannot be read do not count as old, so that they are never deleted.
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
        return {old.table: _count(BatchDeleter(connection, old), check) for old in _old_rows(retention, now)}


def _count(deleter: "BatchDeleter", check: Callable[[], None]) -> int:
    rows = 0
    while deleter.find_batch(check):
        rows += deleter.skip_batch()
    return rows


def prune(
    database: Database,
    retention: Retention,
    *,
    now: datetime,
    check: Callable[[], None],
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Delete the rows older than their retention at `now` (aware); return the number of rows by table.

    `check` is called between two transactions and may raise; rows deleted until then stay deleted.
    `monotonic` returns seconds, `sleep` takes seconds.
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
                deleter.find_batch(check)  # during the pause, because reading hardly delays writers
                sleep(max(0.0, resumed - monotonic()))
    return counts


def pause_after(seconds: float) -> float:
    """Return the seconds of pause after a transaction that took `seconds`.

    They are so many that a writer that found the file locked during the transaction tries again in the pause.
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
    """Return a text before which exactly the stored instants older than `days` sort.

    It has no zeros at its end, because '12:00:00' (some rows have no fraction) would sort before
    '12:00:00.000000', though it is the same instant.
    """
    return utc_text(now - timedelta(days=days)).rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """The rows with ids greater than `after`, up to `last`; so many `rows` of them are old.

    `readable` says that all rows that sort before the limit are old. `last` is an old row, so that deleting
    the chunk reads no newer rows after it.
    """

    after: int
    last: int
    rows: int
    readable: bool


@dataclass(slots=True)
class BatchDeleter:
    """Reads a table in order of its primary key, and deletes the old rows that it has found.

    `seconds` is how long the last transaction took.
    """

    connection: sqlite3.Connection
    old: _OldRows
    monotonic: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    seconds: float = 0.0
    _commit_seconds: float = 0.0
    _chunks: deque[_Chunk] = field(default_factory=deque)
    _cursor: int = -(2**63)
    _ended: bool = False
    _read_none: bool = True
    _indexed: bool = field(init=False)

    def __post_init__(self) -> None:
        self._indexed = _is_indexed(self.connection, self.old)

    def find_batch(self, check: Callable[[], None]) -> bool:
        """Continue reading until there are enough old rows for a transaction; return whether there are any.

        `check` is called between two statements and may raise.
        """
        while len(self._chunks) < MOST_CHUNKS and not self._ended:
            self._scan()
            check()
        return bool(self._chunks)

    def skip_batch(self) -> int:
        """Forget the old rows that were found without deleting them; return their number."""
        rows = sum(chunk.rows for chunk in self._chunks)
        self._chunks.clear()
        return rows

    def delete_batch(self) -> int:
        """Delete as many chunks in one transaction as its budget allows; return the number of rows."""
        deleted = 0
        with transaction(self.connection):
            started = self.monotonic()  # without the time of waiting for the lock
            elapsed = 0.0
            while self._chunks and elapsed + self._commit_seconds < TRANSACTION_BUDGET:
                deleted += self._delete(self._chunks.popleft())
                elapsed = self.monotonic() - started
        self.seconds = self.monotonic() - started
        self._commit_seconds = min(self.seconds - elapsed, TRANSACTION_BUDGET / 2)
        return deleted

    def _delete(self, chunk: _Chunk) -> int:
        # If all dates can be read, the short condition saves a fifth of the transaction's time.
        condition = f"{self.old.column} < :limit" if chunk.readable else self.old.condition
        return self.connection.execute(
            # NOT INDEXED: with an index on the date, each chunk would read all its old entries.
            f"DELETE FROM {self.old.table} NOT INDEXED"  # noqa: S608 - constants
            f" WHERE id > :after AND id <= :last AND {condition}",
            {"after": chunk.after, "last": chunk.last, "limit": self.old.limit},
        ).rowcount

    def _scan(self) -> None:
        """Read the next rows with one statement, and add their old rows to the chunks."""
        # After old rows more of them are likely; asking then would read the index up to them each time.
        if self._indexed and self._read_none and not self._any_ahead():
            self._ended = True
            return
        rows = self.connection.execute(
            # CASE evaluates a condition only up to its first false part.
            f"SELECT id, CASE WHEN {self.old.condition} THEN 1 ELSE 0 END, {self.old.column} < :limit"  # noqa: S608
            f" FROM {self.old.table} WHERE id > :cursor ORDER BY id LIMIT :rows",
            {"cursor": self._cursor, "limit": self.old.limit, "rows": SCAN_ROWS},
        ).fetchall()
        chunks = list(_chunks(self._cursor, rows))
        self._chunks += chunks
        self._read_none = not chunks
        # Rows that are added meanwhile are new and come last, so that reading comes to an end.
        self._ended = len(rows) < SCAN_ROWS
        if rows:
            self._cursor = rows[-1][0]

    def _any_ahead(self) -> bool:
        """Return whether the index on the date has an old row after the cursor; else reading can end."""
        table, column = self.old.table, self.old.column
        ahead = self.connection.execute(
            # The plus sign keeps SQLite from reading the table itself.
            f"SELECT 1 FROM {table} WHERE {column} < ? AND {column} >= '0001-' AND +id > ? LIMIT 1",  # noqa: S608 - constants
            (self.old.limit, self._cursor),
        )
        return ahead.fetchone() is not None


def _chunks(after: int, rows: Sequence[tuple[int, bool, bool | None]]) -> Iterator[_Chunk]:
    """Yield chunks of the old rows among `rows`, which have ids greater than `after`.

    A row has its id, whether it is old, and whether its date sorts before the limit.
    """
    old = [key for key, is_old, _ in rows if is_old]
    readable = not any(sorts_before and not is_old for _, is_old, sorts_before in rows)
    for begin in range(0, len(old), CHUNK_ROWS):
        keys = old[begin : begin + CHUNK_ROWS]
        yield _Chunk(after=after, last=keys[-1], rows=len(keys), readable=readable)
        after = keys[-1]


def _is_indexed(connection: sqlite3.Connection, old: _OldRows) -> bool:
    """Return whether the table has an index that begins with the date."""
    parts = connection.execute(
        "SELECT 1 FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS part"
        " WHERE part.seqno = 0 AND part.name = ? AND NOT list.partial",
        (old.table, old.column),
    )
    return parts.fetchone() is not None
