"""The input and the result of a simulation. Pure: it knows neither scheduler nor clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """A period from `begin` until `end`, aware instants of true time."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """A change of the wall clock `by` a positive or negative span at an instant of true time (aware)."""

    at: datetime
    by: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The simulated period, what happens to the machine in it, and how long each run lasts (`lasting`)."""

    period: TimeRange
    down: Sequence[TimeRange] = ()
    asleep: Sequence[TimeRange] = ()
    steps: Sequence[ClockChange] = ()
    lasting: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotOutcome:
    """The outcome of one slot; `state` is the ledger's, or `pending`. Instants are of the wall clock."""

    job: str
    slot: datetime
    state: str
    trigger: str
    started: datetime | None = None
    reasons: tuple[str, ...] = ()

    @property
    def late(self) -> timedelta:
        """Return how late the run of the slot began; zero if there was none."""
        return max(self.started - self.slot, timedelta()) if self.started else timedelta()
