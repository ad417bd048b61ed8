"""Turns: the threads of one process write the ledger one after the other, not each against all others.

SQLite lets those who wait look again and again, for up to half a minute; where a thousand runs end at once
that is not enough. Here whoever has the turn also does what others have asked for meanwhile, in the same
transaction: their commits become a few. It knows neither tables nor what is written.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any, Generic, TypeVar

from cavecron.errors import CavecronError

_T = TypeVar("_T")


class _PendingWrite(Generic[_T]):
    """What one thread wants to have written, and what became of it."""

    def __init__(self, work: Callable[[sqlite3.Connection], _T]) -> None:
        self._work = work
        self._results: list[_T] = []
        self.error: BaseException | None = None

    def apply(self, connection: sqlite3.Connection) -> None:
        try:
            self._results.append(self._work(connection))
        except CavecronError as error:  # refused before anything was written: no affair of the others
            self.error = error

    @property
    def settled(self) -> bool:
        return bool(self._results) or self.error is not None

    def result(self) -> _T:
        if self.error is not None:
            raise self.error
        return self._results[0]


class GroupCommit:
    """The right of one thread of this process to write."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: deque[_PendingWrite[Any]] = deque()

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Have the turn for a transaction of one's own."""
        with self._lock:
            yield

    def submit(
        self,
        work: Callable[[sqlite3.Connection], _T],
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> _T:
        """Return what `work` returns, done in a transaction that may be shared and is over by then.

        `work` raises a CavecronError only before it writes. Any other error undoes the whole transaction, and
        everybody who shared it gets it.
        """
        write = _PendingWrite(work)
        self._pending.append(write)
        with self._lock:
            if not write.settled:
                self._apply_all(transaction)
        return write.result()

    def _apply_all(self, transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        pending = [self._pending.popleft() for _ in range(len(self._pending))]
        try:
            with transaction() as connection:
                for write in pending:
                    write.apply(connection)
        except BaseException as error:
            for write in pending:
                write.error = error
            raise
