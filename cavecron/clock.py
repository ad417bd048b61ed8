"""The only module that reads the time and waits for it; tests use another clock.

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
    asyncio = lazy_module("asyncio")  # importing it takes a third of the time of `health`, which never waits

#: The longest sleep in seconds. Timers stop while a machine is suspended, and a clock can be set, so the wall
#: clock is read again twice a minute.
LONGEST_SLEEP = 30.0
#: Seconds before its end at which a long sleep ends, so that a short one follows: on Linux a sleep may last
#: a thousandth longer (`select_estimate_accuracy`; five if niced), which is 30 ms in 30 s.
_LAST_SLEEP = 0.25


class Clock(Protocol):
    """The interface to time for the rest of the program."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that cannot be set; only differences are meaningful."""
        ...

    async def wait(self, event: "asyncio.Event", until: datetime | None) -> None:
        """Wait until `event` is set or `until` (aware) is reached; it may return earlier."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary fixed moment."""
        return time.monotonic()

    async def wait(self, event: "asyncio.Event", until: datetime | None) -> None:
        """Wait until `event` is set, until shortly before or at `until` (aware), or half a minute.

        Without `until`, only `event` ends the wait.
        """
        seconds = None if until is None else _sleep_seconds((until - self.now()).total_seconds())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def _sleep_seconds(remaining: float) -> float:
    """Return how long to sleep next, in seconds, if `remaining` seconds are left."""
    until_last = remaining - _LAST_SLEEP if remaining > 2 * _LAST_SLEEP else max(0.0, remaining)
    return min(LONGEST_SLEEP, until_last)
