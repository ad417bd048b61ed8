"""How late an idle scheduler starts a slot, on real processes in real seconds.

`python -m tests.benchmarks.punctual [--quick]` starts 25 schedulers, each with a database and a clock of its
own (`tests.clocked`), so that one of them has a slot every 2.4 s and all others sleep. A job tells by how
much its first line came after its slot. 100 slots take four minutes; `--quick` does with 25.

No job begins before its claim is safe, so each slot waits for one commit of SQLite. In memory that is next
to nothing, and there the limits count. On a disk it is some fsyncs: `one commit` is that of a single row.
How busy the machine is shows `a plain sleep`: how late, meanwhile, one of this process ends.
"""

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cavecron.cellar.database import utc_text
from cavecron.demo import schema
from tests.clocked import program
from tests.daemons import daemon

DAEMONS = 25
MOST_MEDIAN, MOST = 0.005, 0.050
#: A Monday, when neither of the built-in jobs comes.
MIDDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
MEMORY = Path("/dev/shm")

JOBS = """
from cavecron import job

@job("tick", title="tic-tac", cron="* * * * *")
def tick(run):
    return str((run.clock.now() - run.planned).total_seconds())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Seconds by which jobs began after their slots, and by which plain sleeps ended too late."""

    slots: Sequence[float]
    sleeps: Sequence[float]


def main() -> int:
    """Print the lateness of the slots with its limits; return 0 if they hold."""
    rounds = 1 if "--quick" in sys.argv[1:] else 4
    print(f"| ms after {rounds * DAEMONS} slots, real time | median | worst | a plain sleep | one commit |")
    print("|---|---|---|---|---|")
    memory = _measure("in memory", MEMORY, rounds)
    print(f"| limit | {MOST_MEDIAN * 1000:.0f} | {MOST * 1000:.0f} | | |")
    disk = _measure("on a disk", None, rounds)
    print(f"\nload average: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    complete = len(memory.slots) == len(disk.slots) == rounds * DAEMONS
    on_time = statistics.median(memory.slots) <= MOST_MEDIAN and max(memory.slots) <= MOST
    return 0 if complete and on_time else 1


def _measure(where: str, place: Path | None, rounds: int) -> Lateness:
    """Print one line of the table."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        late = _lateness(Path(folder), rounds)
        commit = _commit(Path(folder))
    slots, sleeps = ((statistics.median(some), max(some)) for some in (late.slots, late.sleeps))
    figures = " | ".join(f"{seconds * 1000:.1f}" for seconds in slots)
    sleep = " to ".join(f"{seconds * 1000:.1f}" for seconds in sleeps)
    print(f"| {where} | {figures} | {sleep} | {commit * 1000:.1f} |", flush=True)
    return late


def _lateness(folder: Path, rounds: int) -> Lateness:
    step = timedelta(minutes=1) / DAEMONS
    first = time.time() + DAEMONS * 0.5 + 15  # when all have started, the first of them has its slot
    with ExitStack() as running:
        for number in range(DAEMONS):
            path = _database(folder / str(number))
            clock = program(MIDDAY - number * step, since=datetime.fromtimestamp(first, UTC))
            running.enter_context(daemon(_variables(path), program=clock)).wait_for("prochain créneau")
        # In the middle between two slots, and after the last one.
        sleeps = [_slept(first + (n + 0.5) * step.total_seconds()) for n in range(rounds * DAEMONS)]
        time.sleep(1)
    slots = [late for number in range(DAEMONS) for late in _told(folder / str(number) / "wine.db", rounds)]
    return Lateness(slots=slots, sleeps=sleeps)


def _slept(until: float) -> float:
    """Sleep; return how many seconds too long."""
    time.sleep(max(0.0, until - time.time()))
    return time.time() - until


def _database(folder: Path) -> Path:
    folder.mkdir()
    (folder / "jobs_of_mine.py").write_text(JOBS, encoding="utf-8")
    with closing(sqlite3.connect(folder / "wine.db")) as connection, connection:
        schema.create(connection)
    return folder / "wine.db"


def _variables(path: Path) -> dict[str, str]:
    return {"DATABASE_URL": f"sqlite:///{path}", "CAVECRON_JOBS": str(path.with_name("jobs_of_mine.py"))}


def _told(path: Path, rounds: int) -> list[float]:
    """Return what the job said in its first slots."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT summary FROM cavecron_run WHERE trigger = 'slot' AND slot >= ? ORDER BY slot LIMIT ?",
            (utc_text(MIDDAY), rounds),
        ).fetchall()
    return [float(summary) for (summary,) in rows]


def _commit(folder: Path) -> float:
    """Return the seconds that committing one row takes here: what no scheduler can do without."""
    with closing(sqlite3.connect(_database(folder / "plain"))) as connection:
        connection.execute("CREATE TABLE plain (at TEXT)")
        seconds = []
        for _ in range(25):
            time.sleep(0.05)
            started = time.perf_counter()
            with connection:
                connection.execute("INSERT INTO plain VALUES ('now')")
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    sys.exit(main())
