"""The sample cellar: the application's tables, filled with the households of the demonstration.

The only place outside the application that makes such a database; it never touches one that exists.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from cavecron.database.timestamps import utc_text
from cavecron.demo import schema
from cavecron.demo.households import CATALOGUE, HOUSEHOLDS, Household

#: Days that the logs of the demonstration reach back, and their rows a day: a part of each is old.
_LOG_DAYS = 240
_EMAILS, _ACTIVITIES, _API_CALLS = 1, 5, 8

_USER = (
    'INSERT INTO "user" (id, username, email, password, has_temporary_password, is_admin, parent_id,'
    " created_at) VALUES (?, ?, ?, '!', 0, ?, ?, ?)"
)
_WINE = (
    "INSERT INTO wine (name, extra_attributes, quantity, cellar_id, user_id, subcategory_id, created_at,"
    " updated_at) VALUES (?, ?, ?, ?, ?, (SELECT id FROM alcohol_subcategory WHERE name = ?), ?, ?)"
)
_INSIGHT = (
    "INSERT INTO wine_insight (wine_id, category, content, weight, created_at, updated_at)"
    " VALUES (?, 'garde', ?, 5, ?, ?)"
)
_EXIT = (
    "INSERT INTO wine_consumption (wine_id, user_id, consumed_at, quantity, comment, snapshot_name,"
    " snapshot_year, snapshot_region, snapshot_cellar) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LOGS = (
    (
        _EMAILS,
        "INSERT INTO email_log (recipient_email, recipient_user_id, subject, template_name, status, sent_at,"
        " created_at) VALUES ('claire.martin@example.org', 1, 'Bienvenue', 'welcome', 'sent', :at, :at)",
    ),
    (
        _ACTIVITIES,
        "INSERT INTO activity_log (user_id, action, entity_type, created_at)"
        " VALUES (1, 'login', 'user', :at)",
    ),
    (
        _API_CALLS,
        "INSERT INTO api_token_usage (token_id, timestamp, endpoint, method, status_code)"
        " VALUES (1, :at, '/api/wines', 'GET', 200)",
    ),
)


def create(path: Path, now: datetime) -> None:
    """Make the database of the demonstration at `path`, where nothing is yet, as of `now` (aware).

    Raises:
        sqlite3.Error: it cannot be written.

    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # made anew in a second if power fails
        schema.create(connection)
        connection.execute("BEGIN")
        _add_kinds(connection)
        for number, household in enumerate(HOUSEHOLDS, start=1):
            _add_household(connection, household, number, now)
        for rows_a_day, statement in _LOGS:
            connection.executemany(statement, _log_times(now, rows_a_day))
        connection.execute("COMMIT")


def _add_kinds(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO cellar_category (name) VALUES ('Cave')")
    connection.execute("INSERT INTO alcohol_category (name) VALUES ('Vin')")
    connection.executemany(
        "INSERT INTO alcohol_subcategory (name, category_id, badge_bg_color, badge_text_color)"
        " VALUES (?, 1, '#7b1e3a', '#ffffff')",
        [(kind,) for kind in sorted({bottle.kind for bottle in CATALOGUE.values()})],
    )
    connection.execute(
        "INSERT INTO api_token (user_id, name, token_hash, token_prefix, is_active, rate_limit, created_at)"
        " VALUES (1, 'domotique', 'x', 'cav_demo', 1, 60, '2024-01-01 00:00:00.000000')"
    )


def _add_household(connection: sqlite3.Connection, household: Household, number: int, now: datetime) -> None:
    names = [other.name for other in HOUSEHOLDS]
    parent = names.index(household.parent) + 1 if household.parent else None
    since = _days_before(now, 3000)
    connection.execute(_USER, (number, household.name, household.email, number == 1, parent, since))
    cellars = [_add_shelf(connection, number, shelf.name, shelf.floors) for shelf in household.shelves]
    for stock in household.stock:
        bottle = CATALOGUE[stock.wine]
        attributes = {
            "region": bottle.region,
            "year": _year(now, bottle.age, -1),
            "apogee": _year(now, bottle.peak),
        }
        added = _days_before(now, stock.days)
        wine = connection.execute(
            _WINE,
            (
                bottle.name,
                json.dumps(attributes),
                stock.quantity,
                cellars[stock.cellar],
                number,
                bottle.kind,
                added,
                added,
            ),
        )
        if bottle.note:
            connection.execute(_INSIGHT, (wine.lastrowid, bottle.note, added, added))
    _add_exits(connection, household, number, now)


def _add_shelf(connection: sqlite3.Connection, user: int, name: str, floors: Sequence[int]) -> int | None:
    cellar = connection.execute(
        "INSERT INTO cellar (name, floors, bottles_per_floor, user_id, category_id) VALUES (?, ?, ?, ?, 1)",
        (name, len(floors), max(floors), user),
    ).lastrowid
    connection.executemany(
        "INSERT INTO cellar_floor (cellar_id, level, capacity) VALUES (?, ?, ?)",
        [(cellar, level, capacity) for level, capacity in enumerate(floors, start=1)],
    )
    return cellar


def _add_exits(connection: sqlite3.Connection, household: Household, user: int, now: datetime) -> None:
    for opened in household.opened:
        bottle = CATALOGUE[opened.wine]
        wine, cellar = connection.execute(
            "SELECT wine.id, cellar.name FROM wine JOIN cellar ON cellar.id = cellar_id"
            " WHERE wine.user_id = ? AND wine.name = ?",
            (user, bottle.name),
        ).fetchone()
        at = _days_before(now, opened.days)
        year = _year(now, bottle.age, -1) if isinstance(bottle.age, int) else None  # a column of numbers
        comment = opened.comment or None
        connection.execute(
            _EXIT, (wine, user, at, opened.quantity, comment, bottle.name, year, bottle.region, cellar)
        )


def _year(now: datetime, years: int | str | None, direction: int = 1) -> int | str | None:
    return now.year + direction * years if isinstance(years, int) else years


def _days_before(now: datetime, days: int) -> str:
    return utc_text(now - timedelta(days=days, hours=2))


def _log_times(now: datetime, rows_a_day: int) -> Iterator[dict[str, str]]:
    for number in range(_LOG_DAYS * rows_a_day, 0, -1):
        yield {"at": utc_text(now - timedelta(days=number / rows_a_day))}
