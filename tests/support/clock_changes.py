"""All clock changes of time zones, found by comparing their offsets day by day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """One clock change of a zone: the first instant after it, and the offsets from UTC on either side."""

    at: datetime
    before: timedelta
    after: timedelta
    key: str

    def __str__(self) -> str:
        return f"{self.key} {self.at.isoformat()}"

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone."""
        return ZoneInfo(self.key)

    @property
    def forward(self) -> bool:
        """Return whether local times are skipped, not repeated."""
        return self.after > self.before

    @property
    def wall_before(self) -> datetime:
        """Return the local time at which the clocks were changed."""
        return (self.at + self.before).replace(tzinfo=None)

    @property
    def wall_after(self) -> datetime:
        """Return the local time to which the clocks were changed."""
        return (self.at + self.after).replace(tzinfo=None)


def changes(first_year: int, last_year: int, *, every_zone: bool = False) -> list[Change]:
    """Return the clock changes of all IANA zones, by default one of those that are equal in several zones."""
    found: dict[object, Change] = {}
    for key in sorted(available_timezones()):
        for change in changes_of(key, first_year, last_year):
            found.setdefault((change.at, change.before, change.after, key if every_zone else ""), change)
    return sorted(found.values())


def changes_of(key: str, first_year: int, last_year: int) -> Iterator[Change]:
    """Yield the clock changes of one zone."""
    zone, day = ZoneInfo(key), timedelta(days=1)
    start, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    for one, other in pairwise(start + day * number for number in range((end - start).days + 1)):
        before, after = _offset(one, zone), _offset(other, zone)
        if before == after:
            continue
        low, high = one, other
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
        yield Change(at=high.replace(microsecond=0), before=before, after=after, key=key)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
