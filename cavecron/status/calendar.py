"""The slots of one job in the last year, grouped by local day. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import cast
from zoneinfo import ZoneInfo

from cavecron.ledger.records import SlotRow, YearRecord
from cavecron.ledger.states import State
from cavecron.schedule import Schedule, count_slots, next_slot
from cavecron.status.facts import Calendar, CalendarDay
from cavecron.status.past_slots import for_display

#: Days that a calendar goes back, today included.
_DAYS = 366
_DAY = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class _Day:
    """One day while its slots are counted, from `begin` to `end` (aware, UTC).

    `runs` is the number of runs for slots, `bad` counts by state the slots that did not succeed, and
    `reasons` has the first reason of each of these states. `slot` is the first slot of the day.
    """

    begin: datetime
    end: datetime
    runs: int
    slot: datetime | None
    bad: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str | None] = field(default_factory=dict)


def day_bounds(zone: ZoneInfo, now: datetime) -> list[datetime]:
    """Return when each of the last 366 days began in `zone`, and when today ends (aware, UTC).

    Today is the day of `now` (aware).
    """
    today = now.astimezone(zone).date()
    dates = [today - back * _DAY for back in range(_DAYS - 1, -2, -1)]
    return [datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in dates]


def calendar_of(
    record: YearRecord, bounds: Sequence[datetime], schedule: Schedule, *, names: bool
) -> Calendar:
    """Return the calendar of the days between `bounds` (from `day_bounds`), as the ledger recorded them.

    With `names` the reasons may name people.
    """
    days = [
        _Day(begin=begin, end=end, runs=count, slot=first)
        for (begin, end), (count, first) in zip(pairwise(bounds), record.runs_by_span, strict=True)
    ]
    for row in record.rows:
        _count(row, days, schedule)
    first = _local_date(bounds[0], schedule.zone)
    since = max(first, _local_date(record.since, schedule.zone) + _DAY) if record.since else first
    return Calendar(
        since=since,
        until=_local_date(bounds[-2], schedule.zone),
        days=tuple(day for day in _calendar_days(days, schedule.zone, names=names) if day.day >= since),
    )


def _count(row: SlotRow, days: Sequence[_Day], schedule: Schedule) -> None:
    """Count the slots of one row of the ledger on their days; a row of missed slots can cover several."""
    touched = list(_days_of(row, days))
    for day in touched:
        slots: int = row.slots
        first: datetime | None = row.slot
        if len(touched) > 1:
            after = max(day.begin, row.slot) - timedelta.resolution
            until = min(day.end - timedelta.resolution, row.last_slot)
            slots, first = min(row.slots, count_slots(schedule, after, until)), next_slot(schedule, after)
        if slots:
            day.bad[row.state] += slots
            day.reasons.setdefault(row.state, row.reason)
            if row.state == "missed" and day.slot is None:
                day.slot = first


def _days_of(row: SlotRow, days: Sequence[_Day]) -> Iterator[_Day]:
    """Yield the days that the slots of a row can fall on."""
    first = max(0, bisect_right(days, row.slot, key=lambda day: day.begin) - 1)
    for day in days[first:]:
        if day.begin > row.last_slot:
            return
        if day.end > row.slot:
            yield day


def _calendar_days(days: Sequence[_Day], zone: ZoneInfo, *, names: bool) -> Iterator[CalendarDay]:
    """Yield the days that had slots."""
    for day in days:
        bad = {state: count for state, count in day.bad.items() if count}
        succeeded = day.runs - sum(count for state, count in bad.items() if state != "missed")
        counts = {**({"succeeded": succeeded} if succeeded > 0 else {}), **bad}
        if not counts:
            continue
        calendar_day = CalendarDay(
            day=_local_date(day.begin, zone),
            counts=cast(dict[State, int], counts),
            slot=day.slot if sum(counts.values()) == 1 else None,
        )
        reason = day.reasons.get(calendar_day.worst)
        yield replace(calendar_day, reason=for_display(reason, names=names))


def _local_date(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()
