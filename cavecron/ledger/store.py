"""Reading and writing the ledger: one transaction at a time, alone or together with other threads.

The ledger lies in the application's own file, so that there is one file to back up, and one transaction for a
mail's row in `email_log` and its delivery. It does not know the contents of rows.

A connection polls for SQLite's lock for up to half a minute, which is too short when a thousand runs end at
once. So the threads of one process wait in a queue here, and the thread that writes also makes the writes of
those that wait, in the same transaction (group commit).
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from cavecron.database.sqlite import Database, transaction
from cavecron.errors import CavecronError
from cavecron.lazy import lazy_module
from cavecron.ledger import tables
from cavecron.ledger.process_id import OwnerState, owner_state, process_token

if TYPE_CHECKING:
    import logging
else:
    logging = lazy_module("logging")  # only for rows that were edited

_T = TypeVar("_T")


class LedgerSession:
    """The writing connection of one process, used by the thread that holds the write lock.

    Opening the file and checking all tables takes longer than a transaction. While a session is held, that
    is repeated only if the file was replaced (a backup was restored), if the tables have changed, and after
    an error.
    """

    def __init__(self) -> None:
        self._holders = 0
        self._connection: sqlite3.Connection | None = None
        #: Device and inode of the file, and the version of its tables that was checked.
        self._file: tuple[int, int] | None = None
        self._schema: int | None = None

    def hold(self) -> None:
        """Keep the connection open between transactions, until `release` is called as often."""
        self._holders += 1

    def release(self) -> None:
        """Close the connection if this was the last holder."""
        self._holders -= 1
        if not self._holders:
            self.close()

    @contextmanager
    def transaction(self, database: Database) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction that may write."""
        try:
            connection = self._ready(database)
            with transaction(connection):
                yield connection
        except BaseException:
            self.close()
            raise
        if not self._holders:
            self.close()

    def close(self) -> None:
        """Close the connection; the next transaction opens a new one."""
        connection, self._connection = self._connection, None
        self._file = self._schema = None
        if connection is not None:
            connection.close()

    def _ready(self, database: Database) -> sqlite3.Connection:
        if not self._holders:  # for one transaction only
            self._connection = database.connect()
            self._connection.text_factory = lossy_text
            tables.ensure_tables(self._connection)
            return self._connection
        if self._connection is None or database.file_identity() != self._file:
            self.close()
            file = database.file_identity()
            self._connection = database.connect()
            self._connection.text_factory = lossy_text
            self._file = file if file == database.file_identity() else None
        ((schema,),) = self._connection.execute("PRAGMA schema_version")
        if schema == self._schema:
            tables.check_version(self._connection)
        else:
            self._schema = None
            tables.ensure_tables(self._connection)
            self._schema = schema
        return self._connection


class _PendingWrite(Generic[_T]):
    """The write of one thread, and its result."""

    def __init__(self, work: Callable[[sqlite3.Connection], _T]) -> None:
        self._work = work
        self._results: list[_T] = []
        self.error: BaseException | None = None

    def apply(self, connection: sqlite3.Connection) -> None:
        """Write, within the transaction of `connection`; called by the thread that holds the write lock."""
        try:
            self._results.append(self._work(connection))
        except CavecronError as error:  # raised before anything was written: the others are not affected
            self.error = error

    @property
    def is_done(self) -> bool:
        """Return whether another thread has written it; valid while the caller holds the write lock."""
        return bool(self._results) or self.error is not None

    def result(self) -> _T:
        """Return or raise the result, in the thread that asked for the write, after it is done."""
        if self.error is not None:
            raise self.error
        return self._results[0]


class GroupCommit:
    """Serialises the writes of a process's threads, and makes several of them in one transaction."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: deque[_PendingWrite[Any]] = deque()

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Hold the lock that lets one thread write."""
        with self._lock:
            yield

    def submit(
        self,
        work: Callable[[sqlite3.Connection], _T],
        begin: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> _T:
        """Return the result of `work`, once the transaction, which may be shared, is committed.

        `work` may raise a CavecronError only before it writes. Any other error rolls back the transaction of
        `begin`, and is raised in all threads that shared it.
        """
        write = _PendingWrite(work)
        self._pending.append(write)
        with self._lock:
            if not write.is_done:
                self._apply_all(begin)
        return write.result()

    def _apply_all(self, begin: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        writes = [self._pending.popleft() for _ in range(len(self._pending))]
        try:
            with begin() as connection:
                for write in writes:
                    write.apply(connection)
        except BaseException as error:
            for write in writes:
                write.error = error
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger in `database`, as used by one process.

    `owner` identifies the process in its leases; `lease` is their duration. `zone_of` returns a time zone by
    its IANA name, with the rules that the schedules follow. `state_of` returns the state of the process with
    a name.
    """

    database: Database
    owner: str = field(default_factory=process_token)
    lease: timedelta = timedelta(seconds=60)
    zone_of: Callable[[str], ZoneInfo] = ZoneInfo
    state_of: Callable[[str], OwnerState] = owner_state
    _commits: GroupCommit = field(default_factory=GroupCommit, init=False, repr=False, compare=False)
    _session: LedgerSession = field(default_factory=LedgerSession, init=False, repr=False, compare=False)
    #: Rows that could not be read, by table and id: each is logged once.
    _unreadable: set[tuple[str, object]] = field(default_factory=set, init=False, repr=False, compare=False)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in one short transaction that may write.

        Raises:
            LedgerError: the tables are of a later version, or were modified.
            CavecronError: the database cannot be written.

        """
        with self._commits.write_lock(), self._transaction() as connection:
            yield connection

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return the result of `work`, committed in a transaction that other threads may share.

        `work` may raise a CavecronError only before it writes.

        Raises:
            LedgerError: the tables are of a later version, or were modified.
            CavecronError: the database cannot be written, or `work` raised it.

        """
        return self._commits.submit(work, self._transaction)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep the connection open between transactions during the block, for a job that writes often."""
        with self._commits.write_lock():
            self._session.hold()
        try:
            yield
        finally:
            with self._commits.write_lock():
                self._session.release()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Yield a connection with a consistent view of the ledger, None if there is no ledger yet."""
        with self.database.reading() as connection:
            connection.text_factory = lossy_text
            yield connection if tables.exist(connection) else None

    def report_unreadable(self, table: str, row: object) -> None:
        """Log once that a row cannot be read and is skipped."""
        if (table, row) in self._unreadable:
            return
        self._unreadable.add((table, row))
        logging.getLogger("cavecron.ledger").warning(
            "%s, ligne %s illisible, ignorée : la corriger ou la supprimer", table, row
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self.database.translate_errors(), self._session.transaction(self.database) as connection:
            yield connection


def lossy_text(stored: bytes) -> str:
    """Return stored text; invalid UTF-8, which an edit can leave, is replaced and raises no error."""
    return stored.decode("utf-8", "replace")
