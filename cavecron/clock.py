"""The one place that reads the time and waits; a test hands in another clock.

It knows neither schedules nor jobs.
"""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from cavecron.lazy import lazy_module

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = lazy_module("asyncio")  # importing it is a third of the time of `health`, which never waits

#: Seconds that one sleep lasts at most: a suspended machine's timer stands still, and a clock can be set,
#: so the wall clock is read again. Two wake-ups a minute.
LONGEST_SLEEP = 30.0
#: Seconds before its end at which a long sleep is broken off, and the rest slept anew: Linux lets a waiting
#: process oversleep by a thousandth of its wait (`select_estimate_accuracy`; five if niced), 30 ms in 30 s.
_LAST_NAP = 0.25


class Clock(Protocol):
    """What the rest of the program may ask of time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that nobody sets; only differences mean something."""
        ...

    async def wait(self, event: "asyncio.Event", until: datetime | None) -> None:
        """Return when `event` is set, when it is `until` (aware), or earlier."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    async def wait(self, event: "asyncio.Event", until: datetime | None) -> None:
        """Return when `event` is set, when it is `until` (aware) or shortly before, or after half a minute.

        With no `until`, only `event` ends the wait.
        """
        seconds = None if until is None else _nap((until - self.now()).total_seconds())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def _nap(remaining: float) -> float:
    """Return how long to sleep, in seconds, where so many remain."""
    return min(LONGEST_SLEEP, remaining - _LAST_NAP if remaining > 2 * _LAST_NAP else max(0.0, remaining))
