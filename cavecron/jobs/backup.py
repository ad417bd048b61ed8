"""The backup job: it copies the whole database into a folder, and then removes old copies.

`database.backup` copies a file that others write to; `database.backup_names` says which files are backups.
"""

import logging
from datetime import datetime, timedelta
from pathlib import Path

from cavecron.config.settings import Settings
from cavecron.database.backup import ChangingError
from cavecron.database.backup_folder import BackupFolder, megabytes
from cavecron.database.backup_names import BackupName, BackupNames, expired
from cavecron.database.sqlite import Database
from cavecron.errors import TemporaryError
from cavecron.jobs.context import Outcome, Run
from cavecron.schedule import GRACE, Schedule, previous_slot

_LOG = logging.getLogger("cavecron.jobs.backup")

#: The number of slots without a good backup after which a person has to look into it.
_OVERDUE_SLOTS = 3


def backup(run: Run) -> Outcome:
    """Copy the database into the folder of backups; with `run.dry_run` only return what would be done.

    Raises:
        CavecronError: there is no new backup; a TemporaryError if another attempt may succeed.

    """
    folder, keep = backup_folder(run.settings), run.settings.backup.keep
    size = database_size(run.database)
    if run.dry_run:
        return _dry_run(folder, run, size)
    folder.prepare(size)
    try:
        new = folder.add(run.database, run.planned, run.check)
    except ChangingError as error:
        raise TemporaryError(
            f"{error} ; la planifier à une heure plus calme (SCHEDULER_BACKUP_HOUR), ou arrêter"
            " l'application le temps de « cavecron run backup »"
        ) from error
    removed, complaints = folder.remove_expired(keep)
    for complaint in complaints:
        _LOG.warning("%s", complaint)
    file = folder.path / new.name
    summary = f"Sauvegarde: {file}, {megabytes(file.stat().st_size)}"
    if removed:
        summary += f", anciennes copies supprimées: {len(removed)}"
    _LOG.info("%s", summary)
    details = {"file": str(file), "removed": [old.name for old in removed]}
    return Outcome(summary=summary, details=details)


def backup_folder(settings: Settings) -> BackupFolder:
    """Return the folder in which the backups of the configured database lie."""
    names = BackupNames(stem=settings.database.stem, zone=settings.zone)
    return BackupFolder(path=settings.backup.folder, names=names)


def newest_backup(settings: Settings, now: datetime) -> BackupName | None:
    """Return the newest good backup at `now` (aware), None if there is none.

    Raises:
        CavecronError: the folder cannot be read.

    """
    return backup_folder(settings).newest(now)


def no_backup_left(folder: Path) -> str:
    """Return in French that the folder has no backup although a run recorded one."""
    return f"aucune copie de la base dans {folder} ; le disque est-il monté ?"


def is_backup_overdue(newest: BackupName, schedule: Schedule, now: datetime) -> bool:
    """Return whether three slots have passed since the newest backup, up to an hour before `now` (aware).

    In that hour a failed run is tried again.
    """
    slot: datetime | None = now - GRACE
    for _ in range(_OVERDUE_SLOTS):
        slot = previous_slot(schedule, slot - timedelta(microseconds=1)) if slot else None
    return slot is not None and newest.at < slot


def database_size(database: Database) -> int:
    """Return how many bytes a copy of the database takes at most.

    Raises:
        CavecronError: there is no such file, or it cannot be read.

    """
    with database.reading() as connection:
        ((pages,),) = connection.execute("PRAGMA page_count")
        ((size,),) = connection.execute("PRAGMA page_size")
    return int(pages) * int(size)


def _dry_run(folder: BackupFolder, run: Run, size: int) -> Outcome:
    name = folder.names.name(run.planned)
    names = {old.name for old in folder.backups()} | {name}
    removed = [old.name for old in expired(folder.names.sorted(names), run.settings.backup.keep)]
    return Outcome(
        summary=f"Essai à blanc, copie de {megabytes(size)} dans {folder.path / name}",
        lines=tuple(f"serait supprimée : {old}" for old in removed),
        details={"file": str(folder.path / name), "size": size, "removed": removed},
    )
