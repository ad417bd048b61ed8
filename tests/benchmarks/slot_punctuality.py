"""How late an idle scheduler starts a slot: 100 slots, real processes, real seconds.

25 schedulers, each with its own database and clock (`tests.support.run_with_clock`): one of them has a slot
every 2.4 s, and all others sleep, each for up to a minute. A job returns its lateness. No job starts before
its claim is committed, so each slot waits for one commit of SQLite: almost no time in memory, where the
limits apply, and a few fsyncs on a disk. A plain `time.sleep` of this process between two slots shows how
busy the machine is.
"""

import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cavecron.database.timestamps import utc_text
from cavecron.demo import schema
from tests.benchmarks.figures import MEMORY, Figure, seconds
from tests.support.daemons import daemon
from tests.support.run_with_clock import program

_DAEMONS, _STEP = 25, timedelta(minutes=1) / 25
#: A Monday at an hour without a slot of the built-in jobs.
_MIDDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
_JOBS = """
from cavecron import job

@job("tick", title="tic-tac", cron="* * * * *")
def tick(run):
    return str((run.clock.now() - run.planned).total_seconds())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lateness:
    """Seconds by which jobs started after their slots, and by which plain sleeps were too long."""

    slots: Sequence[float]
    sleeps: Sequence[float]


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure with the databases in memory, then with databases on the disk of `folder`."""
    if MEMORY.exists():
        with TemporaryDirectory(dir=MEMORY) as memory_folder:
            yield from _figures("in memory", Path(memory_folder), (5, 50), quick=quick)
    yield from _figures("on a disk", folder, (None, None), quick=quick)


def _figures(
    place: str, folder: Path, limits: tuple[float | None, float | None], *, quick: bool
) -> Iterator[Figure]:
    """Yield the median and the maximum of all slots; `limits` for both are in milliseconds."""
    late = _lateness(folder, daemons=2 if quick else _DAEMONS, rounds=1 if quick else 4)
    commit = statistics.median(_commits(folder))
    medians = statistics.median(late.slots), statistics.median(late.sleeps)
    worst = max(late.slots), max(late.sleeps)
    for name, (slot, sleep), limit in zip(("median", "worst"), (medians, worst), limits, strict=True):
        yield Figure(
            name=f"lateness of a slot, database {place}: {name} of {len(late.slots)}",
            measured=slot * 1000,
            unit="ms",
            limit=limit,
            note=f"a plain sleep {sleep * 1000:.1f} ms, one commit {commit * 1000:.1f} ms",
        )


def _lateness(folder: Path, *, daemons: int, rounds: int) -> _Lateness:
    first = time.time() + daemons * 0.5 + 8  # the first slot, after all schedulers have started
    with ExitStack() as stack:
        for number in range(daemons):
            path = _database(folder / str(number))
            clock = program(_MIDDAY - number * _STEP, since=datetime.fromtimestamp(first, UTC))
            stack.enter_context(daemon(_variables(path), program=clock)).wait_for("prochain créneau")
        # Half-way between two slots, and after the last one.
        sleeps = [_oversleep(first + (n + 0.5) * _STEP.total_seconds()) for n in range(rounds * daemons)]
        time.sleep(1)
    slots = [
        late
        for number in range(daemons)
        for late in _recorded_lateness(folder / str(number) / "wine.db", rounds)
    ]
    if len(slots) != rounds * daemons:
        raise RuntimeError(f"of {rounds * daemons} slots there were {len(slots)}")
    return _Lateness(slots=slots, sleeps=sleeps)


def _oversleep(until: float) -> float:
    """Sleep until an instant; return by how many seconds the sleep was too long."""
    time.sleep(max(0.0, until - time.time()))
    return time.time() - until


def _database(folder: Path) -> Path:
    folder.mkdir()
    (folder / "jobs_of_mine.py").write_text(_JOBS, encoding="utf-8")
    with closing(sqlite3.connect(folder / "wine.db")) as connection, connection:
        schema.create(connection)
    return folder / "wine.db"


def _variables(path: Path) -> dict[str, str]:
    return {"DATABASE_URL": f"sqlite:///{path}", "CAVECRON_JOBS": str(path.with_name("jobs_of_mine.py"))}


def _recorded_lateness(path: Path, rounds: int) -> list[float]:
    """Return the lateness that the job returned for its first slots."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT summary FROM cavecron_run WHERE trigger = 'slot' AND slot >= ? AND state = 'succeeded'"
            " ORDER BY slot LIMIT ?",
            (utc_text(_MIDDAY), rounds),
        ).fetchall()
    return [float(summary) for (summary,) in rows]


def _commits(folder: Path) -> Iterator[float]:
    """Yield the seconds of commits of one row, which every scheduler needs."""
    with closing(sqlite3.connect(_database(folder / "plain"), isolation_level=None)) as connection:
        connection.execute("CREATE TABLE plain (at TEXT)")
        for _ in range(25):
            time.sleep(0.05)
            yield seconds(lambda: connection.execute("INSERT INTO plain VALUES ('now')"))
