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


class _Wish(Generic[_T]):
    """What one thread wants to have written, and what became of it."""

    def __init__(self, work: Callable[[sqlite3.Connection], _T]) -> None:
        self._work = work
        self._results: list[_T] = []
        self.error: BaseException | None = None

    def grant(self, connection: sqlite3.Connection) -> None:
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


class Turn:
    """The right of one thread of this process to write."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wishes: deque[_Wish[Any]] = deque()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the turn for a transaction of one's own."""
        with self._lock:
            yield

    def share(
        self,
        work: Callable[[sqlite3.Connection], _T],
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> _T:
        """Return what `work` returns, done in a transaction that may be shared and is over by then.

        `work` raises a CavecronError only before it writes. Any other error undoes the whole transaction, and
        everybody who shared it gets it.
        """
        wish = _Wish(work)
        self._wishes.append(wish)
        with self._lock:
            if not wish.settled:
                self._grant_all(transaction)
        return wish.result()

    def _grant_all(self, transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        wishes = [self._wishes.popleft() for _ in range(len(self._wishes))]
        try:
            with transaction() as connection:
                for wish in wishes:
                    wish.grant(connection)
        except BaseException as error:
            for wish in wishes:
                wish.error = error
            raise
