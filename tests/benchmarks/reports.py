"""Building all reports, over a bare SELECT of the same columns with json.loads, and with label images.

In a row of `wine`, `label_image_data` comes before `quantity`, `user_id` and `created_at`. SQLite stores a
value that does not fit into a page as a chain of pages, and has to follow it to reach the columns behind it.
So a bare SELECT of these columns pays for images of which it reads nothing, and the limit for a database with
images is relative to that SELECT on the same file.
"""

import json
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from cavecron.appdb.recipients import recipients
from cavecron.appdb.reports import build_reports
from cavecron.database.sqlite import Database
from tests.benchmarks.figures import Figure, ratio, seconds
from tests.benchmarks.sample import NOW, Cellars, fill

_PARIS = ZoneInfo("Europe/Paris")
_WINES = (
    "SELECT id, name, extra_attributes, quantity, cellar_id, user_id, subcategory_id, created_at FROM wine"
)
_OTHERS = (
    'SELECT id, username, email, parent_id FROM "user"',
    "SELECT id, name, floors, bottles_per_floor, user_id FROM cellar",
    "SELECT cellar_id, capacity FROM cellar_floor",
    "SELECT id, name FROM alcohol_subcategory",
    "SELECT wine_id, content, weight, created_at FROM wine_insight",
    "SELECT id, user_id, consumed_at, quantity, comment, snapshot_name, snapshot_year, snapshot_region,"
    " snapshot_cellar FROM wine_consumption",
)


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure with 2,000 users × 100 wines × 2 insights; a fifth of the users for images of 60 kB."""
    users, runs = (20, 1) if quick else (2000, 7)
    plain = folder / "plain.db"
    fill(plain, Cellars(users=users, wines=100))
    yield ratio(
        "building all reports, over a bare SELECT of the same columns with json.loads",
        lambda: seconds(lambda: build(Database(plain))),
        lambda: seconds(lambda: _read(plain)),
        limit=2.5,
        runs=runs,
    )
    yield Figure(
        name="building all reports: longest read transaction, for whose end a writer's commit waits",
        measured=statistics.median(max(_transaction_seconds(plain)) for _ in range(runs)) * 1000,
        unit="ms",
        limit=100,
    )
    small, labelled = folder / "small.db", folder / "labelled.db"
    fill(small, Cellars(users=users // 5, wines=100))
    fill(labelled, Cellars(users=users // 5, wines=100, label=60_000, labelled=30))
    images = "30 % of the wines with a 60 kB image"
    yield ratio(
        f"{images}: building over the bare SELECT on the same file",
        lambda: seconds(lambda: build(Database(labelled))),
        lambda: seconds(lambda: _read(labelled)),
        limit=2.5,
        runs=runs,
    )
    yield ratio(
        f"{images}: building over building without images",
        lambda: seconds(lambda: build(Database(labelled))),
        lambda: seconds(lambda: build(Database(small))),
        limit=None,
        runs=runs,
    )
    yield ratio(
        f"{images}: the bare SELECT over that without images",
        lambda: seconds(lambda: _read(labelled)),
        lambda: seconds(lambda: _read(small)),
        limit=None,
        runs=runs,
    )


@dataclass(frozen=True)
class _TimedDatabase(Database):
    """A database that keeps the duration of each read transaction, in seconds."""

    durations: list[float] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection, and add the duration of its transaction."""
        with super().reading() as connection:
            started = time.perf_counter()
            yield connection
        self.durations.append(time.perf_counter() - started)


def _transaction_seconds(path: Path) -> list[float]:
    """Return the durations of the read transactions for all reports."""
    database = _TimedDatabase(path)
    build(database)
    return database.durations


def build(database: Database) -> None:
    """Build every report."""
    for _ in build_reports(database, recipients(database).recipients, at=NOW, zone=_PARIS):
        pass


def _read(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for row in connection.execute(_WINES):
            json.loads(row[2])
        for statement in _OTHERS:
            for _ in connection.execute(statement):
                pass
