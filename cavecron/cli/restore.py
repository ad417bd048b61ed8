"""`cavecron restore FILE`: it lists what would be lost, and with `--yes` writes a backup into the database.

The present state is copied first, and that copy is kept. The present ledger is kept as well, so that nothing
is mailed a second time.
"""

import argparse
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cavecron.appdb import tables as application
from cavecron.appdb.email_log import forget_missing_mails
from cavecron.cli.streams import say
from cavecron.clock import Clock, SystemClock
from cavecron.config.settings import Settings
from cavecron.database import restore as files
from cavecron.database.backup import DamagedCopyError, connect_frozen, require_sound
from cavecron.database.backup_folder import BackupFolder
from cavecron.database.differences import TableDifference, differences
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError, UsageError, reason
from cavecron.french import duration, moment
from cavecron.jobs.backup import backup_folder
from cavecron.jobs.builtin import BACKUP
from cavecron.jobs.loader import load, working_directory
from cavecron.ledger.carry_over import carry_over, close_open_slots, require_no_run
from cavecron.ledger.store import Ledger

#: Exit code without `--yes`: a script that forgets it must not take that for a success.
_NOT_DONE = 2
_KEPT = "Le registre de cavecron est gardé tel qu'il est : aucun créneau n'est rejoué, aucun mail ne repart."
_NOT_KNOWN = (
    "Le registre de la base n'a pu être repris : les créneaux depuis la copie comptent comme passés,"
    " rien n'est rejoué."
)


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print what would be lost, and restore with `--yes`; without a file, print which copies there are.

    The exit code is 0 if a copy was restored, else 2.
    """
    folder = working_directory()  # before a file of jobs is executed, which may change it
    settings, _jobs = load(environ)
    clock = SystemClock()
    if arguments.file is None:
        for line in _copies(settings, clock.now()):
            say(line)
        return _NOT_DONE
    restoration = Restoration(
        source=folder / arguments.file,
        database=Database(settings.database),
        settings=settings,
        clock=clock,
    )
    state = restoration.examine()
    for line in restoration.losses(state):
        say(line)
    if not arguments.yes:
        say(f"Rien n'a été changé. Restaurer : cavecron restore {arguments.file} --yes")
        return _NOT_DONE
    for line in restoration.restore(state):
        say(line)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """The restore of the copy `source` into `database`."""

    source: Path
    database: Database
    settings: Settings
    clock: Clock

    @property
    def folder(self) -> BackupFolder:
        """Return the folder of the copy of the present state."""
        return backup_folder(self.settings)

    def examine(self) -> files.Condition:
        """Return the condition of the database.

        Raises:
            UsageError: the file is not a backup that can be restored.
            AlreadyRunningError: a job is running.
            CavecronError: the database cannot be read.

        """
        _require_copy(self.source, self.database.path)
        state = files.condition(self.database)
        if state == "readable":
            with Ledger(database=self.database).reading() as connection:
                if connection is not None:
                    require_no_run(connection, Ledger(database=self.database), self.clock.now())
        return state

    def losses(self, state: files.Condition) -> Iterator[str]:
        """Yield lines in French: which backup it is, and what would be lost."""
        yield f"Copie : {self.source}, {self._age()}"
        path = self.database.path
        if state == "missing":
            yield f"{path} n'existe pas : elle serait créée, rien n'est perdu"
            return
        if state == "damaged":
            yield f"{path} est abîmée : ce qui serait perdu ne peut être compté"
            return
        table_differences = list(differences(self.database, self.source, ignored="cavecron_"))
        if not table_differences:
            yield "Rien n'a changé depuis : aucune ligne ne serait perdue"
        else:
            yield "Ce qui serait défait, par table :"
            yield from (f"  {table.table} : {_changes(table)}" for table in table_differences)

    def restore(self, state: files.Condition) -> Iterator[str]:
        """Restore, and yield in French what was done.

        Raises:
            AlreadyRunningError: a job is running.
            CavecronError: it was not possible; the database is unchanged.

        """
        room = self.source.stat().st_size + (0 if state == "missing" else self.database.path.stat().st_size)
        self.folder.prepare(room)
        with self.folder.temporary(self.folder.names.restoring) as copy:
            try:
                files.copy_frozen(self.source, copy)
                require_sound(copy, lambda: None)
            except sqlite3.Error as error:
                raise Database(copy).as_cavecron_error(error) from error
            if state == "missing":
                self._settle(copy)
                files.place(copy, self.database.path)
                yield f"Restauré : {self.database.path} est créée d'après la copie. {_NOT_KNOWN}"
                return
            yield f"L'état d'avant est gardé dans {self._keep_present()}"
            try:
                ledger_kept = self._write_back(copy)
            except sqlite3.Error as error:
                raise self.database.as_cavecron_error(error) from error
            ledger = _KEPT if ledger_kept else _NOT_KNOWN
            yield f"Restauré : {self.database.path} est dans l'état de la copie. {ledger}"

    def _keep_present(self) -> Path:
        """Copy the present database into the folder of backups, even if it is damaged; return the path."""
        at = self.clock.now()
        while (self.folder.path / self.folder.names.name(at)).exists():
            at += timedelta(seconds=1)
        try:
            return self.folder.path / self.folder.add(self.database, at, lambda: None).name
        except CavecronError as error:
            if not _is_damaged(self.database):
                raise
            damaged_copy = self.folder.path / f"{self.folder.names.name(at)}.abimee"
            try:
                shutil.copyfile(self.database.path, damaged_copy)
                damaged_copy.chmod(0o600)
            except OSError as copy_error:
                raise CavecronError(f"{damaged_copy} : {reason(copy_error)}") from error
            return damaged_copy

    def _write_back(self, copy: Path) -> bool:
        """Write the copy into the database; return whether the present ledger was kept."""
        try:
            return self._write_exclusively(copy)
        except sqlite3.DatabaseError as error:
            if not files.is_damage(error):
                raise
        # SQLite cannot open the file. Once it is empty, SQLite can, and it stays the same file for processes
        # that have it open. A copy of the damaged file is kept.
        with self.database.path.open("rb+") as damaged:
            damaged.truncate(0)
        return self._write_exclusively(copy)

    def _write_exclusively(self, copy: Path) -> bool:
        with files.exclusive_connection(self.database) as live:
            ledger_kept = self._carry_over(live, copy)
            if not ledger_kept:
                self._settle(copy)
            files.write_into(live, copy)
        return ledger_kept

    def _carry_over(self, live: sqlite3.Connection, copy: Path) -> bool:
        """Copy the present ledger into the copy; return whether that was possible."""
        try:
            require_no_run(live, Ledger(database=self.database), self.clock.now())
            with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                ledger_kept = carry_over(live, connection)
                if ledger_kept:
                    forget_missing_mails(connection)
        except sqlite3.DatabaseError as error:
            if not files.is_damage(error):
                raise
            return False
        return ledger_kept

    def _settle(self, copy: Path) -> None:
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            close_open_slots(connection, self.settings.schedules, self.clock.now(), backup_job=BACKUP.name)

    def _age(self) -> str:
        """Return in French when the copy was made, by its name, else by the file's modification time."""
        named = self.folder.names.parse(self.source.name)
        at = named.at if named else datetime.fromtimestamp(self.source.stat().st_mtime, UTC)
        return _date_and_age(at.astimezone(self.settings.zone), self.clock.now())


