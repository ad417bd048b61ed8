"""When each job is to be scanned next, and whether the clock was set back since the last reading.

It reads no clock: instants and seconds are arguments.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from cavecron.jobs.job import Job
from cavecron.ledger.models import JobCursor

#: Smaller steps back of the clock are corrections by NTP, and ignored.
_STEP_BACK = timedelta(seconds=1)


@dataclass(slots=True, kw_only=True, eq=False)
class JobState:
    """The scheduler's state of one job; `due` is when to scan it next (aware), None while it runs here.

    `clock_unsure_since` is when the wall clock was last read before it was set back, in seconds of the
    monotonic clock; None if the job was scanned since then.
    """

    job: Job
    cursor: JobCursor
    due: datetime | None = None
    clock_unsure_since: float | None = None


class ScanQueue:
    """A priority queue of the jobs, by the instant at which each is to be scanned."""

    def __init__(self, states: Iterable[JobState]) -> None:
        self.states = list(states)
        self._heap: list[tuple[datetime, int, JobState]] = []
        self._numbers = count()

    @property
    def first(self) -> datetime | None:
        """Return when the first job is to be scanned (aware), None if none is."""
        while self._heap and self._heap[0][2].due != self._heap[0][0]:  # another instant was set
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def add(self, state: JobState, at: datetime) -> None:
        """Schedule the next scan of a job for the instant `at` (aware), in place of any other."""
        state.due = at
        heapq.heappush(self._heap, (at, next(self._numbers), state))

    def take_due(self, now: datetime, most: int) -> list[JobState]:
        """Remove and return the jobs to be scanned by `now` (aware), the earliest first, at most `most`."""
        due: list[JobState] = []
        while len(due) < most and (first := self.first) and first <= now:
            due.append(heapq.heappop(self._heap)[2])
            due[-1].due = None
        return due

    def scan_all(self, now: datetime, *, clock_unsure_since: float) -> None:
        """Schedule a scan of every job that does not run here, as the clock was set back to `now` (aware).

        `clock_unsure_since` is in seconds of the monotonic clock.
        """
        for state in self.states:
            if state.clock_unsure_since is None:
                state.clock_unsure_since = clock_unsure_since
            if state.due:
                self.add(state, now)


def trusted_first(
    due: Sequence[JobState], now: datetime, last_reading: float
) -> Iterator[Sequence[JobState]]:
    """Yield the jobs whose last scan can be trusted, then those scanned while the clock was ahead.

    `now` is aware; `last_reading` is when the clock was last read, in seconds of the monotonic clock.
    """
    for state in due:
        ahead = state.cursor.accounted_until and state.cursor.accounted_until > now
        if ahead and state.clock_unsure_since is None:
            state.clock_unsure_since = last_reading
    sure = [state for state in due if state.clock_unsure_since is None]
    yield from filter(None, (sure, [state for state in due if state.clock_unsure_since is not None]))


class ClockWatch:
    """Detects that the wall clock was set back between two readings.

    The monotonic clock tells how much time passed, so that a step smaller than that is detected too. Instants
    are aware.
    """

    def __init__(self, now: datetime, monotonic: float) -> None:
        self._now, self.monotonic = now, monotonic

    def was_set_back(self, now: datetime, monotonic: float) -> bool:
        """Return whether the clock, which shows `now` (aware), was set back since the last call.

        `monotonic` is in seconds.
        """
        expected = self._now + timedelta(seconds=monotonic - self.monotonic)
        self._now = now
        self.monotonic = monotonic
        return now < expected - _STEP_BACK
