"""The expected result of each slot by promises 1 to 4, from what the scheduler could know of the clock.

It uses neither the ledger nor the scheduler: its caller says when jobs are scanned, what the clock shows,
and which executions start and end; it judges the rows of the ledger that it is given.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cavecron.schedule import Schedule, next_slot, previous_slot

HOUR = timedelta(hours=1)
INSTANT = timedelta.resolution
#: A clock before this instant is wrong.
EARLIEST_CLOCK = datetime(2020, 1, 1, tzinfo=UTC)


class BrokenPromiseError(AssertionError):
    """The scheduler did something forbidden, or did not do something required."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the ledger."""

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
    """An execution of a job's function."""

    job: str
    slot: datetime
    trigger: str
    run: int
    attempt: int
    process: object
    started: datetime
    started_monotonic: float
    resumed: bool = False
    active: bool = True
    outcome: str = ""
    settled: bool = False
    may_overlap: bool = False

    def __str__(self) -> str:
        run = f"{self.job} {self.slot:%Y-%m-%d %H:%M:%S} {self.trigger} attempt {self.attempt} of {self.run}"
        return f"{run} in {self.process}, started {self.started:%d %H:%M:%S}"


@dataclass(slots=True, kw_only=True, eq=False)
class JobRecord:
    """One job: until when its slots are accounted for, and the slots that passed.

    `due` are the slots that must have a row, `optional` those that may have one.
    """

    schedule: Schedule | None = None
    cursor: datetime | None = None
    due: dict[datetime, Schedule] = field(default_factory=dict)
    optional: dict[datetime, Schedule] = field(default_factory=dict)
    executions: dict[datetime, list[Execution]] = field(default_factory=dict)
    running: list[Execution] = field(default_factory=list)
    missed: dict[int, Schedule] = field(default_factory=dict)
    rows: dict[int, list[datetime]] = field(default_factory=dict)
    row_of_slot: dict[datetime, int] = field(default_factory=dict)


