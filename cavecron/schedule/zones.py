"""Where a zone changes its clocks, near a given instant.

Pure: instants are seconds since 1970-01-01 00:00 UTC; offsets are seconds east of UTC.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: How far a clock change is searched for. Two offsets differ by less than two days, so what lies further away
#: cannot make a local time come again; and no zone has changed its clocks twice within this time.
WINDOW = 2 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetPeriod:
    """Instants from `begin` up to, but not at, `end`, all with one offset.

    Either border is a clock change, or the end of the search. `wall_clock_before` is the local time, in
    seconds, that the clocks would have shown at `begin` without a change.
    """

    begin: int
    end: int
    offset: int
    wall_clock_before: int


def offset_period(zone: ZoneInfo, instant: int, reach: int | None = None) -> OffsetPeriod:
    """Return the period around `instant`; it extends to `reach` if no change comes before."""
    offset = _offset(zone, instant)
    begin, end = instant - WINDOW, instant + WINDOW
    if _offset(zone, begin) != offset:
        begin = _change(zone, instant, begin)
    same = _offset(zone, end) == offset
    while same and reach is not None and end < reach:
        same, end = _offset(zone, end + WINDOW) == offset, end + WINDOW
    if not same:
        end = _change(zone, end - WINDOW, end)
    wall_clock_before = begin + _offset(zone, begin - 1)
    return OffsetPeriod(begin=begin, end=end, offset=offset, wall_clock_before=wall_clock_before)


def _change(zone: ZoneInfo, inside: int, outside: int) -> int:
    """Return the first instant after the clock change that lies between the two."""
    offset = _offset(zone, inside)
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        if _offset(zone, middle) == offset:
            inside = middle
        else:
            outside = middle
    return max(inside, outside)


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = (EPOCH + timedelta(seconds=instant)).astimezone(zone).utcoffset()
    assert offset is not None
    return offset.days * 86_400 + offset.seconds
