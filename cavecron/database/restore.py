"""Writing one SQLite file into another that others have open, in one transaction.

SQLite's backup in the other direction: whoever has the file open sees the new content, no file is replaced,
and a process that is killed leaves a journal from which SQLite restores what was there. It knows no table.
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
_STEP = 1_000
_DAMAGED_CODES = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
#: What SQLite may have left beside a file that is gone; it would take it for the new file's.
_SIDE_FILES = ("-journal", "-wal", "-shm")


def condition(database: Database) -> Condition:
    """Return whether a file can be opened as a database.

    Raises:
        CavecronError: it is there, and cannot be read for another reason.

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
    """Return whether SQLite says that a file is no database, or a damaged one."""
    return getattr(error, "sqlite_errorname", "").startswith(_DAMAGED_CODES)


def copy_frozen(source: Path, target: Path) -> None:
    """Copy a database that nobody writes into a file that nobody else opens.

    Raises:
        sqlite3.Error: the source is no database; the disk is full.

    """
    with closing(connect_frozen(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)


@contextmanager
def exclusive(database: Database) -> Iterator[sqlite3.Connection]:
    """Yield a connection that keeps everybody else out, between its transactions too.

    Raises:
        TemporaryError: others would not let go of the file.
        sqlite3.DatabaseError: it is damaged.

    """
    with closing(database.connect()) as connection:
        # A backup into the file begins outside of a transaction, where only this mode keeps the lock.
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
    """Replace all that a database has by what `source` has; its journal mode stays.

    `connection` is one of `exclusive`.

    Raises:
        sqlite3.Error: it could not be written; what was there is still there.

    """
    ((mode,),) = connection.execute("PRAGMA journal_mode")
    with closing(sqlite3.connect(source, isolation_level=None)) as reader:
        if mode in ("delete", "wal"):  # the mode is a part of the file, and the application's choice
            reader.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        # In steps, so that Ctrl-C is noticed: what was there stays then.
        reader.backup(connection, pages=_STEP, progress=lambda *_step: None)


def place(source: Path, target: Path) -> None:
    """Put a copy of `source` where no file is: whole, or not at all.

    Whoever may write into the folder may write the file: its mode is that of the folder, and for root its
    owner, too.

    Raises:
        CavecronError: it cannot be written there, or a file is there by now.

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
