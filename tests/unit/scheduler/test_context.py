"""The signal that stops a run, and the calls before a run begins."""

import asyncio

import pytest

from cavecron.errors import StoppedError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.jobs.loader import load_for
from cavecron.scheduler.context import StopSignal, call_unless_stopped, system_context
from tests.support.app_database import CellarFile


def test_nothing_is_claimed_after_a_request_to_stop(cellar: CellarFile) -> None:
    """The call is not even started, so that it leaves no claimed run behind."""
    context = system_context(load_for([WEEKLY_REPORTS], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))
    calls: list[str] = []

    async def request_then_call() -> None:
        stop = StopSignal()
        stop.stop()
        await call_unless_stopped(stop, context, lambda: calls.append("claim"))

    with pytest.raises(StoppedError, match="rien n'a été fait"):
        asyncio.run(request_then_call())
    assert calls == []


def test_a_sleep_ends_at_the_request_to_stop() -> None:
    """A pause of an hour between two attempts does not delay a stop."""

    async def sleep_until_stopped() -> float:
        loop, stop = asyncio.get_running_loop(), StopSignal()
        began = loop.time()
        loop.call_later(0.01, stop.stop)
        await asyncio.wait_for(stop.sleep(3600), timeout=30)
        return loop.time() - began

    assert asyncio.run(sleep_until_stopped()) < 30