class Oracle:
    """The promises, checked for each job."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobRecord] = {}

    def register(self, job: str, schedule: Schedule | None, now: datetime) -> None:
        """Record that a scheduler follows this job from now on; the schedule is None if it is disabled."""
        record = self.jobs.setdefault(job, JobRecord())
        if record.schedule and schedule and record.schedule.fingerprint == schedule.fingerprint:
            return
        record.optional |= record.due  # slots without a row until now need none
        record.due.clear()
        record.schedule, record.cursor = schedule, now

    def observe(self, now: datetime) -> None:
        """Record that a scheduler could read the clock at `now`, so that slots have passed (promise 3)."""
        if now < EARLIEST_CLOCK:
            return
        for record in self.jobs.values():
            schedule, cursor = record.schedule, record.cursor
            if schedule is None or cursor is None:
                continue
            if now < cursor:  # promise 4: slots in the future count again
                again = [slot for slot in record.due if slot > now]
                record.optional |= {slot: record.due.pop(slot) for slot in again}
            record.due |= dict.fromkeys(slots(schedule, min(cursor, now), now), schedule)
            record.cursor = now

    def may_take_latest(self, job: str, schedule: Schedule, now: datetime) -> None:
        """Record that a process without a cursor may run the latest slot, if it is not too late."""
        latest = previous_slot(schedule, now)
        if latest and now - latest < HOUR:
            self.jobs.setdefault(job, JobRecord()).optional[latest] = schedule

    def begin(self, execution: Execution, schedule: Schedule, scanned_at: datetime) -> None:
        """Judge an execution that starts after a scan at `scanned_at`."""
        record = self.jobs.setdefault(execution.job, JobRecord())
        self._check_alone(record, execution)
        record.running = [other for other in record.running if other.active]
        record.running.append(execution)
        if execution.trigger == "manual":
            return
        past = record.executions.setdefault(execution.slot, [])
        if past:
            self._check_again(execution, past, scanned_at)
        else:
            self._check_first(record, execution, schedule, scanned_at)
        past.append(execution)

    def _check_first(
        self, record: JobRecord, execution: Execution, schedule: Schedule, scanned_at: datetime
    ) -> None:
        slot = execution.slot
        if execution.resumed:  # by a person; the former attempt was claimed and never started
            return
        first = execution.attempt == 1
        _require(slot <= scanned_at, "runs before its time", execution)
        _require(scanned_at - slot < HOUR, f"runs {scanned_at - slot} late", execution)
        _require(
            slot == previous_slot(schedule, scanned_at) or not first, "is not the latest slot", execution
        )
        _require(slot in record.due or slot in record.optional, "was never missed", execution)

    def _check_again(self, execution: Execution, past: list[Execution], scanned_at: datetime) -> None:
        timely = timedelta() <= scanned_at - execution.slot < HOUR
        _require(execution.resumed or timely, "is resumed too late", execution)
        last = past[-1]
        good = any(earlier.settled and earlier.outcome == "good" for earlier in past)
        _require(not good and (execution.resumed or not last.settled), "ran already", execution)
        forgot = last.outcome == "good" and last.process is execution.process
        _require(not forgot, "ran already, and its process knows", execution)
        _require(past[-1].run == execution.run, "runs twice", execution)
        _require(past[-1].attempt < execution.attempt, "is no new attempt", execution)

    def _check_alone(self, record: JobRecord, execution: Execution) -> None:
        for other in record.running:
            if other.active and not other.may_overlap:
                _require(False, f"overlaps {other}", execution)

    def judge(self, rows: Mapping[int, Row], deleted: Iterable[int]) -> None:
        """Judge rows of the ledger that are new or changed: each is true, and no slot has two."""
        for record in self.jobs.values():
            for number in (*deleted, *rows):
                for slot in record.rows.pop(number, ()):
                    del record.row_of_slot[slot]
        for row in rows.values():
            if row.trigger == "manual" or row.job not in self.jobs:
                continue
            record = self.jobs[row.job]
            record.rows[row.id] = self._slots_of_row(record, row)
            for slot in record.rows[row.id]:
                _require(slot not in record.row_of_slot, f"{slot} has two rows", row)
                _require(slot in record.due or slot in record.optional, f"{slot} has not passed", row)
                record.row_of_slot[slot] = row.id

    def _slots_of_row(self, record: JobRecord, row: Row) -> list[datetime]:
        """Return the slots of a row."""
        if row.state != "missed":
            return [row.slot]
        new = row.id not in record.missed
        schedule = record.missed.setdefault(row.id, record.schedule) if record.schedule else None
        if schedule is None:
            return []
        expected = list(slots(schedule, row.slot - INSTANT, row.last))
        if new or schedule == record.schedule:  # a row of another schedule can only lose slots
            ends = (expected[0], expected[-1]) if expected else None
            _require(ends == (row.slot, row.last), "begins or ends with no slot", row)
            _require(len(expected) == row.slots, f"has {row.slots} slots instead of {len(expected)}", row)
        if new and row.finished and row.last == previous_slot(schedule, row.finished):
            _require(row.finished - row.last >= HOUR, "should have run late", row)
        return expected

    def check_complete(self, now: datetime, busy: set[str]) -> None:
        """Judge that every slot has a row, at a moment when everything has been done (promise 1)."""
        for job, record in self.jobs.items():
            if job not in busy and record.schedule is not None:
                unaccounted = sorted(
                    slot for slot in record.due if slot <= now - HOUR / 30 and slot not in record.row_of_slot
                )
                _require(not unaccounted, f"{len(unaccounted)} without a row: {unaccounted[:3]}", job)


def slots(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the slots after an instant, up to and including another."""
    slot = next_slot(schedule, after)
    while slot and slot <= until:
        yield slot
        slot = next_slot(schedule, slot)


def _require(condition: bool, violation: str, subject: object) -> None:
    if not condition:
        raise BrokenPromiseError(f"{violation}: {subject}")
