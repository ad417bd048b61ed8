"""The result of a simulation by local days: on each day, what happened to the machine, and its slots.

All instants are by the wall clock of the machine, as the slots are: if it is set forward, some time is
skipped, and if it is set back, some time comes twice. Pure.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Literal
from zoneinfo import ZoneInfo

from cavecron.simulation.models import Scenario, SlotOutcome, TimeRange
from cavecron.simulation.wording import kind

#: More than three slots with the same outcome, each less than an hour after the one before, are one band.
_CLOSE = timedelta(hours=1)
_FEW = 3
#: A local time at the beginning of a reason.
_TIME = re.compile(r"^[0-9]{2}:[0-9]{2}\b")


TroubleKind = Literal["down", "asleep", "jump"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A disturbance of the machine from `begin` to `end` (aware instants of the wall clock).

    cavecron is `down`, the machine is `asleep`, or its clock is set: `jump`, forward or back `by` a span.
    """

    begin: datetime
    end: datetime
    kind: TroubleKind
    by: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotGroup:
    """Consecutive slots of one job that had the same outcome for the same reasons."""

    outcomes: Sequence[SlotOutcome]

    @property
    def first(self) -> SlotOutcome:
        """Return the earliest one."""
        return self.outcomes[0]

    @property
    def last(self) -> SlotOutcome:
        """Return the latest one."""
        return self.outcomes[-1]

    @property
    def kind(self) -> str:
        """Return the outcome of all its slots, as `wording.kind` names it."""
        return kind(self.first)

    @property
    def reasons(self) -> Sequence[str]:
        """Return the reasons of all its slots; of several, 'l’heure' stands for each slot's time."""
        return self.first.reasons if len(self.outcomes) == 1 else _timeless(self.first)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineDay:
    """A local day from midnight to midnight (aware): the troubles of the machine, and the slots by job."""

    day: date
    begin: datetime
    end: datetime
    troubles: Sequence[Trouble]
    jobs: Sequence[tuple[str, Sequence[SlotGroup]]]

    @property
    def quiet(self) -> bool:
        """Return whether all slots were on time, without a reason to mention, and nothing else happened."""
        groups = (group for _name, groups in self.jobs for group in groups)
        return not self.troubles and all(
            group.kind == "succeeded" and not group.first.reasons for group in groups
        )

    @property
    def slots(self) -> int:
        """Return how many slots the day has."""
        return sum(len(group.outcomes) for _name, groups in self.jobs for group in groups)


def timeline(scenario: Scenario, outcomes: Sequence[SlotOutcome], zone: ZoneInfo) -> list[TimelineDay]:
    """Return the days of the simulated period in `zone`, in their order."""
    all_troubles = troubles(scenario)
    by_day: dict[date, list[SlotOutcome]] = defaultdict(list)
    for outcome in outcomes:
        by_day[outcome.slot.astimezone(zone).date()].append(outcome)
    instants = [scenario.period.begin, wall_clock(scenario, scenario.period.end) - timedelta.resolution]
    instants += [instant for trouble in all_troubles for instant in (trouble.begin, trouble.end)]
    instants += [outcome.slot for outcome in outcomes]
    day, last = min(instants).astimezone(zone).date(), max(instants).astimezone(zone).date()
    days = []
    while day <= last:
        begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        of_day = [trouble for trouble in all_troubles if trouble.begin < end and trouble.end > begin]
        jobs = tuple(_by_job(by_day[day]))
        days.append(TimelineDay(day=day, begin=begin, end=end, troubles=of_day, jobs=jobs))
        day += timedelta(days=1)
    return days


def troubles(scenario: Scenario) -> list[Trouble]:
    """Return what happens to the machine, in order of time by its own clock."""
    downtimes: list[tuple[TroubleKind, TimeRange]] = [("down", period) for period in scenario.down]
    downtimes += [("asleep", period) for period in scenario.asleep]
    unsorted = []
    for name, period in downtimes:
        ends = (wall_clock(scenario, period.begin), wall_clock(scenario, period.end))
        unsorted.append(Trouble(begin=min(ends), end=max(ends), kind=name))
    for step in scenario.steps:
        after = wall_clock(scenario, step.at)
        ends = (after - step.by, after)
        unsorted.append(Trouble(begin=min(ends), end=max(ends), kind="jump", by=step.by))
    return sorted(unsorted, key=lambda trouble: (trouble.begin, trouble.end))


def wall_clock(scenario: Scenario, true: datetime) -> datetime:
    """Return the time of the machine's clock at an instant of true time (both aware)."""
    return true + sum((step.by for step in scenario.steps if step.at <= true), timedelta())


def in_a_row(outcomes: Sequence[SlotOutcome]) -> list[SlotGroup]:
    """Return the slots grouped by job, outcome and reasons, in the order of each group's first slot."""
    groups = [
        group
        for name in sorted({outcome.job for outcome in outcomes})
        for group in _grouped([outcome for outcome in outcomes if outcome.job == name], _same)
    ]
    return sorted(groups, key=lambda group: (group.first.slot, group.first.job))


def _by_job(outcomes: Sequence[SlotOutcome]) -> Iterator[tuple[str, Sequence[SlotGroup]]]:
    ordered = sorted(outcomes, key=lambda outcome: (outcome.job, outcome.slot))
    for name, slots in groupby(ordered, key=lambda outcome: outcome.job):
        yield name, [part for group in _grouped(list(slots), _close) for part in _few_apart(group)]


def _few_apart(group: SlotGroup) -> Iterator[SlotGroup]:
    """Yield a group, or, if it is small, each of its slots, because there is room for their marks."""
    if len(group.outcomes) > _FEW:
        yield group
    else:
        yield from (SlotGroup(outcomes=[outcome]) for outcome in group.outcomes)


def _grouped(
    outcomes: Sequence[SlotOutcome], belong: Callable[[SlotOutcome, SlotOutcome], bool]
) -> list[SlotGroup]:
    """Return consecutive outcomes as groups; `belong` says whether two neighbours are in the same one."""
    groups: list[list[SlotOutcome]] = []
    for outcome in outcomes:
        if groups and belong(groups[-1][-1], outcome):
            groups[-1].append(outcome)
        else:
            groups.append([outcome])
    return [SlotGroup(outcomes=group) for group in groups]


def _same(one: SlotOutcome, other: SlotOutcome) -> bool:
    """Return whether two slots can share a line; one that ran late cannot, its time is shown."""
    return kind(one) == kind(other) != "made up" and _timeless(one) == _timeless(other)


def _timeless(outcome: SlotOutcome) -> Sequence[str]:
    """Return the reasons without the slot's own time, so that those of its neighbours are equal."""
    return [_TIME.sub("l’heure", reason) for reason in outcome.reasons]


def _close(one: SlotOutcome, other: SlotOutcome) -> bool:
    return _same(one, other) and other.slot - one.slot < _CLOSE


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
