"""The slots of a schedule: the next, the last, how many, and which of those just passed count.

Pure: it takes instants and returns instants, aware, in UTC. Local time is as Debian's cron(8) has it,
read as cronsim reads it. A fixed time that a clock change skips has its slot at the first instant
after the gap; one that comes twice has it the first time round. A schedule whose minute or hour begins
with a star follows elapsed time: no slot for skipped local times, one in each round of repeated ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cavecron.schedule import calendar
from cavecron.schedule.cron import CronFields, ScheduleError, parse_fields
from cavecron.schedule.zones import EPOCH, WINDOW, OffsetPeriod, offset_period

#: A slot that is less than this late is made up for.
GRACE = timedelta(seconds=3600)

#: By how much a clock change brings two slots nearer to each other at most; only Samoa's of 2011 did more.
_CLOCK_CHANGE = timedelta(hours=4)

#: The calendar without some days at its ends, so that no local time falls out of it.
_FIRST = (datetime(1, 1, 6, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
_LAST = (datetime(9999, 12, 26, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A cron expression in a time zone; `expression` has single blanks."""

    expression: str
    zone: ZoneInfo
    fields: CronFields = field(repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """Return what changes when the schedule does."""
        return f"{self.expression} {self.zone.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRange:
    """Slots missed in a row."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAndMissed:
    """What is to be done about slots that have passed: run one, note the others as missed."""

    due: datetime | None
    missed: SlotRange | None


def parse(expression: str, zone: ZoneInfo) -> Schedule:
    """Return the schedule of five fields, or an alias such as @weekly, in local time of `zone`.

    Raises:
        ScheduleError: it is no such expression, or names no day that ever comes.

    """
    fields = parse_fields(expression)
    if not calendar.ever(fields):
        raise ScheduleError("cette date n'arrive jamais : un jour que son mois peut avoir est attendu")
    return Schedule(expression=" ".join(expression.split()), zone=zone, fields=fields)


def next_slot(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first slot strictly after an instant; None where the calendar ends."""
    return _first_slot(schedule, max(_seconds(after) + 1, _FIRST))


def slots_after(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield all slots strictly after an instant, in order of time."""
    slot = next_slot(schedule, after)
    while slot is not None:
        yield slot
        slot = next_slot(schedule, slot)


@lru_cache(maxsize=256)  # a scan, the plan after its run and the scan after that ask the same
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
        # Days without a slot or a clock change are skipped.
        unchanged = period.end == at + WINDOW
        at = max(period.end, slot - WINDOW) if unchanged else period.end
    return None


def previous_slot(schedule: Schedule, until: datetime) -> datetime | None:
    """Return the latest slot at or before an instant; None where the calendar begins."""
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
    """Return whether surely no slot lies after `slot`, up to and at `until`; False where that is not plain.

    It compares numbers only: who asks every few minutes whether all is well, and nearly always gets a yes,
    does without croniter.
    """
    local, fields = slot.astimezone(schedule.zone), schedule.fields
    if (fields.hours, fields.minutes) != ((local.hour,), (local.minute,)):
        return False
    weekly = len(fields.weekdays) == 1 and fields.every_day_of_month and fields.day_and_weekday
    if weekly and local.isoweekday() % 7 not in fields.weekdays:
        return False
    return until < slot + timedelta(days=7 if weekly else 1) - _CLOCK_CHANGE


def count_slots(schedule: Schedule, after: datetime, until: datetime) -> int:
    """Return how many slots lie after one instant, up to and at the other."""
    at, end = max(_seconds(after) + 1, _FIRST), min(_seconds(until), _LAST) + 1
    slots = 0
    while at < end:
        period = offset_period(schedule.zone, at, reach=end)
        stop = _minute(min(end, period.end) + period.offset)
        slots += calendar.count(schedule.fields, _from(schedule, period, at), stop)
        if schedule.fields.fixed_time and at == period.begin:
            # All skipped times share one slot, also with the time that the clocks jump to.
            jump = _minute(period.wall_clock_before), _minute(period.begin + period.offset + 1)
            slots -= max(0, calendar.count(schedule.fields, *jump) - 1)
        at = period.end
    return slots


def due_and_missed(schedule: Schedule, since: datetime, now: datetime) -> DueAndMissed:
    """Return what became of the slots after `since`, up to and at `now`.

    The latest of them counts: it is due if it is less than an hour late. All others were missed.
    """
    first = next_slot(schedule, since)
    if first is None or first > now:
        return DueAndMissed(due=None, missed=None)
    second = next_slot(schedule, first)  # nearly always to come: what is asked next, and remembered
    latest = first if second is None or second > now else previous_slot(schedule, now) or first
    if now - latest >= GRACE:
        return DueAndMissed(due=None, missed=slots_between(schedule, since, latest))
    missed = slots_between(schedule, since, latest - timedelta.resolution) if latest > first else None
    return DueAndMissed(due=latest, missed=missed)


def slots_between(schedule: Schedule, after: datetime, until: datetime) -> SlotRange | None:
    """Return the slots after one instant, up to and at the other; None where there are none."""
    first, last = next_slot(schedule, after), previous_slot(schedule, until)
    if first is None or last is None or last < first:
        return None
    return SlotRange(first=first, last=last, count=count_slots(schedule, after, until))


def _from(schedule: Schedule, period: OffsetPeriod, at: int) -> int:
    """Return the local minute from which on slots at or after the instant `at` are found."""
    if not schedule.fields.fixed_time:
        return _minute(at + period.offset)
    if at == period.begin:
        return _minute(period.wall_clock_before)
    return _minute(max(at + period.offset, period.wall_clock_before))


def _wall_begin(schedule: Schedule, period: OffsetPeriod) -> int:
    """Return the local second from which on this period has slots."""
    return period.wall_clock_before if schedule.fields.fixed_time else period.begin + period.offset


def _minute(wall: int) -> int:
    """Return the first whole minute at or after a local second."""
    return -(-wall // 60)


def _seconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(seconds=1)


def _instant(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
