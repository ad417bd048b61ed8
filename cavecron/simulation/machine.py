"""A machine with simulated time: its clock can be set, it can be suspended, and a year passes in seconds.

The real scheduler runs on it. Its clock and its threads are a `Process`, which waits in simulated time and
makes blocking calls at once. It knows neither jobs nor ledger; its user decides what happens to the machine.
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
#: Microseconds of the longest sleep of the real clock.
_LONGEST_SLEEP = int(LONGEST_SLEEP * 1_000_000)


class NotDoneYet(BaseException):
    """Raised by a simulated blocking call to be called again after the span `after`.

    A signal and no error: a job's handlers of exceptions do not see it.
    """

    def __init__(self, after: timedelta) -> None:
        self.after = after
        super().__init__(after)


class SimulatedMachine:
    """A machine with three clocks, all in microseconds.

    True time never jumps or stops. Awake time, which is the monotonic clock, stops while the machine is
    suspended. The wall clock is true time plus an offset that can be set. True time and the wall clock count
    from 1970.
    """

    def __init__(self, start: datetime) -> None:
        self._true = (start - _EPOCH) // _MICROSECOND
        self._awake = 0
        self._offset = 0
        self._asleep = False
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._numbers = count()
        self._interruptions: list[int] = []
        self._end: int | None = None
        self.errors: list[BaseException] = []

    def record_error(self, context: Mapping[str, Any]) -> None:
        """Record the error in what the loop hands to its exception handler, if there is one."""
        if error := context.get("exception"):
            self.errors.append(error)

    def now(self) -> datetime:
        """Return the time of the wall clock (aware, UTC)."""
        return _EPOCH + timedelta(microseconds=self._true + self._offset)

    def true(self) -> datetime:
        """Return the true time (aware, UTC)."""
        return _EPOCH + timedelta(microseconds=self._true)

    def monotonic(self) -> float:
        """Return the seconds that the machine has been awake."""
        return self._awake / 1_000_000

    def at(self, instant: datetime, callback: Callable[[], object], *, interrupts: bool = False) -> None:
        """Have `callback` called at an instant of true time (aware).

        One that `interrupts` suspends or resumes the machine, sets its clock, or starts or stops cavecron.
        """
        moment = (instant - _EPOCH) // _MICROSECOND
        heapq.heappush(self._events, (moment, next(self._numbers), callback))
        if interrupts:
            insort(self._interruptions, moment)

    def end_at(self, instant: datetime) -> None:
        """End the simulation at an instant of true time (aware)."""
        self._end = (instant - _EPOCH) // _MICROSECOND

    def set_clock(self, by: timedelta) -> None:
        """Set the wall clock forwards or backwards."""
        self._offset += by // _MICROSECOND

    def sleep(self) -> None:
        """Suspend the machine."""
        self._asleep = True

    def wake(self) -> None:
        """Resume the machine."""
        self._asleep = False

    def sleep_seconds(self, until: datetime) -> float:
        """Return how many seconds to sleep before the wall clock has to be read again, to wait for `until`.

        `until` is aware. The real clock wakes up every 30 s to read it. Here wake-ups before the next
        interruption are left out, because they would find nothing changed.
        """
        span = (until - self.now()) // _MICROSECOND
        if span <= _LONGEST_SLEEP:
            return max(0, span) / 1_000_000
        index = bisect_left(self._interruptions, self._true)
        is_last = index == len(self._interruptions)
        until_interruption = span if is_last else self._interruptions[index] - self._true
        if until_interruption < span:
            span = max(_LONGEST_SLEEP, until_interruption // _LONGEST_SLEEP * _LONGEST_SLEEP)
        return span / 1_000_000

    def advance(self, seconds: float | None) -> bool:
        """Advance time to the next event and call it, or by `seconds` of awake time if they end first.

        None waits for events only. Return False if there is nothing more to wait for.
        """
        most = None if seconds is None or self._asleep else max(1, round(seconds * 1_000_000))
        due = self._events[0][0] - self._true if self._events else None
        span = min((span for span in (most, due) if span is not None), default=None)
        if span is None or (self._end is not None and self._true + span > self._end):
            return False
        self._true += span
        self._awake += 0 if self._asleep else span
        if span == due and span != most:  # waits that end at the same instant come before the event
            heapq.heappop(self._events)[2]()
        return True


class _SimulatedSelector(selectors.BaseSelector):
    """A selector that advances the machine's time instead of waiting for input."""

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
        """Advance time by `timeout` seconds at most; with 0 the loop has something to do at once."""
        if timeout != 0 and not self._machine.advance(timeout):
            self.out_of_events()
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class _SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop whose time is the machine's awake time, to the microsecond."""

    def __init__(self, machine: SimulatedMachine, selector: _SimulatedSelector) -> None:
        self._machine = machine
        super().__init__(selector)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._machine.monotonic()


