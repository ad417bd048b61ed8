"""The costs of an idle scheduler for its machine, compared with a bare interpreter. Linux only.

Both are started alternately and then observed together for two minutes: memory that they share counts the
same for both. The bare interpreter has imported croniter, as schedulers do; cavecron does not need it while
idle.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.figures import Figure, ratio, seconds
from tests.benchmarks.sample import Cellars, fill
from tests.support.commands import environment
from tests.support.processes import counters, memory, network_sockets, open_files

#: The programs with which cavecron is compared; they print the same word when they are ready.
_BARE = ("-c", "import asyncio, sqlite3, croniter; print('démarré', flush=True)")
_BARE_IN_MEMORY = (
    "-c",
    "import asyncio, sqlite3, zoneinfo, croniter, time; print('démarré', flush=True); time.sleep(600)",
)
_OURS = ("-m", "cavecron")


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure the start until « démarré », then two idle minutes."""
    path = folder / "wine.db"
    fill(path, Cellars(users=12, wines=100))
    yield ratio(
        "start until « démarré », over `import asyncio, sqlite3, croniter`",
        lambda: seconds(lambda: _start_once(path, *_OURS)),
        lambda: seconds(lambda: _start_once(path, *_BARE)),
        limit=2,
        runs=3 if quick else 15,
    )
    with _running_process(path, *_OURS) as ours, _running_process(path, *_BARE_IN_MEMORY) as bare:
        time.sleep(3)  # for the first scan
        yield from _activity(ours, 5 if quick else 120)
        yield from _resources(ours, bare, path)


def _activity(process: int, span: int) -> Iterator[Figure]:
    """Measure the activity of a process for `span` seconds."""
    before, start_time = counters(process), time.monotonic()
    time.sleep(span)
    after, minutes = counters(process), (time.monotonic() - start_time) / 60
    wakeups = (after.wakeups - before.wakeups) / minutes
    yield _idle("wake-ups of all its threads", wakeups, "a minute", 2)
    yield _idle("read and written by any call", after.characters - before.characters, "bytes", 0)
    yield _idle("read from disks and written to them", after.stored - before.stored, "bytes", 0)


def _resources(ours: int, bare: int, database: Path) -> Iterator[Figure]:
    """Measure the resources that a process keeps."""
    names = ("resident", "resident, what is shared in part")
    for name, our_kilobytes, bare_kilobytes in zip(names, memory(ours), memory(bare), strict=True):
        yield Figure(
            name=f"idle: memory ({name}), over a bare interpreter",
            measured=our_kilobytes / bare_kilobytes,
            unit="×",
            limit=1.15,
            note=f"{our_kilobytes / 1024:.1f} MB over {bare_kilobytes / 1024:.1f} MB",
        )
    yield _idle("sockets that listen or reach the network", len(network_sockets(ours)), "sockets", 0)
    on_database = [name for name in open_files(ours) if name.startswith(str(database))]
    yield _idle("connections to the database", len(on_database), "files", 0)


def _idle(name: str, measured: float, unit: str, limit: float) -> Figure:
    return Figure(name=f"idle: {name}", measured=measured, unit=unit, limit=limit)


def _start_once(path: Path, *arguments: str) -> None:
    with _running_process(path, *arguments):
        pass


@contextmanager
def _running_process(path: Path, *arguments: str) -> Iterator[int]:
    """Yield the id of a process that has printed that it is ready; end it afterwards."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env=environment(DATABASE_URL=f"sqlite:///{path}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert process.stdout
    try:
        if not any("démarré" in line for line in process.stdout):
            raise RuntimeError(f"{' '.join(arguments)} ended before it was ready")
        yield process.pid
    finally:
        process.kill()
        process.communicate()
