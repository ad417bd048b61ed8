"""Copying a SQLite file while others write to it, and checking a copy.

SQLite's online backup API (https://www.sqlite.org/backup.html) holds a shared lock during each step. With a
rollback journal nobody can commit meanwhile, so steps are short. If another process commits between two
steps, SQLite begins again: the file has to stay unchanged during one pass. This module does not know how
copies are named and where they are.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cavecron.database.sqlite import Database, is_locked
from cavecron.errors import CavecronError, TemporaryError
from cavecron.french import duration
from cavecron.text import plain

#: Seconds that a step may take. SQLite's busy handler tries again after 1, 2, 5, 10, 15 and 20 ms, so that a
#: writer gets the lock 33 ms after its first try at the latest.
STEP_SECONDS = 0.025
#: Bytes that a step copies of a large file, and the fewest of any step. Both are small, so that on a busy
#: machine the process is seldom interrupted while it holds the lock.
_FIRST_STEP, _LEAST_STEP = 1 << 18, 1 << 15
#: Bytes after which the copy is flushed between two steps, because the application's fsync has to wait for
#: all data in the disk's queue.
_FLUSH_AFTER = 4 << 20
#: Seconds between two tries to get the shared lock.
_LOCK_PAUSE = 0.002
#: Seconds of pause after a pass that had to begin again: doubled each time, up to the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: Codes of a step: https://www.sqlite.org/rescode.html.
_BUSY, _LOCKED = 5, 6
#: Errors of the file that is written; all others concern the one that is read.
_TARGET_CODES = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE")


class ChangingError(TemporaryError):
    """The file changed during each pass; `restarts` is how often the copy began again."""

    def __init__(self, message: str, restarts: int) -> None:
        self.restarts = restarts
        super().__init__(message)


class DamagedCopyError(CavecronError):
    """A copy is not a sound database."""


class _NewPassError(Exception):
    """The pass is abandoned, because the file has changed or a step took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStats:
    """How a copy went: `restarts` because of writers, and the longest step in seconds."""

    restarts: int
    longest_step: float


