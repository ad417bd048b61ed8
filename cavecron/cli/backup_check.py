"""The check of backups in `cavecron check`: the age of the newest one, and whether there is room for another.

It writes nothing.
"""

from datetime import datetime, timedelta

from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.french import duration
from cavecron.jobs.backup import backup_folder, database_size, is_backup_overdue, no_backup_left
from cavecron.jobs.builtin import BACKUP
from cavecron.ledger.history import history
from cavecron.ledger.store import Ledger

_NOW = "en faire une maintenant : cavecron run backup"


def check_backups(settings: Settings, database: Database, now: datetime, *, readable: bool) -> str:
    """Return in French how old the newest backup is at `now` (aware).

    `readable` is whether the database can be read, so that the room for a backup can be checked.

    Raises:
        CavecronError: it is older than three of its slots, there is none although one was made, or the next
            one could not be written.

    """
    folder, configured = backup_folder(settings), settings.jobs[BACKUP.name]
    newest = folder.newest(now)
    words = "aucune copie encore"
    if newest is not None:
        age = duration(max(timedelta(), now - newest.at))
        words = f"dernière copie : {folder.path / newest.name}, il y a {age}"
    if not configured.enabled:
        return f"{words} ; SCHEDULER_BACKUP_ENABLED=1 copie la base chaque nuit"
    if readable:
        folder.require_usable(database_size(database))
    if newest is None and readable and _was_made(database):
        raise CavecronError(f"{no_backup_left(folder.path)} En faire une autre : cavecron run backup")
    if newest is None:
        return f"{words} ; {_NOW}"
    if is_backup_overdue(newest, configured.schedule, now):
        raise CavecronError(
            f"{words} : plus de trois créneaux ; cavecron history backup dit pourquoi, {_NOW}"
        )
    return words


def _was_made(database: Database) -> bool:
    """Return whether one of the last runs made a backup."""
    entries = history(Ledger(database=database), job=BACKUP.name)
    return any(entry.state == "succeeded" for entry in entries)
