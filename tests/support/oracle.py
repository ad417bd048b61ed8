"""Comparing `cavecron.schedule` with cronsim and with promise 5, at every clock change.

cronsim is the reference for fixed times, without exception. Walking a schedule with a star across a clock
change it has four defects, each described in KNOWN; there, and everywhere else too, promise 5 decides.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import groupby, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from cavecron.schedule import Schedule, count_slots, next_slot, parse, previous_slot
from tests.support.clock_changes import Change

UTC_ZONE = ZoneInfo("UTC")
#: What an alias stands for; cronsim knows none.
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

#: Expressions that have many slots an hour, and are looked at for some hours only.
DENSE = (
    *("* * * * *", "*/5 * * * *", "*/7 * * * *", "1-59/2 * * * *", "* 0-3 * * *", "*/10 1,2,3 * * *"),
    *(
        "*/20 2 * * *",
        "0-59 2 * * *",
        "0-59 * * * *",
        "*/15 * * * mon",
        "*/30 */2 * * *",
        "0-59/10 0-23 * * *",
    ),
    *("*/15 0 * * *", "*/15 0 * * sun", "*/20 23 * * sat"),
)
#: Expressions with at most some slots a day: fixed, lists, ranges, steps, weekdays, month ends.
SPARSE = (
    *("0 0 * * *", "30 0 * * *", "0 1 * * *", "30 1 * * *", "0 2 * * *", "15 2 * * *", "30 2 * * *"),
    *("0 3 * * *", "30 23 * * *", "59 23 * * *", "0 8 * * mon", "0 3 * * sun", "30 2 * * sun", "30 2 * * 7"),
    *("0,30 0-4 * * *", "10 1,2,3 * * *", "0 1-3/2 * * *", "5/20 2 * * *", "0 2,3 * * sat,sun"),
    *("0 * * * *", "0 */3 * * *", "30 */2 * * *", "15 * * * 1-5", "20 * * * sun"),
    *("0 2 1 * *", "30 2 25-31 * sun", "30 2 1-7 3,4,9,10,11 */7", "0 0 */2 * sun", "0 0 13 * fri"),
    *(
        "30 2 l * *",
        "0 0 15,L * *",
        "30 2 * * sun#1",
        "30 2 * * 0L",
        "0 2 * mar-apr sun#2,sun#3",
        "0 0 29 2 *",
    ),
    *("0 0 31 * *", "45 23 28-31 * *"),
    *ALIASES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where two of the three disagree; `reason` is that of KNOWN, '' where there is none."""

    text: str
    reason: str


_Where = Callable[[Change, bool], bool]
_MIDNIGHT = time(0)

#: Why cronsim differs with a schedule that has a star, and at which changes (the flag: walking backward).
KNOWN: Mapping[str, _Where] = {
    "cronsim names a midnight that the clocks skip": lambda change, back: (
        not back and change.forward and change.wall_before.time() == _MIDNIGHT
    ),
    "cronsim steps by whole hours, which a change within an hour throws out of step": lambda change, back: (
        bool(change.wall_before.minute or change.wall_after.minute)
    ),
    "going back, cronsim enters a repeated last hour of a day in its first round": lambda change, back: (
        back and not change.forward and change.wall_before.time() == _MIDNIGHT
    ),
    "going back, cronsim enters a skipped last hour of a day and ticks there for ever": lambda change, back: (
        back and change.forward and change.wall_after.time() == _MIDNIGHT
    ),
}


class StuckError(Exception):
    """cronsim does not come to an end."""


class _Walk(CronSim):
    """cronsim with a limit of steps, because at some clock changes it never ends."""

    patience = 100_000

    def tick(self, seconds: int = 1) -> None:
        self.patience -= 1
        if self.patience < 0:
            raise StuckError
        super().tick(seconds)