@dataclass(slots=True, kw_only=True)
class OnlineCopy:
    """The copy of `source` into `target`, an empty file that nobody else opens.

    `check` is called between two steps and may raise. `patience` is the seconds after which a file that
    changes all the time is given up.
    """

    source: Database
    target: Path
    check: Callable[[], None]
    patience: float = 600.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _pages: int = 0
    _restarts: int = 0
    _longest: float = 0.0
    _step_began: float = 0.0
    _remaining: int | None = None
    _blocked_since: float | None = None
    _unflushed: int = 0
    _page_size: int = 4096
    _descriptor: int = field(default=-1)

    def run(self) -> CopyStats:
        """Copy one consistent state of the source.

        Raises:
            ChangingError: the source changed during each pass.
            TemporaryError: the source stayed locked, or the disk is full.
            CavecronError: a file cannot be read or written, or what `check` raised.

        """
        # Closed only after SQLite has closed the file, because closing any descriptor ends SQLite's locks.
        self._descriptor = os.open(self.target, os.O_RDWR)
        try:
            with self._translate_errors(), self._opened_source() as source:
                self._copy(source)
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
        return CopyStats(restarts=self._restarts, longest_step=self._longest)

    @contextmanager
    def _opened_source(self) -> Iterator[sqlite3.Connection]:
        # SQLite does not wait for locks itself, because that would be no safe point, and not a step's time.
        with closing(replace(self.source, busy_timeout=0.0).connect()) as connection:
            ((self._page_size,),) = self._when_free(connection, "PRAGMA page_size")
            ((mode,),) = self._when_free(connection, "PRAGMA journal_mode")
            if mode == "wal":  # a reader does not block writers: the whole copy is one read transaction
                connection.execute("BEGIN")
                self._when_free(connection, "SELECT count(*) FROM sqlite_master")
            yield connection

    @contextmanager
    def _empty_target(self) -> Iterator[sqlite3.Connection]:
        os.ftruncate(self._descriptor, 0)
        with closing(
            sqlite3.connect(self.target, isolation_level=None, check_same_thread=False)
        ) as connection:
            # An incomplete copy is deleted, and a complete one is flushed by `run`.
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            yield connection

    def _when_free(self, connection: sqlite3.Connection, query: str) -> list[tuple[Any]]:
        """Return the rows of a query, as soon as no writer holds the lock."""
        while True:
            try:
                rows = connection.execute(query).fetchall()
            except sqlite3.OperationalError as error:
                if not is_locked(error):
                    raise
                self._wait_for_lock()
                self.sleep(_LOCK_PAUSE)
            else:
                self._blocked_since = None
                return rows

    def _copy(self, source: sqlite3.Connection) -> None:
        self._pages = max(1, _FIRST_STEP // self._page_size)
        end = self.monotonic() + self.patience
        pause = _FIRST_PAUSE
        while True:
            self._remaining, self._step_began = None, self.monotonic()
            restarts = self._restarts
            try:
                with self._empty_target() as target:
                    source.backup(target, pages=self._pages, progress=self._after_step, sleep=_LOCK_PAUSE)
            except _NewPassError:
                pass
            else:
                return
            if self._restarts == restarts:
                continue
            if self.monotonic() >= end:
                raise self._changing()
            self._pause(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    def _after_step(self, status: int, remaining: int, total: int) -> None:
        """Check the result of a step; SQLite does the next one when this returns."""
        now = self.monotonic()
        if status in (_BUSY, _LOCKED):
            self._wait_for_lock()
            self._step_began = self.monotonic()
            return
        self._blocked_since = None
        seconds = now - self._step_began
        self._longest = max(self._longest, seconds)
        self.check()
        restarted = self._remaining is not None and remaining >= self._remaining > 0
        self._remaining = remaining
        copied = min(self._pages, total)
        if restarted:
            self._restarts += 1
            self._resize(copied, seconds, total)
            raise _NewPassError
        if remaining and seconds > 2 * STEP_SECONDS and self._pages > self._least_pages:
            self._resize(copied, seconds, total)
            raise _NewPassError
        self._flush(copied)
        self._step_began = self.monotonic()

    @property
    def _least_pages(self) -> int:
        return max(1, _LEAST_STEP // self._page_size)

    def _resize(self, copied: int, seconds: float, total: int) -> None:
        """Set the size of steps so that they take STEP_SECONDS at most; a small file is copied in one step.

        Large steps make the copy of a large file no faster, and on a busy machine they last far longer.
        """
        fitting = int(copied * STEP_SECONDS / max(seconds, 1e-6))
        first = max(1, _FIRST_STEP // self._page_size)
        self._pages = total if total <= fitting else max(self._least_pages, min(first, fitting))

    def _flush(self, pages: int) -> None:
        self._unflushed += pages * self._page_size
        if self._unflushed >= _FLUSH_AFTER:
            os.fsync(self._descriptor)
            self._unflushed = 0

    def _pause(self, seconds: float) -> None:
        """Wait, with a call of `check` four times a second."""
        end = self.monotonic() + seconds
        while (remaining := end - self.monotonic()) > 0:
            self.check()
            self.sleep(min(remaining, 0.25))

    def _wait_for_lock(self) -> None:
        """Raise TemporaryError if the file has been locked for longer than the busy timeout."""
        self.check()
        now = self.monotonic()
        if self._blocked_since is None:
            self._blocked_since = now
        elif now - self._blocked_since > self.source.busy_timeout:
            raise self.source.locked_error()

    def _changing(self) -> ChangingError:
        span = duration(timedelta(seconds=self.patience))
        return ChangingError(
            f"{self.source.path} change sans cesse : la copie a recommencé {self._restarts} fois en {span}"
            " sans arriver au bout",
            self._restarts,
        )

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise SQLite's errors as errors that a person can act on, about the file that they concern."""
        try:
            yield
        except sqlite3.Error as error:
            of_target = getattr(error, "sqlite_errorname", "").startswith(_TARGET_CODES)
            database = Database(self.target) if of_target else self.source
            raise database.as_cavecron_error(error) from error


def require_sound(path: Path, check: Callable[[], None]) -> None:
    """Raise an error unless a file that nobody writes is a sound database; no file is created beside it.

    `check` is called repeatedly and may raise.

    Raises:
        DamagedCopyError: it is not a database, or damaged.
        CavecronError: what `check` raised, or the file cannot be read.

    """
    raised: list[BaseException] = []

    def is_interrupted() -> int:
        try:
            check()
        except CavecronError as error:
            raised.append(error)
        return len(raised)

    try:
        with closing(connect_frozen(path)) as connection:
            connection.set_progress_handler(is_interrupted, 10_000)
            problems = [text for (text,) in connection.execute("PRAGMA integrity_check(3)")]
    except sqlite3.DatabaseError as error:
        if raised:
            raise raised[0] from None
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_NOTADB"):
            raise DamagedCopyError(f"{path} n'est pas une base SQLite") from error
        problems = [str(error)]
    if problems != ["ok"]:
        raise DamagedCopyError(f"{path} est abîmée : {plain(' ; '.join(problems))}")


def connect_frozen(path: Path) -> sqlite3.Connection:
    """Return a connection to read a file that nobody writes, without locks and without files beside it."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection
