"""The slots of a schedule: the next, the previous, how many, and which of those that passed are due.

Pure: it takes and returns aware instants, in UTC. Clock changes are handled as by Debian's cron(8) and
cronsim. A fixed time that a clock change skips has its slot at the first instant after the gap; a fixed time
that occurs twice has it the first time. A schedule whose minute or hour begins with a star follows elapsed
time: it has no slot for skipped local times, and a slot in both occurrences of repeated ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cavecron.schedule import calendar
from cavecron.schedule.cron import CronFields, ScheduleError, parse_fields
from cavecron.schedule.zones import EPOCH, WINDOW, OffsetPeriod, offset_period

#: A slot can still run if it is less than this late.
GRACE = timedelta(seconds=3600)

#: The most by which a clock change brings two slots nearer to each other; only Samoa's of 2011 did more.
_CLOCK_CHANGE = timedelta(hours=4)

#: The calendar without some days at both ends, so that every local time is within it.
_FIRST = (datetime(1, 1, 6, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
_LAST = (datetime(9999, 12, 26, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A cron expression in a time zone; in `expression`, fields are separated by single blanks."""

    expression: str
    zone: ZoneInfo
    fields: CronFields = field(repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """Return the text that identifies the schedule: expression and zone."""
        return f"{self.expression} {self.zone.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRange:
    """Consecutive slots from `first` to `last` (aware), `count` of them."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAndMissed:
    """Slots that have passed: the one to run now (aware), and those to be recorded as missed."""

    due: datetime | None
    missed: SlotRange | None


def parse(expression: str, zone: ZoneInfo) -> Schedule:
    """Return the schedule for five fields, or an alias such as @weekly, in local time of `zone`.

    Raises:
        ScheduleError: the expression is not valid, or no day ever matches it.

    """
    fields = parse_fields(expression)
    if not calendar.ever(fields):
        raise ScheduleError("cette date n'arrive jamais : un jour que son mois peut avoir est attendu")
    return Schedule(expression=" ".join(expression.split()), zone=zone, fields=fields)


def next_slot(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first slot strictly after an instant (aware); None at the end of the calendar."""
    return _first_slot(schedule, max(_seconds(after) + 1, _FIRST))


def slots_after(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield all slots strictly after an instant (aware), in order."""
    slot = next_slot(schedule, after)
    while slot is not None:
        yield slot
        slot = next_slot(schedule, slot)


@lru_cache(maxsize=256)  # successive scans and plans ask for the same slot
def _first_slot(schedule: Schedule, at: int) -> datetime | None:
    """Return the first slot at or after an instant, in seconds since 1970."""
    while at <= _LAST:
        period = offset_period(schedule.zone, at)
        minute = calendar.first(schedule.fields, _from(schedule, period, at))
        if minute is None:
            return None
        slot = max(minute * 60 - period.offset, period.begin)
        if slot < period.end:
            return _instant(slot)
        # Skip days without a slot and without a clock change.
        unchanged = period.end == at + WINDOW
        at = max(period.end, slot - WINDOW) if unchanged else period.end
    return None


def previous_slot(schedule: Schedule, until: datetime) -> datetime | None:
    """Return the latest slot at or before an instant (aware); None at the beginning of the calendar."""
    at = min(_seconds(until), _LAST)
    while at >= _FIRST:
        period = offset_period(schedule.zone, at)
        minute = calendar.last(schedule.fields, (at + period.offset) // 60)
        if minute is None:
            return None
        if minute * 60 >= _wall_begin(schedule, period):
            return _instant(max(minute * 60 - period.offset, period.begin))
        unchanged = period.begin == at - WINDOW
        at = period.begin - 1
        if unchanged:
            at = min(at, minute * 60 - period.offset + WINDOW)
    return None


def none_follows(schedule: Schedule, slot: datetime, until: datetime) -> bool:
    """Return whether certainly no slot lies after `slot` up to `until` (aware, included); False if unsure.

    It only compares numbers, so that a frequent check, whose answer is nearly always True, need not load
    croniter.
    """
    local, fields = slot.astimezone(schedule.zone), schedule.fields
    if (fields.hours, fields.minutes) != ((local.hour,), (local.minute,)):
        return False
    weekly = len(fields.weekdays) == 1 and fields.every_day_of_month and fields.day_and_weekday
    if weekly and local.isoweekday() % 7 not in fields.weekdays:
        return False
    return until < slot + timedelta(days=7 if weekly else 1) - _CLOCK_CHANGE


def count_slots(schedule: Schedule, after: datetime, until: datetime) -> int:
    """Return how many slots lie after one instant up to the other (aware, included)."""
    at, end = max(_seconds(after) + 1, _FIRST), min(_seconds(until), _LAST) + 1
    slots = 0
    while at < end:
        period = offset_period(schedule.zone, at, reach=end)
        stop = _minute(min(end, period.end) + period.offset)
        slots += calendar.count(schedule.fields, _from(schedule, period, at), stop)
        if schedule.fields.fixed_time and at == period.begin:
            # All skipped times, and the time to which the clocks jump, share one slot.
            jump = _minute(period.wall_clock_before), _minute(period.begin + period.offset + 1)
            slots -= max(0, calendar.count(schedule.fields, *jump) - 1)
        at = period.end
    return slots


def due_and_missed(schedule: Schedule, since: datetime, now: datetime) -> DueAndMissed:
    """Return which of the slots after `since` up to `now` (aware, included) is due, and which were missed.

    Only the latest of them can be due, if it is less than an hour late. All others were missed.
    """
    first = next_slot(schedule, since)
    if first is None or first > now:
        return DueAndMissed(due=None, missed=None)
    second = next_slot(schedule, first)  # usually in the future, and then cached for the next call
    latest = first if second is None or second > now else previous_slot(schedule, now) or first
    if now - latest >= GRACE:
        return DueAndMissed(due=None, missed=slots_between(schedule, since, latest))
    missed = slots_between(schedule, since, latest - timedelta.resolution) if latest > first else None
    return DueAndMissed(due=latest, missed=missed)


def slots_between(schedule: Schedule, after: datetime, until: datetime) -> SlotRange | None:
    """Return the slots after one instant up to the other (aware, included); None if there are none."""
    first, last = next_slot(schedule, after), previous_slot(schedule, until)
    if first is None or last is None or last < first:
        return None
    return SlotRange(first=first, last=last, count=count_slots(schedule, after, until))


def _from(schedule: Schedule, period: OffsetPeriod, at: int) -> int:
    """Return the first local minute that can have a slot at or after the instant `at`."""
    if not schedule.fields.fixed_time:
        return _minute(at + period.offset)
    if at == period.begin:
        return _minute(period.wall_clock_before)
    return _minute(max(at + period.offset, period.wall_clock_before))


def _wall_begin(schedule: Schedule, period: OffsetPeriod) -> int:
    """Return the first local second that can have a slot in this period."""
    return period.wall_clock_before if schedule.fields.fixed_time else period.begin + period.offset


def _minute(wall: int) -> int:
    """Return the first whole minute at or after a local second."""
    return -(-wall // 60)


def _seconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(seconds=1)


def _instant(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
