"""Clocks for tests: real seconds, at another time."""

from datetime import UTC, datetime

from cavecron.clock import SystemClock


class ShiftedClock(SystemClock):
    """The system's clock, set to another time (aware)."""

    def __init__(self, now: datetime) -> None:
        self._shift = now - datetime.now(UTC)

    def now(self) -> datetime:
        """Return the system's time, shifted."""
        return super().now() + self._shift
