"""Where a zone changes its clocks, near a given instant.

Pure: instants are seconds since 1970-01-01 00:00 UTC; offsets are seconds east of UTC.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
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
    begin, end = instant - WINDOW, instant + WINDOW
    if reach is None and (steady := _steady_offset(zone, instant // WINDOW)) is not None:
        return OffsetPeriod(begin=begin, end=end, offset=steady, wall_clock_before=begin + steady)
    offset = _offset(zone, instant)
    if _offset(zone, begin) != offset:
        begin = _change(zone, instant, begin)
    same = _offset(zone, end) == offset
    while same and reach is not None and end < reach:
        same, end = _offset(zone, end + WINDOW) == offset, end + WINDOW
    if not same:
        end = _change(zone, end - WINDOW, end)
    wall_clock_before = begin + _offset(zone, begin - 1)
    return OffsetPeriod(begin=begin, end=end, offset=offset, wall_clock_before=wall_clock_before)


@lru_cache(maxsize=256)  # nearly always nothing changes, and who asks once asks of the next minutes too
def _steady_offset(zone: ZoneInfo, window: int) -> int | None:
    """Return the one offset within reach of all instants of a window, None where the clocks change there."""
    edges = ((window + step) * WINDOW for step in (-1, 0, 1, 2))
    first, *others = (_offset(zone, edge - early) for edge in edges for early in (1, 0))
    return first if all(offset == first for offset in others) else None


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
