"""The slots of a schedule: the next, the last, how many, and which of those just passed count.

Pure: it takes instants and returns instants, aware, in UTC. Local time is as Debian's cron(8) has it,
read as cronsim reads it. A fixed time that a clock change skips has its slot at the first instant
after the gap; one that comes twice has it the first time round. A schedule whose minute or hour begins
with a star follows elapsed time: no slot for skipped local times, one in each round of repeated ones.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cavecron.schedule import calendar
from cavecron.schedule.cron import Fields, ScheduleError, read
from cavecron.schedule.zones import EPOCH, WINDOW, Stretch, stretch

#: A slot that is less than this late is made up for.
GRACE = timedelta(seconds=3600)

#: The calendar without some days at its ends, so that no local time falls out of it.
_FIRST = (datetime(1, 1, 6, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
_LAST = (datetime(9999, 12, 26, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A cron expression in a time zone; `expression` has single blanks."""

    expression: str
    zone: ZoneInfo
    fields: Fields = field(repr=False, compare=False)

    @property
    def identity(self) -> str:
        """Return what changes when the schedule does."""
        return f"{self.expression} {self.zone.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Slots missed in a row."""

    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What is to be done about slots that have passed: run one, note the others as missed."""

    due: datetime | None
    missed: Gap | None


def parse(expression: str, zone: ZoneInfo) -> Schedule:
    """Return the schedule of five fields, or an alias such as @weekly, in local time of `zone`.

    Raises:
        ScheduleError: it is no such expression, or names no day that ever comes.

    """
    fields = read(expression)
    if not calendar.ever(fields):
        raise ScheduleError("cette date n'arrive jamais : un jour que son mois peut avoir est attendu")
    return Schedule(expression=" ".join(expression.split()), zone=zone, fields=fields)


def next_slot(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first slot strictly after an instant; None where the calendar ends."""
    at = max(_seconds(after) + 1, _FIRST)
    while at <= _LAST:
        around = stretch(schedule.zone, at)
        minute = calendar.first(schedule.fields, _from(schedule, around, at))
        if minute is None:
            return None
        slot = max(minute * 60 - around.offset, around.begin)
        if slot < around.end:
            return _instant(slot)
        # Days without a slot or a clock change are skipped.
        unchanged = around.end == at + WINDOW
        at = max(around.end, slot - WINDOW) if unchanged else around.end
    return None


def last_slot(schedule: Schedule, until: datetime) -> datetime | None:
    """Return the latest slot at or before an instant; None where the calendar begins."""
    at = min(_seconds(until), _LAST)
    while at >= _FIRST:
        around = stretch(schedule.zone, at)
        minute = calendar.last(schedule.fields, (at + around.offset) // 60)
        if minute is None:
            return None
        if minute * 60 >= _wall_begin(schedule, around):
            return _instant(max(minute * 60 - around.offset, around.begin))
        unchanged = around.begin == at - WINDOW
        at = around.begin - 1
        if unchanged:
            at = min(at, minute * 60 - around.offset + WINDOW)
    return None


def count_slots(schedule: Schedule, after: datetime, until: datetime) -> int:
    """Return how many slots lie after one instant, up to and at the other."""
    at, end = max(_seconds(after) + 1, _FIRST), min(_seconds(until), _LAST) + 1
    slots = 0
    while at < end:
        around = stretch(schedule.zone, at, reach=end)
        stop = _minute(min(end, around.end) + around.offset)
        slots += calendar.count(schedule.fields, _from(schedule, around, at), stop)
        if schedule.fields.fixed and at == around.begin:
            # All skipped times share one slot, also with the time that the clocks jump to.
            jump = _minute(around.wall_before), _minute(around.begin + around.offset + 1)
            slots -= max(0, calendar.count(schedule.fields, *jump) - 1)
        at = around.end
    return slots


def passed(schedule: Schedule, looked: datetime, now: datetime) -> Passed:
    """Return what became of the slots after `looked`, up to and at `now`.

    The latest of them counts: it is due if it is less than an hour late. All others were missed.
    """
    latest = last_slot(schedule, now)
    if latest is None or latest <= looked:
        return Passed(due=None, missed=None)
    if now - latest >= GRACE:
        return Passed(due=None, missed=gap(schedule, looked, latest))
    return Passed(due=latest, missed=gap(schedule, looked, latest - timedelta.resolution))


def gap(schedule: Schedule, after: datetime, until: datetime) -> Gap | None:
    """Return the slots after one instant, up to and at the other; None where there are none."""
    first, last = next_slot(schedule, after), last_slot(schedule, until)
    if first is None or last is None or last < first:
        return None
    return Gap(first=first, last=last, count=count_slots(schedule, after, until))


def _from(schedule: Schedule, around: Stretch, at: int) -> int:
    """Return the local minute from which on slots at or after the instant `at` are found."""
    if not schedule.fields.fixed:
        return _minute(at + around.offset)
    if at == around.begin:
        return _minute(around.wall_before)
    return _minute(max(at + around.offset, around.wall_before))


def _wall_begin(schedule: Schedule, around: Stretch) -> int:
    """Return the local second from which on this stretch has slots."""
    return around.wall_before if schedule.fields.fixed else around.begin + around.offset


def _minute(wall: int) -> int:
    """Return the first whole minute at or after a local second."""
    return -(-wall // 60)


def _seconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(seconds=1)


def _instant(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
