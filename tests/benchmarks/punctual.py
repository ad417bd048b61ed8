"""How late an idle scheduler starts a slot: 100 slots, real processes, real seconds.

25 schedulers, each with a database and a clock of its own (`tests.support.clocked`): one of them has a slot
every 2.4 s, all others sleep, each of them for up to a minute. A job tells by how much its first line came
after its slot. No job begins before its claim is safe, so each slot waits for one commit of SQLite: next to
nothing in memory, where the limits count, and some fsyncs on a disk. How busy the machine is shows a plain
`time.sleep` of this process, between any two slots.
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
from tests.support.clocked import program
from tests.support.daemons import daemon

_DAEMONS, _STEP = 25, timedelta(minutes=1) / 25
#: A Monday, when neither of the built-in jobs comes.
_MIDDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
_JOBS = """
from cavecron import job

@job("tick", title="tic-tac", cron="* * * * *")
def tick(run):
    return str((run.clock.now() - run.planned).total_seconds())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lateness:
    """Seconds by which jobs began after their slots, and by which plain sleeps ended too late."""

    slots: Sequence[float]
    sleeps: Sequence[float]


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure with the databases in memory, then with databases on the disk of `folder`."""
    if MEMORY.exists():
        with TemporaryDirectory(dir=MEMORY) as there:
            yield from _figures("in memory", Path(there), (5, 50), quick=quick)
    yield from _figures("on a disk", folder, (None, None), quick=quick)


def _figures(
    where: str, folder: Path, limits: tuple[float | None, float | None], *, quick: bool
) -> Iterator[Figure]:
    """Yield the median and the worst of all slots; `limits` of both in milliseconds."""
    late = _lateness(folder, daemons=2 if quick else _DAEMONS, rounds=1 if quick else 4)
    commit = statistics.median(_commits(folder))
    medians = statistics.median(late.slots), statistics.median(late.sleeps)
    worst = max(late.slots), max(late.sleeps)
    for name, (slot, sleep), limit in zip(("median", "worst"), (medians, worst), limits, strict=True):
        yield Figure(
            name=f"lateness of a slot, database {where}: {name} of {len(late.slots)}",
            measured=slot * 1000,
            unit="ms",
            limit=limit,
            note=f"a plain sleep {sleep * 1000:.1f} ms, one commit {commit * 1000:.1f} ms",
        )


def _lateness(folder: Path, *, daemons: int, rounds: int) -> _Lateness:
    first = time.time() + daemons * 0.5 + 8  # when all have started, the first of them has its slot
    with ExitStack() as running:
        for number in range(daemons):
            path = _database(folder / str(number))
            clock = program(_MIDDAY - number * _STEP, since=datetime.fromtimestamp(first, UTC))
            running.enter_context(daemon(_variables(path), program=clock)).wait_for("prochain créneau")
        # In the middle between two slots, and after the last one.
        sleeps = [_slept(first + (n + 0.5) * _STEP.total_seconds()) for n in range(rounds * daemons)]
        time.sleep(1)
    slots = [late for number in range(daemons) for late in _told(folder / str(number) / "wine.db", rounds)]
    if len(slots) != rounds * daemons:
        raise RuntimeError(f"of {rounds * daemons} slots there were {len(slots)}")
    return _Lateness(slots=slots, sleeps=sleeps)


def _slept(until: float) -> float:
    """Sleep; return how many seconds too long."""
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


def _told(path: Path, rounds: int) -> list[float]:
    """Return what the job said in its first slots."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT summary FROM cavecron_run WHERE trigger = 'slot' AND slot >= ? AND state = 'succeeded'"
            " ORDER BY slot LIMIT ?",
            (utc_text(_MIDDAY), rounds),
        ).fetchall()
    return [float(summary) for (summary,) in rows]


def _commits(folder: Path) -> Iterator[float]:
    """Yield the seconds that committing one row takes here: what no scheduler can do without."""
    with closing(sqlite3.connect(_database(folder / "plain"), isolation_level=None)) as connection:
        connection.execute("CREATE TABLE plain (at TEXT)")
        for _ in range(25):
            time.sleep(0.05)
            yield seconds(lambda: connection.execute("INSERT INTO plain VALUES ('now')"))
