"""Cave à Vin's SQLite file: opening it, short transactions, and its text format of instants.

It never creates the file and never changes its journal mode; it knows no table.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from cavecron.database.permissions import permission_advice
from cavecron.errors import CavecronError, NotReadyError, TemporaryError, reason

_START_ONCE = "démarrer une fois l'application, qui met son schéma à jour"
#: SQLite's codes (https://www.sqlite.org/rescode.html), and what a person reads after the file's name.
_WORDINGS = {
    ("SQLITE_NOTADB",): "n'est pas une base SQLite : vérifier DATABASE_URL",
    ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"): "ne peut être ouverte en écriture : {advice}",
    ("SQLITE_FULL",): "n'a pu être écrite, le disque est plein : faire de la place, puis relancer",
    ("SQLITE_CORRUPT",): "est abîmée : arrêter l'application et restaurer une sauvegarde",
    ("SQLITE_IOERR",): "ne peut être lue ou écrite : disque ou partage réseau en panne ?",
}


@dataclass(frozen=True, slots=True)
class Database:
    """The application's file; `busy_timeout` in seconds is how long a lock is waited for."""

    path: Path
    busy_timeout: float = 30.0

    def connect(self) -> sqlite3.Connection:
        """Return a connection without open transaction; the caller closes it.

        Raises:
            NotReadyError: there is no such file.
            CavecronError: it cannot be opened.

        """
        self._find()
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        with self.translate_errors():
            connection = sqlite3.connect(uri, uri=True, timeout=self.busy_timeout, isolation_level=None)
            connection.execute("PRAGMA temp_store = MEMORY")  # a distroless container has no folder for it
        return connection

    def _find(self) -> None:
        """Return if there is such a file; SQLite's own words for the rest are the same for everything."""
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise NotReadyError(
                f"base introuvable : {self.path} ; le volume est-il monté ? (DATABASE_URL)"
            ) from None
        except OSError as error:
            raise CavecronError(
                f"{self.path} ne peut être ouverte ({reason(error)}) : {permission_advice(self.path)}"
            ) from error
        if S_ISDIR(mode):
            raise CavecronError(
                f"{self.path} est un dossier : DATABASE_URL doit nommer le fichier de la base"
            )

    @contextmanager
    def session(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for several short transactions, closed at the end."""
        with self.translate_errors(), closing(self.connect()) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one state of the file; keep it short, writers wait for it."""
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
        """Yield a connection in a transaction that may write: committed at the end, undone by an error."""
        with self.session() as connection, transaction(connection):
            yield connection

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn what SQLite says into what a person can act on."""
        try:
            yield
        except sqlite3.Error as error:
            raise self.as_cavecron_error(error) from error

    def as_cavecron_error(self, error: sqlite3.Error) -> CavecronError:
        """Return what SQLite said of this file as an error that a person can act on."""
        said = str(error)
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return TemporaryError(
                f"base verrouillée par un autre programme depuis {self.busy_timeout:g} s : {self.path}"
            )
        if "no such table" in said:
            table = said.rpartition(": ")[2]
            return NotReadyError(f"table {table} absente de {self.path} : {_START_ONCE}")
        if "no such column" in said:
            return CavecronError(f"colonne {said.rpartition(': ')[2]} absente de {self.path} : {_START_ONCE}")
        for codes, wording in _WORDINGS.items():
            if code.startswith(codes):
                return CavecronError(f"{self.path} {wording.format(advice=permission_advice(self.path))}")
        return CavecronError(f"{self.path} : erreur SQLite ({said})")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the right to write from start to end: committed, or undone by an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
