"""How an idle scheduler weighs on its host, beside a bare interpreter, as issue 3 limits it.

`python -m tests.benchmarks.guest [--quick]` takes the medians of 15 starts each, and watches an idle
scheduler for two minutes; `--quick`: 7 starts and one minute. Linux only. Both processes are compared at
the same moment, on the same machine, with croniter that cavecron itself does not use.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cavecron.demo import schema
from tests.commands import environment
from tests.processes import Counters, counters, memory, network_sockets, open_files

#: What cavecron is compared with; it says that it is ready as cavecron does.
BARE = "import asyncio, sqlite3, croniter; print('démarré', flush=True)"
BARE_IN_MEMORY = (
    "import asyncio, sqlite3, zoneinfo, croniter, time; print('démarré', flush=True); time.sleep(600)"
)
MOST_MEMORY, MOST_START, MOST_WAKEUPS = 1.15, 2.0, 2.0
_READY = b"d\xc3\xa9marr\xc3\xa9"


def main() -> int:
    """Print the figures with their limits; return 0 if they hold."""
    quick = "--quick" in sys.argv[1:]
    print(f"| idle for {60 if quick else 120} s | figure | limit |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wine.db"
        with closing(sqlite3.connect(path)) as connection, connection:
            schema.create(connection)
        bench = _Bench(environment(DATABASE_URL=f"sqlite:///{path}"), path)
        kept = [bench.start(7 if quick else 15), *bench.idle(60 if quick else 120)]
    print(f"\nload average: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    return 0 if all(kept) else 1


class _Bench:
    """Starts both kinds of process with one environment."""

    def __init__(self, variables: dict[str, str], database: Path) -> None:
        self._variables, self._database = variables, database

    def start(self, times: int) -> bool:
        """Print how long it takes until a process says that it is ready, over a bare interpreter."""
        ours, bare = [], []
        for _ in range(times + 1):
            bare.append(self._start_once("-c", BARE))
            ours.append(self._start_once("-m", "cavecron"))
        mine, its = statistics.median(ours[1:]), statistics.median(bare[1:])  # the first ones fill the caches
        return _told(
            f"start, over {its * 1000:.0f} ms of a bare interpreter", mine / its, MOST_START, unit=" ×"
        )

    def _start_once(self, *arguments: str) -> float:
        began = time.perf_counter()
        process = self._started(*arguments)
        seconds = time.perf_counter() - began
        _end(process)
        return seconds

    def idle(self, seconds: int) -> Sequence[bool]:
        """Print what an idle scheduler does in this time, and what it holds."""
        bare, ours = self._started("-c", BARE_IN_MEMORY), self._started("-m", "cavecron")
        time.sleep(3)
        before, began = counters(ours.pid), time.monotonic()
        time.sleep(seconds)
        after, minutes = counters(ours.pid), (time.monotonic() - began) / 60
        kept = [
            *_memory(memory(ours.pid), memory(bare.pid)),
            *_activity(before, after, minutes),
            _told("sockets that listen, or reach the network", len(network_sockets(ours.pid)), 0),
            _told("descriptors on the database", self._descriptors(ours.pid), 0),
        ]
        _end(ours)
        _end(bare)
        return kept

    def _descriptors(self, process: int) -> int:
        return sum(name.startswith(str(self._database)) for name in open_files(process))

    def _started(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Return a process that has said that it is ready."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout
        if not any(_READY in line for line in process.stdout):
            raise RuntimeError(f"{arguments} ended before it began")
        return process


def _memory(ours: tuple[int, int], bare: tuple[int, int]) -> Sequence[bool]:
    return [
        _told(
            f"memory ({name}), over {its / 1024:.1f} MB of a bare interpreter",
            mine / its,
            MOST_MEMORY,
            unit=" ×",
        )
        for name, mine, its in zip(("RSS", "PSS"), ours, bare, strict=True)
    ]


def _activity(before: Counters, after: Counters, minutes: float) -> Sequence[bool]:
    return (
        _told("wake-ups a minute", (after.wakeups - before.wakeups) / minutes, MOST_WAKEUPS),
        _told("bytes read or written, by any call", after.characters - before.characters, 0),
        _told("bytes read from or written to a disk", after.stored - before.stored, 0),
    )


def _told(what: str, figure: float, limit: float, *, unit: str = "") -> bool:
    """Print one line; return whether the limit holds."""
    shown = f"{figure:.2f}".rstrip("0").rstrip(".")
    print(f"| {what} | {shown}{unit} | ≤ {limit:g}{unit} |", flush=True)
    return figure <= limit


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
