"""Which job is to be scanned when, and whether the clock was set back meanwhile.

It reads no clock: instants and seconds are arguments.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from cavecron.jobs.job import Job
from cavecron.ledger.models import JobCursor

#: A step back of the clock that is larger than a correction by NTP.
_STEP_BACK = timedelta(seconds=1)


@dataclass(slots=True, kw_only=True, eq=False)
class JobState:
    """One job as the scheduler follows it; `due` is when to scan it next, None while it runs here.

    `clock_unsure_since` is in seconds of a clock that nobody sets: when the wall clock was last looked at
    before somebody set it back. None where the job was scanned since then.
    """

    job: Job
    cursor: JobCursor
    due: datetime | None = None
    clock_unsure_since: float | None = None


class Plan:
    """The jobs by the instant at which each is to be scanned."""

    def __init__(self, states: Iterable[JobState]) -> None:
        self.states = list(states)
        self._heap: list[tuple[datetime, int, JobState]] = []
        self._numbers = count()

    @property
    def first(self) -> datetime | None:
        """Return when the first job is to be scanned (aware), None where none is."""
        while self._heap and self._heap[0][2].due != self._heap[0][0]:  # it was given another instant
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def add(self, state: JobState, at: datetime) -> None:
        """Have a job scanned at an instant (aware), and not before."""
        state.due = at
        heapq.heappush(self._heap, (at, next(self._numbers), state))

    def take_due(self, now: datetime, most: int) -> list[JobState]:
        """Take the earliest jobs off the plan that are to be scanned by `now` (aware), `most` of them."""
        due: list[JobState] = []
        while len(due) < most and (first := self.first) and first <= now:
            due.append(heapq.heappop(self._heap)[2])
            due[-1].due = None
        return due

    def scan_all(self, now: datetime, *, clock_unsure_since: float) -> None:
        """Have every job scanned that does not run here: the clock was set back."""
        for state in self.states:
            if state.clock_unsure_since is None:
                state.clock_unsure_since = clock_unsure_since
            if state.due:
                self.add(state, now)


def by_certainty(due: Sequence[JobState], now: datetime, looked: float) -> Iterator[Sequence[JobState]]:
    """Yield jobs whose instants can be trusted, and those that were scanned by a clock that was ahead.

    `looked` is when the clock was read before, in seconds of the monotonic clock.
    """
    for state in due:
        ahead = state.cursor.accounted_until and state.cursor.accounted_until > now
        if ahead and state.clock_unsure_since is None:
            state.clock_unsure_since = looked
    sure = [state for state in due if state.clock_unsure_since is None]
    yield from filter(None, (sure, [state for state in due if state.clock_unsure_since is not None]))


class ClockWatch:
    """Whether the wall clock was set back between two readings.

    A step smaller than the time that passed counts too: the monotonic clock says how much passed.
    """

    def __init__(self, now: datetime, monotonic: float) -> None:
        self._now, self.monotonic = now, monotonic

    def look(self, now: datetime, monotonic: float) -> bool:
        """Return whether the clock was set back since the last call."""
        expected = self._now + timedelta(seconds=monotonic - self.monotonic)
        self._now = now
        self.monotonic = monotonic
        return now < expected - _STEP_BACK
