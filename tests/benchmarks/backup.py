"""How much a backup of a database of 500 MB delays the application, which inserts a row every 10 ms.

Journal mode and synchronous are SQLite's defaults, as in the application; the files are in memory, so that
locks are measured and not the disk. With a writer that never pauses, the backup never completes: then it is
measured that the copy is given up in time.
"""

import multiprocessing
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TypeVar

from cavecron.database.backup import ChangingError, OnlineCopy, require_sound
from cavecron.database.sqlite import Database
from cavecron.demo import schema
from tests.benchmarks.figures import MEMORY, Figure, ratio, seconds

_T = TypeVar("_T")

#: Seconds between two inserts, and the length of a writer's pause.
_EVERY, _REST = 0.010, 15.0
_INSERT = (
    "INSERT INTO activity_log (user_id, action, created_at) VALUES (1, 'x', '2026-11-24 03:00:00.000000')"
)


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure with a writer that never pauses, with one that pauses at times, and without one."""
    megabytes, patience = (8, 0.5) if quick else (500, 60.0)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else folder) as memory_folder:
        source = Path(memory_folder) / "wine.db"
        _fill(source, megabytes)
        subject = f"backup of {megabytes} MB"
        for rest, description in ((0.0, "every 10 ms"), (_REST, "every 10 ms for 1 s, then rests for 15 s")):
            waits, result = _waits(source, lambda: _copy(source, patience), rest=rest)
            waits_without_backup, _ = _waits(source, lambda: time.sleep(patience / 4), rest=rest)
            p99 = sorted(waits)[int(len(waits) * 0.99)] * 1000
            yield Figure(
                name=f"{subject}: longest wait of another process that inserts a row {description}",
                measured=max(waits) * 1000,
                unit="ms",
                limit=100,
                note=f"99 % of {len(waits)} inserts within {p99:.0f} ms; {result}; longest without a backup"
                f" {max(waits_without_backup) * 1000:.0f} ms",
            )
        yield ratio(
            f"{subject}: total with its check over one `cp`",
            lambda: seconds(lambda: _copy(source, patience)),
            lambda: seconds(lambda: shutil.copyfile(source, source.with_name("plain.db"))),
            limit=None,
            runs=1 if quick else 5,
        )


def _fill(path: Path, megabytes: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        schema.create(connection)
        connection.execute("CREATE TABLE photograph (id INTEGER PRIMARY KEY, label TEXT)")
        images = ((os.urandom(50_000).hex(),) for _ in range(megabytes * 10))
        connection.executemany("INSERT INTO photograph (label) VALUES (?)", images)
        connection.commit()


def _copy(source: Path, patience: float) -> str:
    """Copy as the job does; return a description of the result."""
    target = source.with_name("copy.db")
    target.unlink(missing_ok=True)
    target.touch()
    copy = OnlineCopy(source=Database(source), target=target, check=lambda: None, patience=patience)
    started = time.perf_counter()
    try:
        stats = copy.run()
    except ChangingError as error:
        return f"given up after {time.perf_counter() - started:.0f} s and {error.restarts} restarts"
    require_sound(target, lambda: None)
    return f"copied in {time.perf_counter() - started:.1f} s, {stats.restarts} restarts"


def _waits(path: Path, work: Callable[[], _T], *, rest: float) -> tuple[list[float], _T]:
    """Return the seconds that each insert of another process took during `work`, and the result of `work`."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    receiver, sender = context.Pipe()
    writer = context.Process(target=_insert, args=(path, sender, (ready, done), rest))
    writer.start()
    ready.wait(30)
    result = work()
    done.set()
    waits: list[float] = receiver.recv()
    writer.join(30)
    return waits, result


def _insert(path: Path, answer: Connection, events: tuple[Event, Event], rest: float) -> None:
    ready, done = events
    connection = sqlite3.connect(path, timeout=30)
    waits: list[float] = []
    ready.set()
    while not done.is_set():
        started = time.perf_counter()
        connection.execute(_INSERT)
        connection.commit()
        waits.append(time.perf_counter() - started)
        time.sleep(max(0.0, _EVERY - waits[-1]))
        if rest and len(waits) % 100 == 0:
            done.wait(rest)
    connection.close()
    answer.send(waits)
