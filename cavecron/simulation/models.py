"""What a simulation is given, and what it returns.

Pure: no scheduler, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """From `begin` until `end`, aware instants of true time."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """The wall clock is set `by` so much at an instant of true time (aware)."""

    at: datetime
    by: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens to the machine, and how long each run lasts."""

    period: TimeRange
    down: Sequence[TimeRange] = ()
    asleep: Sequence[TimeRange] = ()
    steps: Sequence[ClockChange] = ()
    lasting: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotOutcome:
    """What became of one slot; `state` is the ledger's, or 'pending'.

    Instants are aware, as the wall clock had them.
    """

    job: str
    slot: datetime
    state: str
    trigger: str
    started: datetime | None = None
    reasons: tuple[str, ...] = ()

    @property
    def late(self) -> timedelta:
        """Return how late it began."""
        return max(self.started - self.slot, timedelta()) if self.started else timedelta()