def _copies(settings: Settings, now: datetime) -> Iterator[str]:
    """Yield lines in French: which copies there are at `now` (aware). A container has no shell to list them.

    Raises:
        CavecronError: the folder cannot be read.

    """
    folder = backup_folder(settings)
    copies = folder.backups()
    if not copies:
        yield f"Aucune copie de la base dans {folder.path} (SCHEDULER_BACKUP_DIR)"
        return
    yield "Les copies de la base, la plus récente d'abord :"
    yield from (f"  {folder.path / copy.name}, {_date_and_age(copy.at, now)}" for copy in copies)
    yield "Ce qu'une copie déferait : cavecron restore FICHIER"


def _date_and_age(at: datetime, now: datetime) -> str:
    """Return in French when a copy was made, at `at` (aware, local), and how long before `now` (aware)."""
    return f"du {moment(at)}, il y a {duration(max(timedelta(), now - at))}"


def _require_copy(source: Path, database: Path) -> None:
    """Raise UsageError unless `source` is a sound database of the application, and not `database` itself."""
    try:
        status = source.stat()
        if database.exists() and source.samefile(database):
            raise UsageError(f"{source} est la base elle-même : nommer une copie")
        if not source.is_file():
            raise UsageError(f"{source} n'est pas un fichier : nommer une copie")
        with source.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"{source} ne peut être lue : {reason(error)}") from error
    if not status.st_size:
        raise UsageError(f"{source} est vide : ce n'est pas une copie de la base")
    for ending in ("-journal", "-wal"):
        side = source.with_name(source.name + ending)
        if side.exists() and side.stat().st_size:
            raise UsageError(
                f"{side.name} est à côté de {source} : c'est la copie brute d'une base ouverte, pas une copie"
                " de cavecron ; l'ouvrir et la refermer d'abord avec sqlite3"
            )
    try:
        require_sound(source, lambda: None)
    except DamagedCopyError as error:
        raise UsageError(str(error)) from error
    with closing(connect_frozen(source)) as connection:
        absent = application.missing(connection)
    if {"user", "wine"} & set(absent):
        raise UsageError(f"{source} n'est pas une base de Cave à Vin : table {absent[0]} absente")


def _is_damaged(database: Database) -> bool:
    if files.condition(database) == "damaged":
        return True
    try:
        with database.reading() as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except CavecronError as error:
        cause = error.__cause__
        return isinstance(cause, sqlite3.Error) and files.is_damage(cause)


def _changes(difference: TableDifference) -> str:
    kinds = (
        (difference.added, "ajoutée{} depuis"),
        (difference.changed, "modifiée{} depuis"),
        (difference.removed, "supprimée{} depuis, qui reviendrai{}"),
    )
    return ", ".join(_counted(count, words) for count, words in kinds if count)


def _counted(count: int, words: str) -> str:
    plural = count > 1
    return f"{count} " + words.format("s" if plural else "", "ent" if plural else "t")
