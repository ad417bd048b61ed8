"""Building all reports: over a bare SELECT of the same columns with json.loads, and with label images.

`label_image_data` stands before `quantity`, `user_id` and `created_at` in a row of `wine`. SQLite keeps what
does not fit in a page as a chain of pages, and has to follow it to reach what comes after. So a bare SELECT
of those columns pays for images of which it reads nothing, and the limit for a cellar with images is one
over that SELECT on the same file.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from cavecron.cellar.database import Database
from cavecron.cellar.reader import recipients
from cavecron.cellar.reader import reports as built
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
    """Measure with 2,000 users × 100 wines × 2 insights; images of 60 kB with a fifth of the users."""
    users, runs = (20, 1) if quick else (2000, 7)
    plain = folder / "plain.db"
    fill(plain, Cellars(users=users, wines=100))
    yield ratio(
        "building all reports, over a bare SELECT of the same columns with json.loads",
        lambda: seconds(lambda: build(plain)),
        lambda: seconds(lambda: _read(plain)),
        limit=2.5,
        runs=runs,
    )
    small, labelled = folder / "small.db", folder / "labelled.db"
    fill(small, Cellars(users=users // 5, wines=100))
    fill(labelled, Cellars(users=users // 5, wines=100, label=60_000, labelled=30))
    images = "30 % of the wines with a 60 kB image"
    yield ratio(
        f"{images}: building over the bare SELECT on the same file",
        lambda: seconds(lambda: build(labelled)),
        lambda: seconds(lambda: _read(labelled)),
        limit=2.5,
        runs=runs,
    )
    yield ratio(
        f"{images}: building over building without images",
        lambda: seconds(lambda: build(labelled)),
        lambda: seconds(lambda: build(small)),
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


def build(path: Path) -> None:
    """Build every report."""
    database = Database(path)
    for _ in built(database, recipients(database).recipients, at=NOW, zone=_PARIS):
        pass


def _read(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for row in connection.execute(_WINES):
            json.loads(row[2])
        for statement in _OTHERS:
            for _ in connection.execute(statement):
                pass
