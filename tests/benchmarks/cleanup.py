"""How much a cleanup of 3 × 1,000,000 rows, half of them old, delays the application.

Journal mode and synchronous are SQLite's defaults, as in the application. The waits are measured with the
file in memory if possible, because a slow disk delays a writer also without a cleanup.
"""

import multiprocessing
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory

from cavecron.appdb.cleanup import prune
from cavecron.config.settings import Retention
from cavecron.database.sqlite import Database
from cavecron.database.timestamps import utc_text
from cavecron.demo import schema
from tests.benchmarks.figures import MEMORY, Figure, ratio, seconds

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
RETENTION = Retention()

_INSERTS = {
    "email_log": (
        "INSERT INTO email_log (smtp_config_id, recipient_email, recipient_user_id, subject, template_name,"
        " status, sent_at, created_at) VALUES (1, 'claire@example.org', :number % 50,"
        " 'Votre rapport hebdomadaire', 'weekly_report', 'sent', :at, :at)",
        RETENTION.email_log_days,
    ),
    "activity_log": (
        "INSERT INTO activity_log (user_id, action, entity_type, entity_id, details, ip_address, user_agent,"
        " created_at) VALUES (:number % 50, 'wine_' || (:number % 7), 'wine', :number, '{\"quantity\": 1}',"
        " '192.168.1.20', 'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0', :at)",
        RETENTION.activity_log_days,
    ),
    "api_token_usage": (
        "INSERT INTO api_token_usage (token_id, timestamp, endpoint, method, status_code, ip_address,"
        " response_time_ms) VALUES (:number % 9, :at, '/api/wines', 'GET', 200, '192.168.1.21', 12)",
        RETENTION.api_usage_days,
    ),
}


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure 3 × 1,000,000 rows, a compromise between a file that is too small and a slow preparation."""
    rows, runs = (2_000, 1) if quick else (1_000_000, 5)
    source = folder / "source.db"
    _fill(source, rows)
    subject = f"cleanup of 3 × {rows:,} rows, half of them old"
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else folder) as copy_folder:
        yield _longest_wait(subject, source, Path(copy_folder), runs)
    yield ratio(
        f"{subject}: total over one plain DELETE for each table",
        lambda: _warm_seconds(_copy(source, folder), _gentle),
        lambda: _warm_seconds(_copy(source, folder), _plain),
        limit=2.3,
        runs=runs,
    )


def _longest_wait(subject: str, source: Path, copy_folder: Path, runs: int) -> Figure:
    longest: list[float] = []
    waits: list[float] = []
    for _ in range(runs):
        run_waits = _waits(_copy(source, copy_folder))
        longest.append(max(run_waits) * 1000)
        waits += run_waits
    p99 = sorted(waits)[int(len(waits) * 0.99)] * 1000
    return Figure(
        name=f"{subject}: longest wait of another process that inserts a row every 10 ms",
        measured=statistics.median(longest),
        unit="ms",
        limit=50,
        note=f"worst of {runs} runs {max(longest):.0f} ms; 99 % of {len(waits)} inserts within {p99:.0f} ms",
    )


def _fill(path: Path, rows: int) -> None:
    connection = sqlite3.connect(path)
    schema.create(connection)
    for statement, days in _INSERTS.values():
        connection.executemany(statement, _stamps(rows, days))
    connection.commit()
    connection.close()


def _stamps(rows: int, days: int) -> Iterator[dict[str, object]]:
    """Yield instants in ascending order, as in a log; the first half is older than `days`."""
    step = timedelta(days=2 * days) / rows
    start = NOW - timedelta(days=2 * days)
    for number in range(rows):
        yield {"at": utc_text(start + number * step), "number": number}


def _copy(source: Path, copy_folder: Path) -> Path:
    target = copy_folder / "wine.db"
    shutil.copyfile(source, target)
    return target


def _warm_seconds(path: Path, work: Callable[[Path], None]) -> float:
    """Return the seconds that `work` takes with the file's pages in memory."""
    path.read_bytes()
    return seconds(lambda: work(path))


def _plain(path: Path) -> None:
    connection = sqlite3.connect(path)
    for table, (_, days) in _INSERTS.items():
        column = "timestamp" if table == "api_token_usage" else "created_at"
        limit = utc_text(NOW - timedelta(days=days))
        connection.execute(f"DELETE FROM {table} WHERE {column} < ?", (limit,))
        connection.commit()
    connection.close()


def _gentle(path: Path) -> None:
    prune(Database(path), RETENTION, now=NOW, check=lambda: None)


def _waits(path: Path) -> list[float]:
    """Return the seconds that each insert of another process took during the cleanup."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    receiver, sender = context.Pipe()
    writer = context.Process(target=_insert, args=(path, sender, ready, done))
    writer.start()
    ready.wait(30)
    _gentle(path)
    done.set()
    waits: list[float] = receiver.recv()
    writer.join(30)
    return waits


def _insert(path: Path, answer: Connection, ready: Event, done: Event) -> None:
    connection = sqlite3.connect(path, timeout=30)
    statement, _ = _INSERTS["activity_log"]
    waits = []
    ready.set()
    while not done.is_set():
        started = time.perf_counter()
        connection.execute(statement, {"at": utc_text(NOW), "number": 1})
        connection.commit()
        waits.append(time.perf_counter() - started)
        time.sleep(max(0.0, 0.010 - waits[-1]))
    answer.send(waits)
