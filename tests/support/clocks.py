"""Clocks for tests: this process at another time, or a faster clock for a process that is measured.

freezegun is used here and nowhere else; tests set the clock of their own process with
`wall_clock`.
"""

import asyncio
import selectors
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import freezegun
from freezegun import api

from cavecron.clock import SystemClock

#: What measures how long something takes. Nobody can set these clocks of a real machine either.
_MEASURING = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


@contextmanager
def wall_clock(
    at: datetime, *, tick: bool = False
) -> Iterator[api.FrozenDateTimeFactory | api.TickingDateTimeFactory | api.StepTickTimeFactory]:
    """Set the wall clock of this process to `at` (aware) for a while; its log follows.

    It stands still, or goes on at its usual speed with `tick`; what is yielded sets it anew by `move_to`.
    Whatever measures goes on, so that time limits of threads, sockets, locks and asyncio are real.
    """
    with freezegun.freeze_time(at, tick=tick) as clock:
        if tick:
            clock.move_to(at)  # it went on while the modules were patched
        yield clock


class FastClock(SystemClock):
    """A clock that shows `at` (aware) when the system's shows `since`, and goes `speed` times as fast.

    It is used in a `FastLoop` of the same speed.
    """

    def __init__(self, at: datetime, *, since: datetime, speed: float) -> None:
        self._at, self._since, self._speed = at, since, speed
        self._real = SystemClock()

    def now(self) -> datetime:
        """Return the time of the clock (aware)."""
        return self._at + (self._real.now() - self._since) * self._speed

    def monotonic(self) -> float:
        """Return its seconds."""
        return self._real.monotonic() * self._speed


class _FastSelector(selectors.DefaultSelector):
    """A selector whose time-outs are shorter by a factor."""

    speed = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / self.speed if timeout and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is `speed` times as fast as usual."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        selector = _FastSelector()
        selector.speed = speed
        super().__init__(selector)

    def time(self) -> float:
        """Return the seconds of its time."""
        return super().time() * self._speed


def _with_fold(moment: datetime) -> api.FakeDatetime:
    """Return `moment` as freezegun's own type, whose `fold` is 1 at the second of two equal local times."""
    return api.FakeDatetime(
        *(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second),
        *(moment.microsecond, moment.tzinfo),
        fold=moment.fold,
    )


def _configure_freezegun() -> None:
    """Make freezegun leave alone what measures, in every thread, and forget no `fold`.

    Its list of modules to ignore cannot do that: `cavecron.clock` reads both kinds of clock. And by that list
    whatever stands near `threading` on the stack gets the real time: a worker's log line would have another
    one than the rest. With what measures being real nobody needs it, and looking at the stack for each
    question costs time. freezegun's conversion drops `fold`: a repeated hour would always be the first one.
    """
    ours: dict[str, object] = {f"fake_{name}": getattr(api, f"real_{name}") for name in _MEASURING}
    ours |= {"call_stack_inspection_limit": 0, "datetime_to_fakedatetime": _with_fold}
    for name, value in ours.items():
        assert hasattr(api, name), f"this freezegun has no {name}"
        setattr(api, name, value)


_configure_freezegun()
