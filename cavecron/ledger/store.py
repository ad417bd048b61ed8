"""The ledger's tables: made on first use, of a known version and shape, or refused.

They lie in the application's own file, so that there is one file to back up, and one transaction for a
mail's row in `email_log` and its delivery. Nothing is written while nothing happens.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from cavecron.database.sqlite import Database, transaction
from cavecron.errors import CavecronError
from cavecron.ledger.group_commit import GroupCommit
from cavecron.ledger.process_id import process_token

_T = TypeVar("_T")

VERSION = 1

_COLUMNS: Mapping[str, str] = {
    # One row a job: what was looked for (expression and zone; '' while disabled), and until when.
    "cavecron_job": "name TEXT PRIMARY KEY, schedule TEXT NOT NULL, looked_until DATETIME NOT NULL",
    # One row a run, and one for each row of missed slots: `slots` of them, from `slot` to `last_slot`.
    # A run by hand has as `slot` the instant when it was asked for.
    "cavecron_run": (
        "id INTEGER PRIMARY KEY, job TEXT NOT NULL, slot DATETIME NOT NULL, last_slot DATETIME NOT NULL,"
        " slots INTEGER NOT NULL, trigger TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL,"
        " failures INTEGER NOT NULL, owner TEXT, lease_until DATETIME, retry_at DATETIME, started DATETIME,"
        " finished DATETIME, summary TEXT, reason TEXT, users TEXT"
    ),
    # One row a run and recipient; `repeats` counts how often its fate was unknown when it was sent again,
    # `mail` is its row in the application's log.
    "cavecron_delivery": (
        "run INTEGER NOT NULL, recipient TEXT NOT NULL, state TEXT NOT NULL, repeats INTEGER NOT NULL,"
        " error TEXT, mail INTEGER, at DATETIME NOT NULL, PRIMARY KEY (run, recipient)"
    ),
}
_INDICES = (
    # The guard: no slot runs twice.
    "CREATE UNIQUE INDEX cavecron_run_slot ON cavecron_run (job, slot)"
    " WHERE state <> 'missed' AND trigger <> 'manual'",
    "CREATE INDEX cavecron_run_job ON cavecron_run (job, slot)",
    "CREATE INDEX cavecron_run_running ON cavecron_run (job) WHERE state = 'running'",
)
_SHAPES: Mapping[str, str] = {
    table: ", ".join(part.split()[0] for part in columns.partition(", PRIMARY")[0].split(", "))
    for table, columns in _COLUMNS.items()
}


class LedgerError(CavecronError):
    """The ledger cannot be used before a person has changed something."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger in `database`, as one process writes it.

    `owner` names the process in its leases; a lease lasts `lease` and is renewed well before its end.
    """

    database: Database
    owner: str = field(default_factory=process_token)
    lease: timedelta = timedelta(seconds=60)
    _commits: GroupCommit = field(default_factory=GroupCommit, init=False, repr=False, compare=False)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in one short transaction that may write.

        Raises:
            LedgerError: the tables are of a later version, or somebody has changed them.
            CavecronError: the database cannot be written.

        """
        with self.write_lock(), self._transaction() as connection:
            yield connection

    def write_lock(self) -> AbstractContextManager[None]:
        """Return what lets one thread of this process write at a time."""
        return self._commits.write_lock()

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what `work` returns, done in a transaction that other threads of this process may share.

        `work` raises a CavecronError only before it writes.

        Raises:
            LedgerError: the tables are of a later version, or somebody has changed them.
            CavecronError: the database cannot be written, or what `work` raised.

        """
        return self._commits.submit(work, self._transaction)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self.database.session() as connection:
            _ensure(connection)
            with transaction(connection):
                yield connection

    @contextmanager
    def session(self) -> Iterator["LedgerSession"]:
        """Yield what writes over a connection that stays open: for a thread that is about to write often."""
        session = LedgerSession(self)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Yield a connection that sees one state of the ledger, None where there is no ledger yet."""
        with self.database.reading() as connection:
            yield connection if _exists(connection) else None


class LedgerSession:
    """A connection that stays open between transactions; one thread has it.

    Opening the file and looking at all tables takes longer than a transaction. Here that is done anew where
    the file is another one (a backup was restored), where the tables have changed, and after an error.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._connection: sqlite3.Connection | None = None
        #: Device and inode of the file, and the version of its tables that was looked at.
        self._file: tuple[int, int] | None = None
        self._seen: int | None = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in one short transaction that may write; raises what `Ledger.writing` does."""
        with self._ledger.write_lock(), self._ledger.database.translate_errors():
            try:
                connection = self._ready()
                with transaction(connection):
                    yield connection
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection; the next transaction opens another one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = self._seen = None

    def _ready(self) -> sqlite3.Connection:
        if self._connection is None or self._identity() != self._file:
            self.close()
            file = self._identity()
            self._connection = self._ledger.database.connect()
            self._file = file if file == self._identity() else None
        ((schema,),) = self._connection.execute("PRAGMA schema_version")
        if schema == self._seen:
            _check_version(self._connection)
        else:
            self._seen = None
            _ensure(self._connection)
            self._seen = schema
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._ledger.database.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _ensure(connection: sqlite3.Connection) -> None:
    if _exists(connection):
        return
    with transaction(connection):
        if _exists(connection):  # another process was faster
            return
        connection.execute("CREATE TABLE IF NOT EXISTS cavecron_ledger (version INTEGER NOT NULL)")
        connection.execute("DELETE FROM cavecron_ledger")
        connection.execute("INSERT INTO cavecron_ledger VALUES (?)", (VERSION,))
        for table, columns in _COLUMNS.items():
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        for index in _INDICES:
            connection.execute(index.replace("INDEX ", "INDEX IF NOT EXISTS ", 1))


def _exists(connection: sqlite3.Connection) -> bool:
    """Return whether all tables are there, and are ours."""
    found = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND name GLOB 'cavecron_*'"
        )
    }
    if "cavecron_ledger" in found:
        _check_version(connection)
    for table in _SHAPES:
        if table in found:
            _check_shape(connection, table)
    indices = {index.split(" ON ")[0].split()[-1] for index in _INDICES}
    return {"cavecron_ledger", *_SHAPES, *indices} <= found


def _check_version(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("SELECT max(version) FROM cavecron_ledger").fetchone()
    if isinstance(version, int) and version > VERSION:
        raise LedgerError(
            f"le registre de cette base a été écrit par un cavecron plus récent (version {version}, celui-ci"
            f" connaît la {VERSION}) : mettre cavecron à jour"
        )


def _check_shape(connection: sqlite3.Connection, table: str) -> None:
    try:
        connection.execute(f"SELECT {_SHAPES[table]} FROM {table} LIMIT 0")  # noqa: S608 - constants
    except sqlite3.OperationalError as error:
        if "no such column" not in str(error):
            raise
        raise LedgerError(
            f"la table {table} n'a pas la forme attendue ({error}) : quelqu'un l'a modifiée ; la supprimer"
            f" (DROP TABLE {table}), cavecron la refera vide"
        ) from error
