"""The names of backups, and which of them are kept. Pure.

`wine-2026-11-30T023000.sqlite` is the database `wine.db` at 02:30 local time. Names sort by time, and are
unique for each second: the second occurrence of the hour that is repeated in autumn is written `02B`. Only
the name of a file tells whether it is a backup; files with other names are not touched.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_NAME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)T(?P<hour>\d\d)(?P<second_round>B?)(?P<rest>\d{4})\.sqlite", re.ASCII
)
_SUFFIX, _UNFINISHED = ".sqlite", ".part"
#: In place of an instant, in the name of a copy that is being restored.
_RESTORING = "restore"
#: The number of months, with a backup each, whose newest one is kept: the latest month and six before.
_MONTHS = 7
#: The most by which a backup may be ahead of the clock; if it is more, the clock is or was wrong.
_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BackupName:
    """A backup's name, and its instant (aware, in local time)."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupNames:
    """The names of the backups of one database; `stem` is its file's name without the extension."""

    stem: str
    zone: ZoneInfo

    def name(self, instant: datetime) -> str:
        """Return the name of the backup for an instant (aware)."""
        local = instant.astimezone(self.zone)
        second_round = "B" if _is_repeated(local) else ""
        return f"{self.stem}-{local:%Y-%m-%dT%H}{second_round}{local:%M%S}{_SUFFIX}"

    @property
    def restoring(self) -> str:
        """Return the name of the copy that is being restored; it never becomes a backup."""
        return f".{self.stem}-{_RESTORING}{_UNFINISHED}"

    def unfinished(self, name: str) -> str:
        """Return the temporary name of a backup while it is written and checked."""
        return f".{name}{_UNFINISHED}"

    def parse(self, name: str) -> BackupName | None:
        """Return the backup with this name, None if it is no backup of this database."""
        prefix = f"{self.stem}-"
        match = _NAME.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if match is None:
            return None
        try:
            local = datetime.fromisoformat(f"{match['day']}T{match['hour']}{match['rest']}")
        except ValueError:
            return None
        at = local.replace(tzinfo=self.zone, fold=int(bool(match["second_round"])))
        return BackupName(name=name, at=at)

    def is_unfinished(self, name: str) -> bool:
        """Return whether the name is one for a copy of this database that is unfinished."""
        if name == self.restoring:
            return True
        inner = name.removeprefix(".").removesuffix(_UNFINISHED)
        return name == self.unfinished(inner) and self.parse(inner) is not None

    def sorted(self, names: Iterable[str]) -> Sequence[BackupName]:
        """Return the backups of this database among `names`, newest first."""
        backups = (self.parse(name) for name in names)
        return sorted((backup for backup in backups if backup), key=lambda backup: backup.name, reverse=True)


def expired(backups: Sequence[BackupName], keep: int) -> Sequence[BackupName]:
    """Return those of `backups` (newest first) that are to be removed.

    The `keep` newest are kept, and the newest of each of the last seven months that have a backup. Months
    without one do not count, so that a backup with a wrong date does not shorten the time.
    """
    of_month: dict[tuple[int, int], BackupName] = {}
    for backup in backups:
        of_month.setdefault((backup.at.year, backup.at.month), backup)
    kept = {*backups[:keep], *list(of_month.values())[:_MONTHS]}
    return [backup for backup in backups if backup not in kept]


def newest(backups: Iterable[BackupName], now: datetime) -> BackupName | None:
    """Return the newest backup at `now` (aware), None if there is none.

    A backup more than a day ahead of `now` is returned only if there is no other, because its date is wrong.
    """
    ordered = sorted(backups, key=lambda backup: backup.at.astimezone(UTC), reverse=True)
    return next((backup for backup in ordered if backup.at <= now + _AHEAD), ordered[0] if ordered else None)


def _is_repeated(local: datetime) -> bool:
    """Return whether a local time is the second occurrence of an hour that the clocks repeat."""
    return local.utcoffset() != local.replace(fold=0).utcoffset()
