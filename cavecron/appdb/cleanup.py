"""The application's log tables: rows of sent mails in, old rows out in small bites.

It knows neither what a mail says nor when a cleanup is due. The application's web workers write all
the time, and with a rollback journal only one writer gets in: so each transaction of a cleanup is
sized by its time, and between two a waiting writer gets its turn.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cavecron.config.settings import Retention
from cavecron.database.sqlite import Database, transaction
from cavecron.database.timestamps import utc_text

#: Seconds that one write transaction may take, its commit included. SQLite's busy handler looks again
#: after 1, 2, 5, 10, 15, 20, 25, 25 ms, so at 53, 78 and 103 ms: whoever comes during a bite of less than
#: 78 ms looks at least once, at 78 ms at the latest, in the turn that follows it.
_BITE = 0.060
#: Seconds between two bites: a little more than the longest of those pauses.
_TURN = 0.026
#: Seconds for one statement: of a bite, which ends after one of them, and of the look at the rows before.
_STEP, _LOOK = 0.006, 0.0015
_FEWEST_ROWS, _FIRST_ROWS, _MOST_ROWS = 100, 2_000, 10_000
#: KiB of pages in memory: a bite must not spill into the file before its end, which keeps readers out too.
_CACHE = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _OldRows:
    """The rows of one table whose `column` says an instant before `limit`.

    Rows without a readable instant are nobody's to delete: they are never old.
    """

    table: str
    column: str
    limit: str

    @property
    def condition(self) -> str:
        """Return the SQL condition; it takes `limit` as its parameter."""
        # Names are constants of this module. Text before `limit` is not always an older instant
        # ('', '12/05/2024', numbers): SQLite has to read the same date and time that it shows. '+0 days'
        # makes it see through the 30th of February; it rounds .9995 up, which the second half mends.
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

    `check` is called between two looks at a table and may raise.
    """
    counts = {}
    with database.session() as connection:
        for old in _old_rows(retention, now):
            walk = _Walk(connection, old, time.monotonic)
            counts[old.table] = 0
            while stretch := walk.look():
                counts[old.table] += stretch.old
                check()
    return counts


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
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        for old in _old_rows(retention, now):
            walk = _Walk(connection, old, monotonic)
            counts[old.table] = 0
            while walk.scout(check):
                counts[old.table] += walk.bite()
                check()
                resumed = monotonic() + _TURN
                walk.scout(check)  # reading keeps no writer waiting that counts, so it is done meanwhile
                sleep(max(0.0, resumed - monotonic()))
    return counts


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


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Rows that follow each other, from behind the id `after` to `last`.

    So many of them are `old`; if `pure`, no others bear a date before the limit.
    """

    after: int
    last: int
    old: int
    pure: bool


class _Walk:
    """The way along a table's primary key: what is seen of it, and what is eaten."""

    def __init__(self, connection: sqlite3.Connection, old: _OldRows, monotonic: Callable[[], float]) -> None:
        self._connection = connection
        self._old = old
        self._monotonic = monotonic
        self._indexed = _is_indexed(connection, old)
        self._seen = -(2**63)
        self._ended = False
        self._ahead: deque[_Stretch] = deque()
        self._rows = _FEWEST_ROWS
        self._appetite = _FIRST_ROWS
        self._commit = 0.0

    def scout(self, check: Callable[[], None]) -> bool:
        """Look for as many old rows as the next bite may eat; return whether there are any.

        `check` is called between two looks and may raise.
        """
        while sum(stretch.old for stretch in self._ahead) <= self._appetite:
            stretch = self.look()
            if stretch is None:
                break
            if stretch.old:
                self._ahead.append(stretch)
            elif self._ahead:
                break
            check()
        return bool(self._ahead)

    def look(self) -> _Stretch | None:
        """Return what the next rows are; None where there is nothing left to look for."""
        if self._ended or (self._indexed and not self._anything_left()):
            return None
        started, after = self._monotonic(), self._seen
        table, column, condition = self._old.table, self._old.column, self._old.condition
        found = self._connection.execute(
            # CASE, for it leaves off at the first part of a condition that says no.
            "SELECT max(id), count(*), count(early), count(old) FROM"  # noqa: S608 - constants
            f" (SELECT id, CASE WHEN {column} < :limit THEN 1 END AS early,"
            f" CASE WHEN {condition} THEN 1 END AS old FROM {table}"
            " WHERE id > :after ORDER BY id LIMIT :rows)",
            {"limit": self._old.limit, "after": after, "rows": self._rows},
        )
        last, rows, early, old = found.fetchone()
        # The rows that come in meanwhile are young: the walk has an end, however fast they come.
        self._ended = rows < self._rows
        if not rows:
            return None
        if not old:
            self._resize(self._monotonic() - started, _LOOK)
        self._seen = last
        return _Stretch(after, last, old, pure=early == old)

    def bite(self) -> int:
        """Delete in one transaction what time allows of what was scouted; return how many rows."""
        deleted = 0
        with transaction(self._connection):
            now = started = self._monotonic()  # waiting for the lock keeps nobody else waiting
            while self._ahead and (not deleted or now - started + _STEP + self._commit <= _BITE):
                deleted += self._delete(self._ahead.popleft())
                earlier, now = now, self._monotonic()
                self._resize(now - earlier, _STEP)
        self._appetite = deleted if self._ahead else 2 * deleted
        # What a commit will cost: as much as the last ones, unless that was the waiting for a reader.
        self._commit = min(_BITE / 2, max(self._monotonic() - now, self._commit * 0.8))
        return deleted

    def _resize(self, seconds: float, wanted: float) -> None:
        """Have the next stretch take about the wanted seconds."""
        factor = min(2.0, max(0.5, wanted / max(seconds, 1e-6)))
        self._rows = int(min(_MOST_ROWS, max(_FEWEST_ROWS, self._rows * factor)))

    def _anything_left(self) -> bool:
        """Return whether the index knows an old row: that spares reading the young part of a table."""
        table, column = self._old.table, self._old.column
        left = f"SELECT 1 FROM {table} WHERE {column} < ? AND {column} >= '0001-' LIMIT 1"  # noqa: S608
        return self._connection.execute(left, (self._old.limit,)).fetchone() is not None

    def _delete(self, stretch: _Stretch) -> int:
        """Delete the old rows of a stretch; return how many."""
        # Most stretches are pure: there one comparison tells, and makes sure that no newer row is there now.
        condition = f"{self._old.column} < :limit" if stretch.pure else self._old.condition
        gone = self._connection.execute(
            # NOT INDEXED: by the primary key, or each step would read the whole old part of the other index.
            f"DELETE FROM {self._old.table} NOT INDEXED"  # noqa: S608
            f" WHERE id > :after AND id <= :last AND {condition}",
            {"after": stretch.after, "last": stretch.last, "limit": self._old.limit},
        )
        return gone.rowcount


def _is_indexed(connection: sqlite3.Connection, old: _OldRows) -> bool:
    """Return whether the table has an index that begins with the date."""
    found = connection.execute(
        "SELECT 1 FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS part"
        " WHERE part.seqno = 0 AND part.name = ? AND NOT list.partial",
        (old.table, old.column),
    )
    return found.fetchone() is not None
