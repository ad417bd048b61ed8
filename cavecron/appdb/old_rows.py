"""Finding the old rows of the application's log tables; it deletes nothing.

Reading does not block writers, except at their commit: each statement is short.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cavecron.config.settings import Retention
from cavecron.database.timestamps import utc_text

#: Old rows in a chunk, and chunks that are found before some are taken.
CHUNK_ROWS, MOST_CHUNKS = 100, 100
#: Rows that one statement reads; a writer that wants to commit waits for its end.
_SCAN_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRows:
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


def old_rows(retention: Retention, now: datetime) -> tuple[OldRows, ...]:
    """Return for each log table which rows are older than their retention at `now` (aware)."""
    tables = (
        ("email_log", "created_at", retention.email_log_days),
        ("activity_log", "created_at", retention.activity_log_days),
        ("api_token_usage", "timestamp", retention.api_usage_days),
    )
    return tuple(
        OldRows(table=table, column=column, limit=_limit(now, days)) for table, column, days in tables
    )


def _limit(now: datetime, days: int) -> str:
    """Return a text before which exactly the stored instants older than `days` sort.

    It has no zeros at its end, because '12:00:00' (some rows have no fraction) would sort before
    '12:00:00.000000', though it is the same instant.
    """
    return utc_text(now - timedelta(days=days)).rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The rows with ids greater than `after`, up to `last`; `rows` is the number of old ones among them.

    `readable` says that all rows that sort before the limit are old. `last` is an old row, so that deleting
    the chunk reads no newer rows after it.
    """

    after: int
    last: int
    rows: int
    readable: bool


@dataclass(slots=True, kw_only=True)
class OldRowFinder:
    """Reads a table in order of its primary key; `chunks` has the old rows found and not yet taken."""

    connection: sqlite3.Connection
    old: OldRows
    chunks: deque[Chunk] = field(default_factory=deque)
    _cursor: int = -(2**63)
    _ended: bool = False
    #: Whether the last statement that read rows found no old one among them.
    _read_none: bool = True
    _indexed: bool = field(init=False)

    def __post_init__(self) -> None:
        self._indexed = _is_indexed(self.connection, self.old)

    def find(self, check: Callable[[], None]) -> bool:
        """Continue reading until there are enough old rows for a transaction; return whether there are any.

        `check` is called between two statements and may raise.
        """
        while len(self.chunks) < MOST_CHUNKS and not self._ended:
            self._scan()
            check()
        return bool(self.chunks)

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
            {"cursor": self._cursor, "limit": self.old.limit, "rows": _SCAN_ROWS},
        ).fetchall()
        chunks = list(_chunks(self._cursor, rows))
        self.chunks += chunks
        self._read_none = not chunks
        # Rows that are added meanwhile are new and come last, so that reading comes to an end.
        self._ended = len(rows) < _SCAN_ROWS
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


def _chunks(after: int, rows: Sequence[tuple[int, bool, bool | None]]) -> Iterator[Chunk]:
    """Yield chunks of the old rows among `rows`, which have ids greater than `after`.

    A row has its id, whether it is old, and whether its date sorts before the limit.
    """
    old = [key for key, is_old, _ in rows if is_old]
    readable = not any(sorts_before and not is_old for _, is_old, sorts_before in rows)
    for begin in range(0, len(old), CHUNK_ROWS):
        keys = old[begin : begin + CHUNK_ROWS]
        yield Chunk(after=after, last=keys[-1], rows=len(keys), readable=readable)
        after = keys[-1]


def _is_indexed(connection: sqlite3.Connection, old: OldRows) -> bool:
    """Return whether the table has an index that begins with the date."""
    parts = connection.execute(
        "SELECT 1 FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS part"
        " WHERE part.seqno = 0 AND part.name = ? AND NOT list.partial",
        (old.table, old.column),
    )
    return parts.fetchone() is not None