def forward(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Return cronsim's slots after `start`, up to and at `end`."""
    walk = _Walk(ALIASES.get(expression, expression), start.astimezone(zone))
    return _once(takewhile(lambda slot: slot <= end, (slot.astimezone(UTC) for slot in walk)))


def backward(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Return cronsim's slots before `end`, down to but not at `start`, latest first."""
    walk = _Walk(ALIASES.get(expression, expression), end.astimezone(zone), reverse=True)
    return _once(takewhile(lambda slot: slot > start, (slot.astimezone(UTC) for slot in walk)))


def by_definition(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Return what promise 5 says, word by word: slots after `start`, up to and at `end`, whole minutes.

    cronsim only says which local times the expression names; it gets no zone.
    """
    expression = ALIASES.get(expression, expression)
    day = timedelta(days=1)
    naive = CronSim(expression, (start - day).replace(tzinfo=None))
    times = list(takewhile(lambda moment: moment <= (end + day).replace(tzinfo=None), naive))
    if starred(expression):
        wanted, minutes = set(times), round((end - start) / timedelta(minutes=1))
        instants = (start + timedelta(minutes=minute) for minute in range(1, minutes + 1))
        return [one for one in instants if one.astimezone(zone).replace(tzinfo=None) in wanted]
    return _once(slot for slot in (_fixed(moment, zone) for moment in times) if start < slot <= end)


def _fixed(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the first round of a local time, the first minute after the gap for a skipped one."""
    while True:
        slot = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if slot.astimezone(zone).replace(tzinfo=None) == moment:
            return slot
        moment += timedelta(minutes=1)


def starred(expression: str) -> bool:
    """Return whether minute or hour begins with a star."""
    minute, hour, *_ = ALIASES.get(expression, expression).split()
    return minute.startswith("*") or hour.startswith("*")


def _once(slots: Iterable[datetime]) -> list[datetime]:
    """Drop repetitions: cronsim names an instant again for each local time that a gap moves to it."""
    return [slot for slot, _ in groupby(slots)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """An expression and some hours around a clock change, whole minutes."""

    expression: str
    change: Change
    schedule: Schedule

    @property
    def margin(self) -> timedelta:
        return timedelta(hours=4 if self.expression in DENSE else 40)

    @property
    def start(self) -> datetime:
        return self.change.at.replace(second=0) - self.margin

    @property
    def end(self) -> datetime:
        return self.change.at.replace(second=0) + self.margin

    def difference(self, what: str, instants: Iterable[datetime], reason: str = "") -> Difference:
        shown = ", ".join(one.astimezone(self.change.zone).isoformat() for one in sorted(instants)[:3])
        return Difference(text=f"{what}: '{self.expression}' {self.change}: {shown}", reason=reason)


def differences(expression: str, change: Change) -> Iterator[Difference]:
    """Yield where cavecron, cronsim and the definition disagree around this change."""
    case = _Case(expression=expression, change=change, schedule=parse(expression, change.zone))
    slots = by_definition(expression, change.zone, case.start, case.end)
    for what, ours in (("next_slot", list(_ours(case))), ("last_slot", list(_ours_back(case))[::-1])):
        if ours != slots:
            yield case.difference(what, set(ours) ^ set(slots))
    wrong = [at for at in _instants(change) if not _agrees(case, slots, at)]
    if wrong:
        yield case.difference("from an instant between slots", wrong)
    for back in (False, True):
        theirs = _theirs(case, back=back)
        if theirs != slots:
            what = "cronsim, backward" if back else "cronsim"
            yield case.difference(what, set(theirs or ()) ^ set(slots), _reason(case, back=back))


def _ours(case: _Case) -> Iterator[datetime]:
    schedule, end = case.schedule, case.end
    slot = next_slot(schedule, case.start)
    while slot and slot <= end:
        yield slot
        slot = next_slot(schedule, slot)


def _ours_back(case: _Case) -> Iterator[datetime]:
    schedule, start = case.schedule, case.start
    slot = previous_slot(schedule, case.end)
    while slot and slot > start:
        yield slot
        slot = previous_slot(schedule, slot - timedelta.resolution)


def _theirs(case: _Case, *, back: bool) -> list[datetime] | None:
    zone = case.change.zone
    try:
        if back:
            return backward(case.expression, zone, case.start, case.end + timedelta(seconds=1))[::-1]
        return forward(case.expression, zone, case.start, case.end)
    except StuckError:
        return None


def _instants(change: Change) -> Iterator[datetime]:
    """Yield instants within three hours of the change that are not whole minutes."""
    return (change.at + timedelta(minutes=minute, microseconds=7) for minute in range(-180, 181, 20))


def _agrees(case: _Case, slots: Sequence[datetime], at: datetime) -> bool:
    """Return whether next, last and count at this instant are what the slots say."""
    place = bisect_right(slots, at)
    following, preceding = next_slot(case.schedule, at), previous_slot(case.schedule, at)
    next_agrees = following == slots[place] if place < len(slots) else not following or following > case.end
    last_agrees = preceding == slots[place - 1] if place else not preceding or preceding <= case.start
    return next_agrees and last_agrees and count_slots(case.schedule, case.start, at) == place


def _reason(case: _Case, *, back: bool) -> str:
    if not starred(case.expression):
        return ""
    return next((reason for reason, where in KNOWN.items() if where(case.change, back)), "")
