"""Setting the wall clock of the test's own process: what follows it and what does not."""

import asyncio
import importlib
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from zoneinfo import ZoneInfo

import pytest

from cavecron.clock import SystemClock
from tests.support.clocks import wall_clock

#: A Sunday in Paris, at 02:30 local time, which occurs for the second time.
AT = datetime(2027, 10, 31, 1, 30, 0, 250_000, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def test_the_system_clock_returns_the_set_time() -> None:
    """The system clock returns the set time exactly, and afterwards the machine's time again."""
    before = datetime.now(UTC)
    with wall_clock(AT) as clock:
        assert SystemClock().now() == AT
        assert SystemClock().now().tzinfo is UTC
        clock.move_to(AT + timedelta(days=400))
        assert SystemClock().now() == AT + timedelta(days=400)
    assert before <= SystemClock().now() < before + timedelta(minutes=1)


def test_all_ways_to_ask_for_the_time_agree() -> None:
    """Every function that returns the time agrees, also the one from which a log line takes its time."""
    with wall_clock(AT):
        assert time.time() == AT.timestamp()
        assert time.time_ns() == pytest.approx(1_824_946_200_250_000_000, abs=1_000)
        assert datetime.fromtimestamp(time.time(), UTC) == datetime.now(UTC) == AT
        assert logging.makeLogRecord({}).created == pytest.approx(AT.timestamp(), abs=1e-6)


def test_a_clock_that_ticks_goes_on() -> None:
    """A clock that ticks advances at the usual speed."""
    started = time.monotonic()
    with wall_clock(AT, tick=True):
        while SystemClock().now() < AT + timedelta(seconds=0.1):
            assert time.monotonic() - started < 10
    assert time.monotonic() - started >= 0.099


@pytest.mark.parametrize(
    ("measure", "unit"),
    [
        pytest.param(time.monotonic, 1.0, id="monotonic"),
        pytest.param(time.monotonic_ns, 1e-9, id="monotonic_ns"),
        pytest.param(time.perf_counter, 1.0, id="perf_counter"),
        pytest.param(time.perf_counter_ns, 1e-9, id="perf_counter_ns"),
        pytest.param(SystemClock().monotonic, 1.0, id="the system clock"),
    ],
)
def test_measured_durations_do_not_jump(measure: Callable[[], float], unit: float) -> None:
    """Functions that measure durations do not jump when the wall clock is set."""
    named = getattr(time, getattr(measure, "__name__", ""), measure)
    readings = [named()]
    with wall_clock(AT):
        # Looked up by its name again, as all other code does.
        inside = getattr(time, getattr(measure, "__name__", ""), measure)
        readings.append(inside())
        Event().wait(0.05)
        readings.append(inside())
    readings.append(named())
    assert readings == sorted(readings)
    assert 0.049 <= (readings[2] - readings[1]) * unit < 10
    assert (readings[-1] - readings[0]) * unit < 10


def test_asyncio_keeps_its_time() -> None:
    """A sleep and a time limit last as long as usual, and a wait on the stopped clock ends too."""

    async def seconds_waited() -> float:
        started = asyncio.get_running_loop().time()
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.Event().wait()
        await SystemClock().wait(asyncio.Event(), AT + timedelta(seconds=0.05))
        return asyncio.get_running_loop().time() - started

    with wall_clock(AT):
        assert 0.149 <= asyncio.run(seconds_waited()) < 10


def test_threads_see_the_clock() -> None:
    """Other threads see the set time, also when they call the standard library directly."""
    times: Queue[object] = Queue()
    with wall_clock(AT):
        calls = [
            lambda: times.put(time.time()),
            lambda: times.put(SystemClock().now().timestamp()),
            lambda: times.put(round(logging.makeLogRecord({}).created, 6)),
        ]
        for ask in calls:
            Thread(target=ask).start()
        assert [times.get(timeout=10) for _ in calls] == [AT.timestamp()] * len(calls)


def test_threads_keep_their_limits() -> None:
    """The time limits of a queue, an event and a join are measured in real seconds."""
    done = Event()
    with wall_clock(AT):
        worker = Thread(target=done.wait, args=(10,))
        worker.start()
        started = time.monotonic()
        with pytest.raises(Empty):
            Queue[int]().get(timeout=0.05)
        assert not Event().wait(0.05)
        worker.join(0.05)
        assert 0.149 <= time.monotonic() - started < 10
        assert worker.is_alive()
    done.set()
    worker.join(10)


def test_a_lock_of_the_database_is_waited_for_in_real_time(tmp_path: Path) -> None:
    """SQLite waits for a lock in real time, because it uses the machine's clock."""
    path = tmp_path / "wine.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with wall_clock(AT), closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)) as waiter:
            started = time.monotonic()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                waiter.execute("BEGIN IMMEDIATE")
            assert 0.15 <= time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("minutes", "local"),
    [
        pytest.param(-60, "2027-10-31T02:30:00.250000+02:00", id="the first time"),
        pytest.param(0, "2027-10-31T02:30:00.250000+01:00", id="the second time"),
    ],
)
def test_a_repeated_hour_is_distinguished(minutes: int, local: str) -> None:
    """The first and the second time of a repeated hour get different offsets in every conversion."""
    instant = AT + timedelta(minutes=minutes)
    with wall_clock(instant):
        assert datetime.now(UTC).astimezone(PARIS).isoformat() == local
        assert datetime.fromtimestamp(time.time(), PARIS).isoformat() == local
        assert instant.astimezone(PARIS).isoformat() == local
        assert datetime.now(UTC).astimezone(PARIS).astimezone(UTC) == instant


def test_instants_from_before_and_from_meanwhile_go_together() -> None:
    """Instants made before and while the clock is set can be compared, subtracted and hashed together."""
    with wall_clock(AT):
        meanwhile = SystemClock().now()
        assert isinstance(AT, datetime)
    assert isinstance(meanwhile, datetime)
    assert (meanwhile == AT, meanwhile - AT, hash(meanwhile)) == (True, timedelta(), hash(AT))
    assert meanwhile.isoformat() == AT.isoformat()


def test_a_module_that_is_imported_meanwhile_is_itself_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module imported while the clock is set gets the real functions back, as commands need it."""
    (tmp_path / "imported_late.py").write_text("from datetime import datetime\nfrom time import time\n")
    monkeypatch.syspath_prepend(tmp_path)
    with wall_clock(AT):
        imported_late = importlib.import_module("imported_late")
        assert imported_late.datetime.now(UTC) == AT
        assert imported_late.time() == AT.timestamp()
    assert imported_late.datetime is datetime
    assert imported_late.time is time.time
