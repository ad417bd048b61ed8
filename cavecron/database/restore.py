"""Replacing the content of a SQLite file that other processes have open, in one transaction.

SQLite's backup API writes into the file. Processes that have it open see the new content, because it stays
the same file, and a process that is killed leaves a journal from which SQLite restores the old content. It
knows no table.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from cavecron.atomic_file import flush_folder
from cavecron.database.backup import connect_frozen
from cavecron.database.sqlite import Database, is_locked
from cavecron.errors import CavecronError, TemporaryError, reason

Condition = Literal["missing", "readable", "damaged"]

#: Pages that one step writes.
_STEP_PAGES = 1_000
_DAMAGED_CODES = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
#: Files that SQLite may have left beside a database that is gone, and would use for the new one.
_SIDE_FILES = ("-journal", "-wal", "-shm")


def condition(database: Database) -> Condition:
    """Return whether the file is missing, can be read as a database, or is damaged.

    Raises:
        CavecronError: it exists, and cannot be read for another reason.

    """
    if not os.path.lexists(database.path):
        return "missing"
    try:
        with closing(database.connect()) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return "damaged"
        raise database.as_cavecron_error(error) from error
    return "readable"


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the error says that a file is not a database, or a damaged one."""
    return getattr(error, "sqlite_errorname", "").startswith(_DAMAGED_CODES)


def copy_frozen(source: Path, target: Path) -> None:
    """Copy a database that nobody writes into a file that nobody else opens.

    Raises:
        sqlite3.Error: the source is not a database, or the disk is full.

    """
    with closing(connect_frozen(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)


@contextmanager
def exclusive_connection(database: Database) -> Iterator[sqlite3.Connection]:
    """Yield a connection that keeps an exclusive lock, also between its transactions.

    Raises:
        TemporaryError: the file stayed locked by others.
        sqlite3.DatabaseError: it is damaged.

    """
    with closing(database.connect()) as connection:
        # The backup API begins outside of a transaction, where only this mode keeps the lock.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if not is_locked(error):
                raise
            raise TemporaryError(
                f"{database.locked_error()} ; arrêter l'application, puis relancer cavecron restore"
            ) from error
        connection.execute("COMMIT")
        yield connection


def write_into(connection: sqlite3.Connection, source: Path) -> None:
    """Replace the content of a database by that of `source`; its journal mode stays.

    `connection` is one of `exclusive_connection`.

    Raises:
        sqlite3.Error: it could not be written, and is unchanged.

    """
    ((mode,),) = connection.execute("PRAGMA journal_mode")
    with closing(sqlite3.connect(source, isolation_level=None)) as reader:
        if mode in ("delete", "wal"):  # the mode is stored in the file, and the application's choice
            reader.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        # In steps, so that Ctrl-C has an effect; the database is unchanged then.
        reader.backup(connection, pages=_STEP_PAGES, progress=lambda *_step: None)


def place(source: Path, target: Path) -> None:
    """Put a copy of `source` atomically at `target`, where there is no file.

    Its mode is that of the folder, so that whoever may write into the folder may write the file; root also
    gives it the folder's owner.

    Raises:
        CavecronError: it cannot be written, or a file was created there meanwhile.

    """
    part = target.with_name(f".{target.name}-restore.part")
    try:
        part.unlink(missing_ok=True)
        copy_frozen(source, part)
        _give_to_owner_of_folder(part)
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        for ending in _SIDE_FILES:
            target.with_name(target.name + ending).unlink(missing_ok=True)
        if target.exists():
            raise FileExistsError(errno.EEXIST, "", str(target))
        part.rename(target)
        flush_folder(target.parent)
    except OSError as error:
        raise CavecronError(f"{target} ne peut être créée : {reason(error)}") from error
    except sqlite3.Error as error:
        raise Database(target).as_cavecron_error(error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _give_to_owner_of_folder(path: Path) -> None:
    folder = path.parent.stat()
    path.chmod(folder.st_mode & 0o666)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(path, folder.st_uid, folder.st_gid)
