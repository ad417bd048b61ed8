"""Rows of the application's three log tables, and a cleanup of them on a clock that a test chooses."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import count

from cavecron.appdb.cleanup import prune
from cavecron.config.settings import Retention
from cavecron.database.sqlite import Database
from tests.support.app_database import NOW, CellarFile

RETENTION = Retention(email_log_days=90, activity_log_days=180, api_usage_days=30)
DAYS = {"email_log": 90, "activity_log": 180, "api_token_usage": 30}
NOTHING = dict.fromkeys(DAYS, 0)

INSERTS = {
    "email_log": (
        "INSERT INTO email_log (id, recipient_email, subject, status, created_at)"
        " VALUES (?, 'a@example.org', 's', 'sent', ?)"
    ),
    "activity_log": "INSERT INTO activity_log (id, user_id, action, created_at) VALUES (?, 1, 'login', ?)",
    "api_token_usage": (
        "INSERT INTO api_token_usage (id, token_id, timestamp, endpoint, method, status_code)"
        " VALUES (?, 1, ?, '/', 'GET', 200)"
    ),
}


def add(cellar: CellarFile, table: str, stamp: object, id: int | None = None) -> int:  # noqa: A002 - its name
    """Add a row with this date; return its id."""
    return cellar.execute(INSERTS[table], (id, stamp))


def add_many(cellar: CellarFile, table: str, rows: int, stamp: str) -> None:
    """Add rows of one date."""
    with closing(sqlite3.connect(cellar.path)) as connection, connection:
        connection.executemany(INSERTS[table], [(None, stamp)] * rows)


def left(cellar: CellarFile, table: str) -> list[int]:
    """Return the ids that are still there."""
    return [int(str(key)) for (key,) in cellar.rows(f"SELECT id FROM {table} ORDER BY id")]


def unchecked() -> None:
    """Let the cleanup go on."""


def cleaned(
    cellar: CellarFile,
    *,
    database: Database | None = None,
    check: Callable[[], None] = unchecked,
    monotonic: Callable[[], float] = lambda: 0.0,
    sleep: Callable[[float], None] = lambda _seconds: None,
) -> dict[str, int]:
    """Run the cleanup on a clock that stands still, unless another one is given."""
    return prune(
        database or cellar.database, RETENTION, now=NOW, check=check, monotonic=monotonic, sleep=sleep
    )


def ticking(step: float) -> Callable[[], float]:
    """Return a clock that finds at every look that so many seconds have passed."""
    return partial(next, count(0.0, step))
