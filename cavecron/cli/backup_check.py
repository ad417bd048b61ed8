"""The check of backups in `cavecron check`: the age of the newest one, and whether there is room for another.

It writes nothing.
"""

from datetime import datetime, timedelta

from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.french import duration
from cavecron.jobs.backup import backup_folder, database_size, is_backup_overdue
from cavecron.jobs.builtin import BACKUP

_NOW = "en faire une maintenant : cavecron run backup"


def check_backups(settings: Settings, database: Database, now: datetime, *, readable: bool) -> str:
    """Return in French how old the newest backup is at `now` (aware).

    `readable` is whether the database can be read, so that the room for a backup can be checked.

    Raises:
        CavecronError: it is older than three of its slots, or the next one could not be written.

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
    if newest is None:
        return f"{words} ; {_NOW}"
    if is_backup_overdue(newest, configured.schedule, now):
        raise CavecronError(
            f"{words} : plus de trois créneaux ; cavecron history backup dit pourquoi, {_NOW}"
        )
    return words
