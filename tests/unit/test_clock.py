"""The machine's clock: a wait ends at its event or on time."""

import asyncio
import time
from datetime import timedelta

import pytest

from cavecron.clock import SystemClock


def wait_seconds(seconds: float | None, *, event_after: float | None = None) -> float:
    """Return the seconds that a wait of `seconds` took whose event was set after `event_after` seconds."""

    async def wait() -> float:
        clock, event = SystemClock(), asyncio.Event()
        started = time.monotonic()
        if event_after is not None:
            asyncio.get_running_loop().call_later(event_after, event.set)
        await clock.wait(event, None if seconds is None else clock.now() + timedelta(seconds=seconds))
        return time.monotonic() - started

    return asyncio.run(wait())


@pytest.mark.parametrize("seconds", [None, 20.0], ids=["for ever", "long"])
def test_an_event_ends_a_wait(seconds: float | None) -> None:
    """An event ends the wait at once, however long the wait was to last."""
    assert 0.1 <= wait_seconds(seconds, event_after=0.1) < 10


@pytest.mark.parametrize("seconds", [-3600.0, 0.0], ids=["an hour ago", "now"])
def test_a_wait_for_a_past_instant_ends_at_once(seconds: float) -> None:
    """A wait for an instant that has passed ends at once, for example after a clock was set."""
    assert min(wait_seconds(seconds) for _ in range(3)) < 0.1


def test_a_short_wait_lasts_to_its_end() -> None:
    """A wait never ends too early, because the loop around it would spin."""
    assert wait_seconds(0.3) >= 0.299


def test_the_end_of_a_long_wait_is_slept_separately() -> None:
    """The last part is slept separately, because Linux oversleeps by a thousandth of the wait."""
    # The shortest of three, because a busy machine can delay one.
    shortest = min(wait_seconds(0.8) for _ in range(3))
    assert 0.5 < shortest < 0.75
