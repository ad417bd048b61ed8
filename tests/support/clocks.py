"""Clocks for tests: at another time, or faster."""

import asyncio
from datetime import UTC, datetime

from cavecron.clock import SystemClock


class ShiftedClock(SystemClock):
    """The system's clock, set to another time (aware)."""

    def __init__(self, now: datetime) -> None:
        self._shift = now - datetime.now(UTC)

    def now(self) -> datetime:
        """Return the system's time, shifted."""
        return super().now() + self._shift


class FastClock(SystemClock):
    """A clock that shows `at` (aware) when the system's shows `since`, and goes `speed` times as fast."""

    def __init__(self, at: datetime, *, since: datetime, speed: float) -> None:
        self._at, self._since, self._speed = at, since, speed
        self._real = SystemClock()

    def now(self) -> datetime:
        """Return what the clock shows."""
        return self._at + (self._real.now() - self._since) * self._speed

    def monotonic(self) -> float:
        """Return its seconds."""
        return self._real.monotonic() * self._speed

    async def wait(self, event: asyncio.Event, until: datetime | None) -> None:
        """Wait in its time."""
        if until is not None:
            until = self._real.now() + (until - self.now()) / self._speed
        await self._real.wait(event, until)
