"""The folder with the backups of one database.

A backup is written under a temporary name and renamed after a check, so that a file with the name of a backup
is always sound. Other files in the folder are not touched. It knows neither jobs nor the ledger.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cavecron.atomic_file import flush_folder
from cavecron.database.backup import DamagedCopyError, OnlineCopy, require_sound
from cavecron.database.backup_names import BackupName, BackupNames, expired, newest
from cavecron.database.permissions import permission_advice
from cavecron.database.sqlite import AWAY, Database
from cavecron.errors import CavecronError, TemporaryError, reason

#: Bytes of free space that must remain after a backup.
_MARGIN = 1 << 20
#: Seconds after which an unfinished file is abandoned, on a file system without locks.
_ABANDONED_AFTER = 6 * 3600.0


class NoRoomError(TemporaryError):
    """There is not enough space for a backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFolder:
    """The folder at `path`, which may not exist yet, with backups named by `names`."""

    path: Path
    names: BackupNames

    def backups(self) -> Sequence[BackupName]:
        """Return the existing backups, newest first.

        Raises:
            CavecronError: the folder cannot be read.

        """
        return self.names.sorted(self._files())

    def newest(self, now: datetime) -> BackupName | None:
        """Return the newest backup at `now` (aware), None if there is none.

        Raises:
            CavecronError: the folder cannot be read.

        """
        return newest(self.backups(), now)

    def prepare(self, size: int) -> None:
        """Create the folder if necessary, remove files of killed backups, and require `size` bytes of space.

        Raises:
            NoRoomError: there is not enough space.
            CavecronError: the folder cannot be created or used.

        """
        with self._translate_errors():
            with suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
            for name in self._files():
                if self.names.is_unfinished(name) and _is_abandoned(self.path / name):
                    (self.path / name).unlink(missing_ok=True)
        self.require_room(size)

    def require_usable(self, size: int) -> None:
        """Raise a CavecronError if a backup of `size` bytes could not be written; nothing is written."""
        with self._translate_errors():
            place = self.path if self.path.exists() else self.path.parent
            if not place.is_dir():
                raise NotADirectoryError(
                    errno.ENOENT if not place.exists() else errno.ENOTDIR, "", str(place)
                )
            if not os.access(place, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "", str(place))
        self.require_room(size)

    def require_room(self, size: int) -> None:
        """Raise NoRoomError if the folder has less space than `size` bytes and the margin."""
        free = _free_bytes(self.path if self.path.exists() else self.path.parent)
        if free is not None and free < size + _MARGIN:
            raise NoRoomError(
                f"pas assez de place dans {self.path} : {megabytes(free)} libres, {megabytes(size + _MARGIN)}"
                " nécessaires ; faire de la place, garder moins de copies (SCHEDULER_BACKUP_KEEP) ou en"
                " changer (SCHEDULER_BACKUP_DIR)"
            )

    def add(self, database: Database, instant: datetime, check: Callable[[], None]) -> BackupName:
        """Make the backup for an instant (aware); a backup of the same instant is replaced.

        `check` is called at safe points and may raise an error; then no file remains.

        Raises:
            TemporaryError: the database changes all the time or is locked, the disk is full or unavailable.
            CavecronError: the database is damaged, the folder cannot be written, or `check` raised it.

        """
        name = self.names.name(instant)
        with self.temporary(self.names.unfinished(name)) as part:
            OnlineCopy(source=database, target=part, check=check).run()
            _require_sound_copy(database, part, check)
            os.replace(part, self.path / name)
            flush_folder(self.path)
        return BackupName(name=name, at=instant.astimezone(self.names.zone))

    @contextmanager
    def temporary(self, name: str) -> Iterator[Path]:
        """Yield an empty file with this name and mode 0600, which is deleted at the end.

        Raises:
            CavecronError: it cannot be created, or another process writes it.

        """
        part = self.path / name
        with self._translate_errors():
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                if not _lock(descriptor):
                    raise TemporaryError(f"une autre copie est en train de s'écrire dans {part}")
                os.fchmod(descriptor, 0o600)
                os.ftruncate(descriptor, 0)
                try:
                    yield part
                finally:
                    part.unlink(missing_ok=True)
            finally:
                os.close(descriptor)

    def remove_expired(self, keep: int) -> tuple[Sequence[BackupName], Sequence[str]]:
        """Remove backups that `expired` returns; return them, and a French error for each that remains."""
        removed, errors = [], []
        for backup in expired(self.backups(), keep):
            try:
                (self.path / backup.name).unlink()
                removed.append(backup)
            except OSError as error:
                errors.append(f"{self.path / backup.name} n'a pu être supprimée ({reason(error)})")
        return removed, errors

    def _files(self) -> list[str]:
        """Return the names of the regular files in the folder, none if it does not exist."""
        with self._translate_errors():
            try:
                with os.scandir(self.path) as entries:
                    return [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
            except FileNotFoundError:
                return []

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._as_cavecron_error(error) from error

    def _as_cavecron_error(self, error: OSError) -> CavecronError:
        text = f"dossier des sauvegardes {self.path} : {reason(error)}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NoRoomError(f"{text} ; faire de la place, puis relancer")
        if error.errno in AWAY:
            return TemporaryError(f"{text} ; le partage est-il monté ?")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return CavecronError(f"{text} ; {permission_advice(self.path / 'copie')}")
        return CavecronError(f"{text} ; vérifier SCHEDULER_BACKUP_DIR")


def megabytes(size: int) -> str:
    """Return a size in bytes as '512 Mo', '0,3 Mo' or '1,5 Go'."""
    if size >= 1 << 30:
        return f"{size / (1 << 30):.1f} Go".replace(".", ",")
    return f"{size / (1 << 20):.{0 if size >= 10 << 20 else 1}f} Mo".replace(".", ",")


def _free_bytes(folder: Path) -> int | None:
    """Return the free space of a folder's file system for this user, None if it is unknown."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize if status.f_blocks else None


def _require_sound_copy(database: Database, copy: Path, check: Callable[[], None]) -> None:
    try:
        require_sound(copy, check)
    except DamagedCopyError as error:
        problem = str(error).partition(" : ")[2]
        raise DamagedCopyError(
            f"{database.path} est abîmée ({problem}) : les anciennes copies sont gardées ; arrêter"
            " l'application et restaurer la plus récente (cavecron restore)"
        ) from error


def _lock(descriptor: int) -> bool:
    """Lock the file; return False if another process has locked it, True also without support for locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_abandoned(path: Path) -> bool:
    """Return whether no process writes this unfinished file any more."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        status = os.fstat(descriptor)
        return stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > _ABANDONED_AFTER
    else:
        return True
    finally:
        os.close(descriptor)
