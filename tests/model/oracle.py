"""The outcome of each slot by promises 1 to 4, from what the scheduler could know of the clock.

It knows neither ledger nor scheduler: it is told when jobs are looked for, what the clock says, and which
executions begin and end; rows of the ledger are handed to it to judge.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cavecron.schedule import Schedule, next_slot, previous_slot

HOUR = timedelta(hours=1)
INSTANT = timedelta.resolution
#: A clock before this is not believed.
SENSIBLE = datetime(2020, 1, 1, tzinfo=UTC)


class BrokenPromiseError(AssertionError):
    """The scheduler did what it must not, or left undone what it must do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the ledger, as somebody reads it."""

    id: int
    job: str
    slot: datetime
    last: datetime
    slots: int
    trigger: str
    state: str
    reason: str
    finished: datetime | None

    def __str__(self) -> str:
        slots = f"{self.slot:%Y-%m-%d %H:%M:%S}" + (
            f" to {self.last} ({self.slots})" if self.slots > 1 else ""
        )
        return f"{self.id}: {self.job} {slots} {self.trigger} {self.state} {self.finished} {self.reason}"


@dataclass(slots=True, kw_only=True, eq=False)
class Execution:
    """A job's function at work."""

    job: str
    slot: datetime
    trigger: str
    run: int
    attempt: int
    process: object
    begun: datetime
    begun_awake: float
    resumed: bool = False
    active: bool = True
    outcome: str = ""
    settled: bool = False
    excused: bool = False

    def __str__(self) -> str:
        told = f"{self.job} {self.slot:%Y-%m-%d %H:%M:%S} {self.trigger} attempt {self.attempt} of {self.run}"
        return f"{told} in {self.process}, begun {self.begun:%d %H:%M:%S}"


@dataclass(slots=True, kw_only=True, eq=False)
class Followed:
    """One job: since when slots are looked for, and those that had their time."""

    schedule: Schedule | None = None
    mark: datetime | None = None
    due: dict[datetime, Schedule] = field(default_factory=dict)
    maybe: dict[datetime, Schedule] = field(default_factory=dict)
    executions: dict[datetime, list[Execution]] = field(default_factory=dict)
    at_work: list[Execution] = field(default_factory=list)
    missed: dict[int, Schedule] = field(default_factory=dict)
    rows: dict[int, list[datetime]] = field(default_factory=dict)
    told: dict[datetime, int] = field(default_factory=dict)


