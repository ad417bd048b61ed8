"""The machine's clock: a wait ends with its event, and on time."""

import asyncio
import time
from datetime import timedelta

import pytest

from cavecron.clock import SystemClock


def waited(seconds: float | None, *, rings_after: float | None = None) -> float:
    """Return how many seconds one wait took that was to last so long, and whose event may ring meanwhile."""

    async def wait() -> float:
        clock, event = SystemClock(), asyncio.Event()
        if rings_after is not None:
            asyncio.get_running_loop().call_later(rings_after, event.set)
        started = time.monotonic()
        await clock.wait(event, None if seconds is None else clock.now() + timedelta(seconds=seconds))
        return time.monotonic() - started

    return asyncio.run(wait())


@pytest.mark.parametrize("seconds", [None, 20.0], ids=["for ever", "long"])
def test_an_event_ends_a_wait(seconds: float | None) -> None:
    """However long it was to last."""
    assert 0.1 <= waited(seconds, rings_after=0.1) < 10


@pytest.mark.parametrize("seconds", [-3600.0, 0.0], ids=["an hour ago", "now"])
def test_a_wait_for_what_has_come_is_none(seconds: float) -> None:
    """Also where a clock was set."""
    assert min(waited(seconds) for _ in range(3)) < 0.1


def test_a_short_wait_lasts_to_its_end() -> None:
    """Never less, or the loop around it would spin."""
    assert waited(0.3) >= 0.299


def test_the_end_of_a_long_wait_is_slept_by_itself() -> None:
    """Linux oversleeps by a thousandth of the wait: by 30 ms, where half a minute is slept in one go."""
    shortest = min(waited(0.8) for _ in range(3))  # of several: a busy machine makes one of them late
    assert 0.5 < shortest < 0.75
