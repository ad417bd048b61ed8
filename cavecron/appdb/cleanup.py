"""Deleting old rows of the application's log tables, in short transactions.

The application's web workers write all the time, and with a rollback journal only one connection can write
at a time. Each transaction therefore has a time budget, and pauses between them let waiting writers in. It
does not know when a cleanup is due.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cavecron.appdb.old_rows import Chunk, OldRowFinder, old_rows
from cavecron.config.settings import Retention
from cavecron.database.sqlite import Database, transaction

#: Seconds that a write transaction should take, its commit included.
TRANSACTION_BUDGET = 0.030
#: Seconds after the first try at which SQLite's busy handler tries again; then it tries every 0.1 s
#: (https://www.sqlite.org/src/file/src/main.c, sqliteDefaultBusyCallback).
RETRIES = (0.003, 0.008, 0.018, 0.033, 0.053, 0.078, 0.103, 0.128, 0.178, 0.228)
#: Seconds by which a pause is longer than the time between two tries, because the writer's sleep ends late.
PAUSE_MARGIN = 0.001
#: KiB of the page cache; a transaction that exceeds it writes to the file early, which blocks readers.
CACHE = 8_000


def count_old(
    database: Database, retention: Retention, *, now: datetime, check: Callable[[], None]
) -> dict[str, int]:
    """Return how many rows of each table `prune` would delete at `now` (aware).

    `check` is called between two statements and may raise.
    """
    with database.session() as connection:
        finders = [OldRowFinder(connection=connection, old=old) for old in old_rows(retention, now)]
        return {finder.old.table: _count(finder, check) for finder in finders}


def _count(finder: OldRowFinder, check: Callable[[], None]) -> int:
    rows = 0
    while finder.find(check):
        rows += sum(chunk.rows for chunk in finder.chunks)
        finder.chunks.clear()
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
        for old in old_rows(retention, now):
            finder = OldRowFinder(connection=connection, old=old)
            deleter = BatchDeleter(finder=finder, monotonic=monotonic)
            counts[old.table] = 0
            while finder.find(check):
                counts[old.table] += deleter.delete_batch()
                resumed = monotonic() + pause_after(deleter.seconds)
                check()
                finder.find(check)  # during the pause, because reading hardly delays writers
                sleep(max(0.0, resumed - monotonic()))
    return counts


def pause_after(seconds: float) -> float:
    """Return the seconds of pause after a transaction that took `seconds`.

    The pause is so long that a writer that found the file locked during the transaction tries again in it.
    """
    return PAUSE_MARGIN + next((late - early for early, late in pairwise(RETRIES) if seconds <= late), 0.1)


@dataclass(slots=True, kw_only=True)
class BatchDeleter:
    """Deletes the old rows that `finder` has found; `seconds` is how long the last transaction took."""

    finder: OldRowFinder
    monotonic: Callable[[], float]
    seconds: float = 0.0
    _commit_seconds: float = 0.0

    def delete_batch(self) -> int:
        """Delete as many chunks in one transaction as its budget allows; return the number of rows."""
        deleted, chunks = 0, self.finder.chunks
        with transaction(self.finder.connection):
            started = self.monotonic()  # without the time of waiting for the lock
            elapsed = 0.0
            while chunks and elapsed + self._commit_seconds < TRANSACTION_BUDGET:
                deleted += self._delete(chunks.popleft())
                elapsed = self.monotonic() - started
        self.seconds = self.monotonic() - started
        self._commit_seconds = min(self.seconds - elapsed, TRANSACTION_BUDGET / 2)
        return deleted

    def _delete(self, chunk: Chunk) -> int:
        old = self.finder.old
        # If all dates can be read, the short condition saves a fifth of the transaction's time.
        condition = f"{old.column} < :limit" if chunk.readable else old.condition
        return self.finder.connection.execute(
            # NOT INDEXED: with an index on the date, each chunk would read all its old entries.
            f"DELETE FROM {old.table} NOT INDEXED"  # noqa: S608 - constants
            f" WHERE id > :after AND id <= :last AND {condition}",
            {"after": chunk.after, "last": chunk.last, "limit": old.limit},
        ).rowcount
