"""The names of backups, and which of them are kept. Pure.

`wine-2026-11-30T023000.sqlite` is the database `wine.db` as it was at 02:30 local time. Names sort by time,
and no two seconds share one: the hour that autumn repeats is written `02B` the second time round. A name is
the only thing that says whose a file is: whatever is named otherwise is left alone.
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
#: What stands in place of an instant in the name of a copy that is about to be restored.
_RESTORING = "restore"
#: Months that have a backup, and of which the newest one is kept: that of the newest backup, and six before.
_MONTHS = 7
#: By how much a backup may be ahead of the clock: more, and one of the two clocks was wrong.
_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BackupName:
    """A backup's name, and the local instant (aware) that it stands for."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupNames:
    """The names of the backups of one database: `stem` is its file's name without the ending."""

    stem: str
    zone: ZoneInfo

    def name(self, instant: datetime) -> str:
        """Return the name of the backup of an instant (aware)."""
        local = instant.astimezone(self.zone)
        second_round = "B" if _is_repeated(local) else ""
        return f"{self.stem}-{local:%Y-%m-%dT%H}{second_round}{local:%M%S}{_SUFFIX}"

    @property
    def restoring(self) -> str:
        """Return the name of the copy that is about to be restored; it never becomes a backup."""
        return f".{self.stem}-{_RESTORING}{_UNFINISHED}"

    def unfinished(self, name: str) -> str:
        """Return the name under which that backup is written until it is good."""
        return f".{name}{_UNFINISHED}"

    def parse(self, name: str) -> BackupName | None:
        """Return the backup that has this name, None where it is none of this database."""
        prefix = f"{self.stem}-"
        found = _NAME.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if found is None:
            return None
        try:
            local = datetime.fromisoformat(f"{found['day']}T{found['hour']}{found['rest']}")
        except ValueError:
            return None
        at = local.replace(tzinfo=self.zone, fold=int(bool(found["second_round"])))
        return BackupName(name=name, at=at)

    def is_unfinished(self, name: str) -> bool:
        """Return whether a name is one of a copy of this database that is being written, or was cut off."""
        if name == self.restoring:
            return True
        inner = name.removeprefix(".").removesuffix(_UNFINISHED)
        return name == self.unfinished(inner) and self.parse(inner) is not None

    def sorted(self, names: Iterable[str]) -> Sequence[BackupName]:
        """Return the backups of this database among `names`, newest first."""
        found = (self.parse(name) for name in names)
        return sorted((backup for backup in found if backup), key=lambda backup: backup.name, reverse=True)


def expired(backups: Sequence[BackupName], keep: int) -> Sequence[BackupName]:
    """Return which of `backups`, newest first, are not kept.

    Kept are the `keep` newest, and the newest of each of the six months before that of the newest one.
    Only months that have a backup count: one that was made by a wrong clock ends nobody's half year.
    """
    of_month: dict[tuple[int, int], BackupName] = {}
    for backup in backups:
        of_month.setdefault((backup.at.year, backup.at.month), backup)
    kept = {*backups[:keep], *list(of_month.values())[:_MONTHS]}
    return [backup for backup in backups if backup not in kept]


def newest(backups: Iterable[BackupName], now: datetime) -> BackupName | None:
    """Return the newest backup at `now` (aware), None where there is none.

    One that is ahead of the clock counts only where there is no other: it says nothing of the last nights.
    """
    known = sorted(backups, key=lambda backup: backup.at.astimezone(UTC), reverse=True)
    return next((backup for backup in known if backup.at <= now + _AHEAD), known[0] if known else None)


def _is_repeated(local: datetime) -> bool:
    """Return whether a local time comes for the second time: the clocks went back in between."""
    return local.utcoffset() != local.replace(fold=0).utcoffset()
