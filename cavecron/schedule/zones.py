"""The clock changes of a zone near a given instant.

Pure: instants are seconds since 1970-01-01 00:00 UTC; offsets are seconds east of UTC.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: How far to search for a clock change. Two offsets differ by less than two days, so that a change further
#: away cannot repeat a local time; and no zone has changed its clocks twice within this time.
WINDOW = 2 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetPeriod:
    """The instants from `begin` up to, but not including, `end`, which have the same offset.

    Each bound is a clock change or the end of the search. `wall_clock_before` is the local time in seconds
    that clocks would have shown at `begin` without the change.
    """

    begin: int
    end: int
    offset: int
    wall_clock_before: int


def offset_period(zone: ZoneInfo, instant: int, reach: int | None = None) -> OffsetPeriod:
    """Return the period around `instant`; it extends to `reach` if no change is before that."""
    offsets = _offsets(zone, instant // WINDOW)
    index = bisect_right(offsets, instant, key=itemgetter(0)) - 1
    start, offset = offsets[index]
    begin, end = max(start, instant - WINDOW), instant + WINDOW
    offset_before = offsets[index - 1][1] if index and begin == start else offset
    if offsets[index + 1 :]:
        end = min(end, offsets[index + 1][0])
    while reach is not None and end < reach and _offset(zone, end) == offset:
        end = _change(zone, end, end + WINDOW)
    return OffsetPeriod(begin=begin, end=end, offset=offset, wall_clock_before=begin + offset_before)


@lru_cache(maxsize=256)  # successive instants are near each other
def _offsets(zone: ZoneInfo, window: int) -> tuple[tuple[int, int], ...]:
    """Return the offsets near a window's instants, each with the instant at which it begins."""
    edges = [(window + step) * WINDOW - 1 for step in (-1, 0, 1, 2)]
    starts = [edges[0]]
    for edge, after in pairwise(edges):
        change = _change(zone, edge, after)
        if _offset(zone, change) != _offset(zone, edge):
            starts.append(change)
    return tuple((start, _offset(zone, start)) for start in starts)


def _change(zone: ZoneInfo, inside: int, outside: int) -> int:
    """Return the first instant after the clock change between the two; `outside` if there is none."""
    offset = _offset(zone, inside)
    if _offset(zone, outside) == offset:
        return outside
    while outside - inside > 1:
        middle = (inside + outside) // 2
        if _offset(zone, middle) == offset:
            inside = middle
        else:
            outside = middle
    return outside


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = (EPOCH + timedelta(seconds=instant)).astimezone(zone).utcoffset()
    assert offset is not None
    return offset.days * 86_400 + offset.seconds
