"""Cave à Vin's SQLite file: opening it, short transactions, and errors in French.

It never creates the file and never changes its journal mode; it knows no table.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from cavecron.database.permissions import permission_advice
from cavecron.errors import CavecronError, NotReadyError, TemporaryError, reason

#: The advice for a table or column that is missing.
START_ONCE = "démarrer une fois l'application, qui met son schéma à jour"
#: The message after the file's name, by SQLite's error codes (https://www.sqlite.org/rescode.html).
_NOT_OPENED = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")
_WORDINGS = {
    ("SQLITE_NOTADB",): "n'est pas une base SQLite : vérifier DATABASE_URL",
    _NOT_OPENED: "ne peut être ouverte en écriture : {advice}",
    ("SQLITE_CORRUPT",): "est abîmée : arrêter l'application et restaurer une sauvegarde",
}
_FULL = "n'a pu être écrite, le disque est plein : faire de la place, puis relancer"
#: Errors that end when a network share can be reached again.
AWAY = frozenset(
    {
        errno.ESTALE,
        errno.EIO,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ETIMEDOUT,
        errno.ENOLCK,
    }
)
_SHARE_ADVICE = (
    "disque ou partage réseau en panne ? Vérifier que l'hôte du partage répond et que le volume est monté,"
    " puis relancer"
)


@dataclass(frozen=True, slots=True)
class Database:
    """The application's file; `busy_timeout` is how long to wait for a lock, in seconds."""

    path: Path
    busy_timeout: float = 30.0

    def connect(self) -> sqlite3.Connection:
        """Return a connection without an open transaction; the caller closes it.

        Raises:
            NotReadyError: there is no such file.
            CavecronError: it cannot be opened.

        """
        self._require_file()
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        with self.translate_errors():
            connection = sqlite3.connect(
                uri,
                uri=True,
                timeout=self.busy_timeout,
                isolation_level=None,
                check_same_thread=False,  # several threads may use it, one at a time
            )
            # A distroless container has no folder for temporary files.
            connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def file_identity(self) -> tuple[int, int] | None:
        """Return device and inode, which change if the file is replaced; None if it cannot be found."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _require_file(self) -> None:
        """Raise a CavecronError if the file cannot be opened; SQLite has one message for all causes."""
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise NotReadyError(
                f"base introuvable : {self.path} ; le volume est-il monté ? (DATABASE_URL)"
            ) from None
        except OSError as error:
            if error.errno in AWAY:
                raise self._away(error) from error
            raise CavecronError(
                f"{self.path} ne peut être ouverte ({reason(error)}) : {permission_advice(self.path)}"
            ) from error
        if S_ISDIR(mode):
            raise CavecronError(
                f"{self.path} est un dossier : DATABASE_URL doit nommer le fichier de la base"
            )

    @contextmanager
    def session(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for several short transactions, closed at the end.

        SQLite's errors in the block become CavecronErrors, here and in `reading` and `writing`.
        """
        with self.translate_errors(), closing(self.connect()) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection with a consistent view of the file; writers wait until the block ends.

        Raises:
            CavecronError: the file cannot be opened or read, or the block tries to write.

        """
        with self.translate_errors(), closing(self.connect()) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            try:
                yield connection
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY":
                    raise CavecronError("une lecture n'écrit pas : ouvrir la base par writing()") from error
                raise

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in a write transaction: committed at the end, rolled back after an error."""
        with self.session() as connection, transaction(connection):
            yield connection

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise a CavecronError with a French message in place of an error of SQLite."""
        try:
            yield
        except sqlite3.Error as error:
            raise self.as_cavecron_error(error) from error

    def as_cavecron_error(self, error: sqlite3.Error) -> CavecronError:
        """Return a CavecronError with a French message and advice for an error of SQLite."""
        text = str(error)
        code = getattr(error, "sqlite_errorname", "")
        if is_locked(error):
            return self.locked_error()
        if "no such table" in text:
            table = text.rpartition(": ")[2]
            return NotReadyError(f"table {table} absente de {self.path} : {START_ONCE}")
        if "no such column" in text:
            return CavecronError(f"colonne {text.rpartition(': ')[2]} absente de {self.path} : {START_ONCE}")
        temporary = self._temporary_error(code)
        if temporary is not None:
            return temporary
        for codes, wording in _WORDINGS.items():
            if code.startswith(codes):
                return CavecronError(f"{self.path} {wording.format(advice=permission_advice(self.path))}")
        return CavecronError(f"{self.path} : erreur SQLite ({text})")

    def locked_error(self) -> TemporaryError:
        """Return the error for a lock that was not released in time."""
        return TemporaryError(
            f"base verrouillée par un autre programme depuis {self.busy_timeout:g} s : {self.path}"
        )

    def _temporary_error(self, code: str) -> TemporaryError | None:
        """Return an error for a full disk or an unavailable share, None for any other cause."""
        if code.startswith("SQLITE_IOERR"):
            return TemporaryError(f"{self.path} ne peut être lue ou écrite : {_SHARE_ADVICE}")
        full = code.startswith("SQLITE_FULL")
        if code.startswith(_NOT_OPENED):  # SQLite does not say why
            try:
                self.path.stat()
                full = _is_full(self.path.absolute().parent)
            except OSError as error:
                if error.errno in AWAY:
                    return self._away(error)
        return TemporaryError(f"{self.path} {_FULL}") if full else None

    def _away(self, error: OSError) -> TemporaryError:
        return TemporaryError(f"{self.path} ne peut être ouverte ({reason(error)}) : {_SHARE_ADVICE}")


def is_locked(error: sqlite3.Error) -> bool:
    """Return whether the error is that another connection has locked the file."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _is_full(folder: Path) -> bool:
    """Return whether a file system has no space for SQLite's journal; False if that is unknown."""
    if not hasattr(os, "statvfs"):
        return False
    status = os.statvfs(folder)
    no_blocks, no_inodes = status.f_blocks and not status.f_bfree, status.f_files and not status.f_ffree
    return bool(no_blocks or no_inodes) and not status.f_flag & os.ST_RDONLY


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in a `BEGIN IMMEDIATE` transaction: committed at the end, rolled back after an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