class Oracle:
    """The promises, job by job."""

    def __init__(self) -> None:
        self.jobs: dict[str, Followed] = {}

    def register(self, job: str, schedule: Schedule | None, now: datetime) -> None:
        """Note that a scheduler begins to look for this job, None where it is disabled (promise 4)."""
        followed = self.jobs.setdefault(job, Followed())
        if followed.schedule and schedule and followed.schedule.fingerprint == schedule.fingerprint:
            return
        followed.maybe |= followed.due  # what has no row by now gets none
        followed.due.clear()
        followed.schedule, followed.mark = schedule, now

    def see(self, now: datetime) -> None:
        """Note that a scheduler has the chance to see what the clock says: slots pass (promise 3)."""
        if now < SENSIBLE:
            return
        for followed in self.jobs.values():
            schedule, mark = followed.schedule, followed.mark
            if schedule is None or mark is None:
                continue
            if now < mark:  # promise 4: what comes again counts again
                again = [slot for slot in followed.due if slot > now]
                followed.maybe |= {slot: followed.due.pop(slot) for slot in again}
            followed.due |= dict.fromkeys(slots(schedule, min(mark, now), now), schedule)
            followed.mark = now

    def may_take_latest(self, job: str, schedule: Schedule, now: datetime) -> None:
        """Somebody asks for what is due, who was not looking before."""
        latest = previous_slot(schedule, now)
        if latest and now - latest < HOUR:
            self.jobs.setdefault(job, Followed()).maybe[latest] = schedule

    def begin(self, execution: Execution, schedule: Schedule, looked: datetime) -> None:
        """Judge an execution that begins, of a look at `looked`."""
        followed = self.jobs.setdefault(execution.job, Followed())
        self._check_alone(followed, execution)
        followed.at_work = [other for other in followed.at_work if other.active]
        followed.at_work.append(execution)
        if execution.trigger == "manual":
            return
        past = followed.executions.setdefault(execution.slot, [])
        if past:
            self._check_again(execution, past, looked)
        else:
            self._check_first(followed, execution, schedule, looked)
        past.append(execution)

    def _check_first(
        self, followed: Followed, execution: Execution, schedule: Schedule, looked: datetime
    ) -> None:
        slot = execution.slot
        if execution.resumed:  # by a person, of an attempt that did not get as far as to begin
            return
        first = execution.attempt == 1
        _require(slot <= looked, "runs before its time", execution)
        _require(looked - slot < HOUR, f"runs {looked - slot} late", execution)
        _require(slot == previous_slot(schedule, looked) or not first, "is not the latest slot", execution)
        _require(slot in followed.due or slot in followed.maybe, "was never missed", execution)

    def _check_again(self, execution: Execution, past: list[Execution], looked: datetime) -> None:
        timely = timedelta() <= looked - execution.slot < HOUR
        _require(execution.resumed or timely, "is taken up too late", execution)
        last = past[-1]
        good = any(earlier.settled and earlier.outcome == "good" for earlier in past)
        _require(not good and (execution.resumed or not last.settled), "ran already", execution)
        forgot = last.outcome == "good" and last.process is execution.process
        _require(not forgot, "ran already, and its process knows", execution)
        _require(past[-1].run == execution.run, "runs twice", execution)
        _require(past[-1].attempt < execution.attempt, "is no new attempt", execution)

    def _check_alone(self, followed: Followed, execution: Execution) -> None:
        for other in followed.at_work:
            if other.active and not other.excused:
                _require(False, f"overlaps {other}", execution)

    def judge(self, rows: Mapping[int, Row], gone: Iterable[int]) -> None:
        """Judge what the ledger says now, in rows that are new or changed: nothing false, nothing twice."""
        for followed in self.jobs.values():
            for number in (*gone, *rows):
                for slot in followed.rows.pop(number, ()):
                    del followed.told[slot]
        for row in rows.values():
            if row.trigger == "manual" or row.job not in self.jobs:
                continue
            followed = self.jobs[row.job]
            followed.rows[row.id] = self._told(followed, row)
            for slot in followed.rows[row.id]:
                _require(slot not in followed.told, f"{slot} is told twice", row)
                _require(slot in followed.due or slot in followed.maybe, f"{slot} never had its time", row)
                followed.told[slot] = row.id

    def _told(self, followed: Followed, row: Row) -> list[datetime]:
        """Return the slots that a row speaks of."""
        if row.state != "missed":
            return [row.slot]
        new = row.id not in followed.missed
        schedule = followed.missed.setdefault(row.id, followed.schedule) if followed.schedule else None
        if schedule is None:
            return []
        found = list(slots(schedule, row.slot - INSTANT, row.last))
        if new or schedule == followed.schedule:  # of another schedule's row a part can be taken back only
            ends = (found[0], found[-1]) if found else None
            _require(ends == (row.slot, row.last), "tells of no slots", row)
            _require(len(found) == row.slots, f"tells of {row.slots} slots, there are {len(found)}", row)
        if new and row.finished and row.last == previous_slot(schedule, row.finished):
            _require(row.finished - row.last >= HOUR, "should have been made up for", row)
        return found

    def complain(self, now: datetime, busy: set[str]) -> None:
        """Judge that nothing is forgotten, at a moment when everything has been done (promise 1)."""
        for job, followed in self.jobs.items():
            if job not in busy and followed.schedule is not None:
                forgotten = sorted(
                    slot for slot in followed.due if slot <= now - HOUR / 30 and slot not in followed.told
                )
                _require(not forgotten, f"{len(forgotten)} forgotten: {forgotten[:3]}", job)


def slots(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the slots after an instant, up to and at another."""
    slot = next_slot(schedule, after)
    while slot and slot <= until:
        yield slot
        slot = next_slot(schedule, slot)


def _require(kept: bool, broken: str, what: object) -> None:
    if not kept:
        raise BrokenPromiseError(f"{broken}: {what}")
