"""How the costs of a start and of a slot grow with the number of jobs: 1,000 and 10,000.

A tenth of the jobs share a minute, and all return at once. The costs are processor seconds of the scheduler,
so that other programs on the machine do not count; the median of three runs each. The costs of a start
without custom jobs are subtracted. The clock is that of `tests.support.run_with_clock`, the seconds and the
file are real. A run in which a slot is missed ends the benchmark.
"""

import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cavecron.demo import schema
from tests.benchmarks.figures import Figure
from tests.support.commands import environment
from tests.support.processes import processor_seconds
from tests.support.run_with_clock import program

#: The growth that still counts as linear, where 1 is exactly linear; quadratic growth would be 10.
_MOST = 1.5
#: Seconds: the kernel's unit of processor time, and so the smallest possible cost.
_TICK = 0.01
#: A Monday at an hour without a slot of the built-in jobs.
_SLOT = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)

_STATES = "SELECT state, trigger, count(*) FROM cavecron_run GROUP BY state, trigger"

_JOBS = """
import os
from cavecron import job

NUMBER = int(os.environ["JOBS"])

def work(run):
    pass

for number in range(NUMBER):
    minute = 5 + 5 * (number * 10 // NUMBER)
    globals()[f"job_{number}"] = job(f"job_{number}", cron=f"{minute} * * * *")(work)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """Processor seconds of a start and of a slot, and real seconds until its last job has started."""

    start: float
    slot: float
    last: float


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure the growth of both costs, where 1 is the growth of the number of jobs."""
    few, many = (200, 2_000) if quick else (1_000, 10_000)
    less, more = (_cost(folder, number, times=1 if quick else 3) for number in (few, many))
    for name, one, other in (
        ("start", less.start, more.start),
        ("slot of a tenth of them", less.slot, more.slot),
    ):
        yield Figure(
            name=f"growth of the cost of a {name}, from {few:,} jobs to {many:,}, where {many // few} × is 1",
            measured=other / one / (many / few),
            unit="×",
            limit=_MOST,
            note=f"{other:.2f} s over {one:.2f} s of processor time",
        )
    yield Figure(
        name=f"the last of {many // 10:,} jobs that share a minute begins after",
        measured=more.last,
        unit="s",
        limit=None,
    )


def _cost(folder: Path, number: int, *, times: int) -> _Cost:
    """Return the medians of several runs."""
    base = [_run(folder, 0).start for _ in range(times)]
    costs = [_run(folder, number) for _ in range(times)]
    return _Cost(
        start=max(_TICK, statistics.median(cost.start for cost in costs) - statistics.median(base)),
        slot=max(_TICK, statistics.median(cost.slot for cost in costs)),
        last=statistics.median(cost.last for cost in costs),
    )


def _run(top: Path, number: int) -> _Cost:
    """Return the costs of a scheduler with `number` jobs; fail if it misses a slot."""
    with TemporaryDirectory(dir=top) as folder:
        path = Path(folder) / "wine.db"
        Path(folder, "jobs_of_mine.py").write_text(_JOBS, encoding="utf-8")
        with closing(sqlite3.connect(path)) as connection, connection:
            schema.create(connection)
        slot = datetime.now(UTC) + timedelta(seconds=10 + number / 200)
        process = subprocess.Popen(
            [sys.executable, "-m", *program(_SLOT, since=slot)],
            env=environment(
                DATABASE_URL=f"sqlite:///{path}",
                JOBS=str(number),
                CAVECRON_JOBS=str(path.with_name("jobs_of_mine.py")) if number else "",
            ),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            return _measure(process, path, number, slot)
        finally:
            process.kill()
            process.communicate()


def _measure(process: "subprocess.Popen[str]", path: Path, number: int, slot: datetime) -> _Cost:
    _read(process, {"prochain créneau": number + 2})
    start, share = processor_seconds(process.pid), number // 10
    if share == 0:
        return _Cost(start=start, slot=0, last=0)
    instants = _read(process, {"Démarrage du job": share, "exécuté avec succès": share})
    last = instants["Démarrage du job"] - slot
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        limit = time.monotonic() + 120
        while (states := connection.execute(_STATES).fetchall()) != [("succeeded", "slot", share)]:
            if time.monotonic() > limit:
                raise RuntimeError(f"of {share} slots there are {states}")
            time.sleep(0.2)
    return _Cost(start=start, slot=processor_seconds(process.pid) - start, last=last.total_seconds())


def _read(process: "subprocess.Popen[str]", times: Mapping[str, int]) -> Mapping[str, datetime]:
    """Return the instants at which the process printed each text for the last of so many times."""
    assert process.stdout
    remaining, instants = dict(times), {}
    for line in process.stdout:
        for words in [words for words in remaining if words in line]:
            remaining[words] -= 1
            instants[words] = datetime.now(UTC)
        if not any(remaining.values()):
            return instants
    raise RuntimeError("the scheduler ended too soon")