@contextmanager
def loop_of(machine: SimulatedMachine) -> Iterator[asyncio.AbstractEventLoop]:
    """Yield an event loop in the machine's time; `run_forever` returns when there are no more events.

    Tasks that are not done at the end are cancelled. Errors of tasks that nobody awaits are recorded in
    `machine.errors`.
    """
    selector = _SimulatedSelector(machine)
    loop = _SimulatedLoop(machine, selector)
    selector.out_of_events = loop.stop
    loop.set_exception_handler(lambda _loop, context: machine.record_error(context))
    try:
        yield loop
    finally:
        selector.out_of_events = lambda: None
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()


@dataclass(slots=True, kw_only=True, eq=False)
class Process:
    """A process on the machine; it is the scheduler's clock and its threads."""

    machine: SimulatedMachine
    loop: asyncio.AbstractEventLoop
    alive: bool = field(default=True, init=False)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list, init=False)

    def run(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task of this process, which `kill` cancels, and return it."""
        task = self.loop.create_task(work)
        self.tasks.append(task)
        return task

    def kill(self) -> None:
        """End the process: its tasks are cancelled, and its calls are not made any more."""
        self.alive = False
        for task in self.tasks:
            task.cancel()

    def now(self) -> datetime:
        """Return the time of the wall clock (aware, UTC)."""
        return self.machine.now()

    def monotonic(self) -> float:
        """Return the seconds that the machine has been awake."""
        return self.machine.monotonic()

    async def wait(self, event: asyncio.Event, until: datetime | None) -> None:
        """Wait until `event` is set or the wall clock shows `until` (aware); it may return earlier."""
        if event.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else self.machine.sleep_seconds(until)):
                await event.wait()

    def start(self, name: str, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Make a blocking call at once; in simulated time it lasts only if it raises NotDoneYet."""
        del name
        future: asyncio.Future[_T] = self.loop.create_future()
        future.add_done_callback(retrieve)
        self.make_call(call, future)
        return future

    def detach(self, call: Callable[[], None]) -> None:
        """Make a call whose end nobody awaits."""
        if self.alive:
            call()

    def make_call(self, call: Callable[[], _T], future: "asyncio.Future[_T]") -> None:
        """Make a call and set its future's result, unless the process is dead or the future cancelled."""
        if not self.alive or future.cancelled():
            return
        try:
            result = call()
        except NotDoneYet as signal:
            self.loop.call_later(signal.after.total_seconds(), self.make_call, call, future)
        except Exception as error:  # raised where the future is awaited
            future.set_exception(error)
        else:
            future.set_result(result)


class PersistentConnection(sqlite3.Connection):
    """A connection that close() leaves open, because a database in memory would be lost."""

    def close(self) -> None:
        """Roll back an open transaction and allow writing again; the connection stays open."""
        if self.in_transaction:
            self.rollback()
        (read_only,) = self.execute("PRAGMA query_only").fetchone()
        if read_only:  # not otherwise: after each change SQLite compiles all statements anew
            self.execute("PRAGMA query_only = OFF")


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemoryDatabase(Database):
    """A database whose only connection stays open."""

    connection: sqlite3.Connection

    def connect(self) -> sqlite3.Connection:
        """Return the connection, without an open transaction."""
        return self.connection

    def file_identity(self) -> tuple[int, int] | None:
        """Return None, because the database is not in a file."""
        return None


def memory_database() -> InMemoryDatabase:
    """Return a new, empty database in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=PersistentConnection)
    return InMemoryDatabase(path=Path(":memory:"), connection=connection)
