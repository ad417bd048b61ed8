"""A machine with simulated time: its clock can be set, it can sleep, and a year takes a moment.

The scheduler on it is the real one: it waits by the clock of its `Process`, and makes its blocking calls
through it. It knows neither jobs nor ledger; its owner decides what happens to the machine.
"""

import asyncio
import heapq
import selectors
import sqlite3
from bisect import bisect_left, insort
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from cavecron.clock import LONGEST_SLEEP
from cavecron.database.sqlite import Database
from cavecron.scheduler.threads import retrieve

_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NAP = int(LONGEST_SLEEP * 1_000_000)


class StillWorkingError(BaseException):
    """Raised by a simulated blocking call that goes on: it is made again after `after`."""

    def __init__(self, after: timedelta) -> None:
        self.after = after
        super().__init__(after)


class SimulatedMachine:
    """True time goes on; awake time stands still while the machine sleeps; the wall clock can be set.

    All three in microseconds: true time and the wall clock since 1970, awake time since some moment.
    """

    def __init__(self, start: datetime) -> None:
        self._true = (start - _EPOCH) // _MICROSECOND
        self._awake = 0
        self._ahead = 0
        self._asleep = False
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._numbers = count()
        self._jolts: list[int] = []
        self._end: int | None = None
        self.troubles: list[BaseException] = []

    def note(self, context: Mapping[str, Any]) -> None:
        """Keep what the loop says of an error; a task that was left behind is none."""
        if error := context.get("exception"):
            self.troubles.append(error)

    def now(self) -> datetime:
        """Return what the wall clock says (aware, UTC)."""
        return _EPOCH + timedelta(microseconds=self._true + self._ahead)

    def true(self) -> datetime:
        """Return what a right clock would say (aware, UTC)."""
        return _EPOCH + timedelta(microseconds=self._true)

    def monotonic(self) -> float:
        """Return the seconds that the machine has been awake."""
        return self._awake / 1_000_000

    def at(self, instant: datetime, callback: Callable[[], object], *, jolt: bool = False) -> None:
        """Call back at a true instant; a `jolt` is one at which sleep or the wall clock changes."""
        moment = (instant - _EPOCH) // _MICROSECOND
        heapq.heappush(self._events, (moment, next(self._numbers), callback))
        if jolt:
            insort(self._jolts, moment)

    def end_at(self, instant: datetime) -> None:
        """Let nothing happen after a true instant."""
        self._end = (instant - _EPOCH) // _MICROSECOND

    def set_clock(self, by: timedelta) -> None:
        """Set the wall clock forwards or backwards."""
        self._ahead += by // _MICROSECOND

    def sleep(self) -> None:
        """Suspend the machine."""
        self._asleep = True

    def wake(self) -> None:
        """Resume it."""
        self._asleep = False

    def nap(self, until: datetime) -> float:
        """Return after how many seconds a wait for `until` ends that looks up every half minute.

        While nothing jolts the machine, waking up changes nothing: that is left out.
        """
        span = (until - self.now()) // _MICROSECOND
        if span <= _NAP:
            return max(0, span) / 1_000_000
        place = bisect_left(self._jolts, self._true)
        quiet = self._jolts[place] - self._true if place < len(self._jolts) else span
        return (span if quiet >= span else max(_NAP, quiet // _NAP * _NAP)) / 1_000_000

    def advance(self, seconds: float | None) -> bool:
        """Go on to the next event and let it happen, or by so many seconds of awake time if they end first.

        With None there is nothing to wait for but events. Return False where nothing more comes.
        """
        most = None if seconds is None or self._asleep else max(1, round(seconds * 1_000_000))
        due = self._events[0][0] - self._true if self._events else None
        span = min((span for span in (most, due) if span is not None), default=None)
        if span is None or (self._end is not None and self._true + span > self._end):
            return False
        self._true += span
        self._awake += 0 if self._asleep else span
        if span == due and span != most:  # at one instant, those who wait come first
            heapq.heappop(self._events)[2]()
        return True


class _Idle(selectors.BaseSelector):
    """Takes the place of the loop's wait for events: the time of the machine goes on instead."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self.out_of_events: Callable[[], None] = lambda: None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(
            fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data
        )
        return self._keys.setdefault(fileobj, key)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let time go on; with a `timeout` of 0 there is work to do at once."""
        if timeout != 0 and not self._machine.advance(timeout):
            self.out_of_events()
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class _SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop whose time is the machine's awake time, to the microsecond."""

    def __init__(self, machine: SimulatedMachine, idle: _Idle) -> None:
        self._machine = machine
        super().__init__(idle)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._machine.monotonic()


@contextmanager
def loop_of(machine: SimulatedMachine) -> Iterator[asyncio.AbstractEventLoop]:
    """Yield a loop that lives in the machine's time; `run_forever` returns where nothing more comes.

    Tasks that are left behind end with it; what went wrong in one that nobody waits for is in
    `machine.troubles`.
    """
    idle = _Idle(machine)
    loop = _SimulatedLoop(machine, idle)
    idle.out_of_events = loop.stop
    loop.set_exception_handler(lambda _loop, context: machine.note(context))
    try:
        yield loop
    finally:
        idle.out_of_events = lambda: None
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()


@dataclass(slots=True, kw_only=True, eq=False)
class Process:
    """A process on the machine: the clock and the threads of the scheduler in it."""

    machine: SimulatedMachine
    loop: asyncio.AbstractEventLoop
    alive: bool = field(default=True, init=False)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list, init=False)

    def run(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Return a task of this process: it ends with it."""
        task = self.loop.create_task(work)
        self.tasks.append(task)
        return task

    def kill(self) -> None:
        """End the process: nothing of it goes on."""
        self.alive = False
        for task in self.tasks:
            task.cancel()

    def now(self) -> datetime:
        """Return what the wall clock says (aware, UTC)."""
        return self.machine.now()

    def monotonic(self) -> float:
        """Return the seconds that the machine has been awake."""
        return self.machine.monotonic()

    async def wait(self, event: asyncio.Event, until: datetime | None) -> None:
        """Return when `event` is set, when it is `until` (aware), or earlier."""
        if event.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else self.machine.nap(until)):
                await event.wait()

    def start(self, name: str, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Make a blocking call in place; it takes no time unless it raises StillWorkingError."""
        del name
        future: asyncio.Future[_T] = self.loop.create_future()
        future.add_done_callback(retrieve)
        self.make(call, future)
        return future

    def detach(self, call: Callable[[], None]) -> None:
        """Make a call that nobody waits for in place."""
        if self.alive:
            call()

    def make(self, call: Callable[[], _T], future: "asyncio.Future[_T]") -> None:
        """Make a call, once or again, and settle its future; a dead process makes none."""
        if not self.alive or future.cancelled():
            return
        try:
            result = call()
        except StillWorkingError as working:
            self.loop.call_later(working.after.total_seconds(), self.make, call, future)
        except Exception as error:  # handed over, and raised where the future is awaited
            future.set_exception(error)
        else:
            future.set_result(result)


class KeptConnection(sqlite3.Connection):
    """A connection whose close() does nothing: the database in memory would be lost."""

    def close(self) -> None:
        """Leave no transaction behind, and nothing that forbids to write; the connection itself stays."""
        if self.in_transaction:
            self.rollback()
        (read_only,) = self.execute("PRAGMA query_only").fetchone()
        if read_only:  # setting it has SQLite compile all statements anew
            self.execute("PRAGMA query_only = OFF")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDatabase(Database):
    """A database to which there is one connection, that stays open."""

    connection: sqlite3.Connection

    def connect(self) -> sqlite3.Connection:
        """Return the connection, without an open transaction."""
        return self.connection

    def file_identity(self) -> tuple[int, int] | None:
        """Return None: there is no file, and no file that happens to be called so counts."""
        return None


def memory_database() -> KeptDatabase:
    """Return a new, empty database that lies in no file."""
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=KeptConnection)
    return KeptDatabase(path=Path(":memory:"), connection=connection)
