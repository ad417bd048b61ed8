"""The costs of a job that runs every minute after a year, and the duration of a simulated week of it.

The ledger is pruned each week, as by the cleanup. A claim is a scan of the job in its transaction; files are
in memory if possible, so that the figure is that of the ledger and not of a disk.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from cavecron.database.sqlite import Database
from cavecron.demo import schema
from cavecron.ledger.catch_up import register_jobs, scan
from cavecron.ledger.models import JobCursor, RunResult
from cavecron.ledger.retention import prune
from cavecron.ledger.runs import record_end
from cavecron.ledger.store import Ledger
from cavecron.schedule import parse
from tests.benchmarks.figures import MEMORY, Figure, seconds
from tests.benchmarks.sample import NOW
from tests.support.commands import environment
from tests.support.ledgers import insert_minutes

_EVERY_MINUTE = parse("* * * * *", ZoneInfo("Europe/Paris"))
_MINUTE, _WEEK = timedelta(minutes=1), timedelta(days=7)
_MINUTES_A_WEEK = 7 * 24 * 60
_JOBS = """
from cavecron import job

@job("minute", cron="* * * * *")
def minute(run):
    pass
"""


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure a year of 525,600 rows, then a week on the simulated machine."""
    weeks = 2 if quick else 52
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else folder) as memory_folder:
        yield _claim(Path(memory_folder) / "year.db", 525_600 if not quick else 5_000)
        yield _size(Path(memory_folder) / "weekly.db", weeks)
    yield _simulation(folder, 1 if quick else 3)


def _claim(path: Path, rows: int) -> Figure:
    ledger = _ledger(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        insert_minutes(connection, "minute", rows, until=NOW)
    claims = [_claim_once(ledger, number) for number in range(1, 52)]
    return Figure(
        name=f"claim of a slot after {rows:,} runs of a job of every minute: median of {len(claims)}",
        measured=statistics.median(claims) * 1000,
        unit="ms",
        limit=10,
        note=f"worst {max(claims) * 1000:.1f} ms",
    )


def _claim_once(ledger: Ledger, number: int) -> float:
    at = NOW + number * _MINUTE
    cursor = JobCursor(job="minute", schedule=_EVERY_MINUTE, accounted_until=at - _MINUTE)
    started = time.perf_counter()
    (result,) = scan(ledger, [cursor], at)
    elapsed = time.perf_counter() - started
    if result.claim is None:
        raise RuntimeError("no claim")
    record_end(ledger, result.claim, RunResult(state="succeeded"), at)
    return elapsed


def _size(path: Path, weeks: int) -> Figure:
    ledger = _ledger(path)
    longest = 0.0
    for week in range(weeks):
        at = NOW + week * _WEEK
        with closing(sqlite3.connect(path)) as connection, connection:
            insert_minutes(connection, "minute", _MINUTES_A_WEEK, until=at)
        prune(ledger, days=400, now=at, check=lambda: None, sleep=lambda _seconds: None)
        longest = max(longest, path.stat().st_size / 1e6)
    return Figure(
        name=f"file of a job of every minute over {weeks} weeks, each with its cleanup: largest",
        measured=longest,
        unit="MB",
        limit=60,
    )


def _ledger(path: Path) -> Ledger:
    with closing(sqlite3.connect(path)) as connection, connection:
        schema.create(connection)
    ledger = Ledger(database=Database(path))
    register_jobs(ledger, {"minute": _EVERY_MINUTE}, NOW)
    return ledger


def _simulation(folder: Path, runs: int) -> Figure:
    jobs = folder / "jobs_of_mine.py"
    jobs.write_text(_JOBS, encoding="utf-8")
    arguments = ["simulate", "--from", "2026-10-26", "--days", "7"]
    times, busy = [], []
    for _ in range(runs):
        before = os.times().children_user
        times.append(
            seconds(
                lambda: subprocess.run(
                    [sys.executable, "-m", "cavecron", *arguments],
                    env=environment(CAVECRON_JOBS=str(jobs)),
                    stdout=subprocess.DEVNULL,
                    check=True,
                )
            )
        )
        busy.append(os.times().children_user - before)
    return Figure(
        name=f"`simulate --days 7` of a job of every minute: best of {runs}",
        measured=min(times),
        unit="s",
        limit=5,
        note=f"{min(busy):.1f} s of processor time",
    )
