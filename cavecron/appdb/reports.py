"""Who gets a weekly report, and what it says: the application's rows, read in one pass.

It knows neither mail nor the ledger. The number of statements depends on the number of users only, and
`label_image_data` and `image_url`, a photograph each, are never selected.
"""

import difflib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cavecron.database.sqlite import Database
from cavecron.database.timestamps import utc_text
from cavecron.errors import UsageError
from cavecron.report.builder import Draft, ExitRow, Period, WineRow, text
from cavecron.report.maturity import KEEPING
from cavecron.report.model import Quantity, Recipient, WeeklyReport

#: Users read in one transaction: few enough for memory, and for writers who wait for its end.
_CHUNK = 50
_WEEK = timedelta(hours=168)

_USERS = 'SELECT id, username, email, parent_id FROM "user" ORDER BY id'

# wine.cellar_id has no index: all cellars in one scan, never one scan for each. A sum that meets
# something absurd must not overflow; `builder.quantity` draws the same line.
_EXTENT = 'SELECT (SELECT count(*) FROM "user"), min(id), max(id) FROM wine'
_BOTTLES = """
    SELECT cellar_id, sum(quantity) FROM wine
    WHERE id BETWEEN ? AND ? AND typeof(quantity) IN ('integer', 'real') AND abs(quantity) <= 1e12
    GROUP BY cellar_id"""

_CELLARS = """
    SELECT user_id, id, name, coalesce(
        (SELECT sum(capacity) FROM cellar_floor WHERE cellar_id = cellar.id), floors * bottles_per_floor)
    FROM cellar WHERE user_id IN (SELECT value FROM json_each(:users)) ORDER BY id"""

# The order is that of the index on user_id, so that nothing is sorted; + keeps IN from another one.
_OWNED = """
    wine.user_id BETWEEN :first AND :last AND +wine.user_id IN (SELECT value FROM json_each(:users))"""

_WINES = f"""
    SELECT wine.user_id, wine.id, wine.name, extra_attributes, quantity, created_at,
           cellar.name, alcohol_subcategory.name
    FROM wine LEFT JOIN cellar ON cellar.id = wine.cellar_id
              LEFT JOIN alcohol_subcategory ON alcohol_subcategory.id = wine.subcategory_id
    WHERE {_OWNED} ORDER BY wine.user_id, wine.id"""  # noqa: S608 - a constant

# LIKE knows the cases of ASCII only, so any letter may stand for another one; and it passes over blobs.
_KEEPING = " OR ".join(
    f"content LIKE '%{''.join(letter if letter.isascii() else '_' for letter in word)}%'" for word in KEEPING
)
_INSIGHTS = f"""
    SELECT wine.id, wine_insight.content
    FROM wine CROSS JOIN wine_insight ON wine_insight.wine_id = wine.id
    WHERE {_OWNED} AND ({_KEEPING} OR typeof(content) = 'blob')
    ORDER BY wine.user_id, wine.id, weight DESC, wine_insight.created_at DESC"""  # noqa: S608

_EXITS = """
    SELECT user_id, id, consumed_at, quantity, comment,
           snapshot_name, snapshot_year, snapshot_region, snapshot_cellar
    FROM wine_consumption
    WHERE user_id IN (SELECT value FROM json_each(:users)) AND consumed_at >= :horizon"""

_NO_INSIGHT: tuple[object, object] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who gets a report, in order of id, and how many would if they had an address."""

    recipients: tuple[Recipient, ...]
    without_address: int


def recipients(database: Database, names: Sequence[str] = ()) -> Audience:
    """Return who gets a report: all users without a parent, or those of `names` (user names or ids).

    Raises:
        UsageError: a name is unknown, or its user gets no report.
        CavecronError: the database cannot be read.

    """
    with database.reading() as connection:
        connection.text_factory = _lenient
        users = connection.execute(_USERS).fetchall()
    if names:
        users = [_named(name, users) for name in dict.fromkeys(names)]
    owners = [(key, text(name), text(email)) for key, name, email, parent in users if parent is None]
    found = [Recipient(id=key, username=name, email=email) for key, name, email in owners if email.strip()]
    unique = {recipient.id: recipient for recipient in found}
    return Audience(recipients=tuple(unique.values()), without_address=len(owners) - len(found))


def reports(
    database: Database, recipients: Sequence[Recipient], *, at: datetime, zone: ZoneInfo
) -> Iterator[WeeklyReport]:
    """Yield the report of each recipient, of the week before `at` (aware), in order of id.

    Nothing of the database is open while a report is in the caller's hands.

    Raises:
        CavecronError: the database cannot be read.

    """
    if not recipients:
        return
    start = at - _WEEK
    period = Period(
        start=start,
        end=at,
        year=at.astimezone(zone).year,
        horizon=utc_text(start - timedelta(days=1))[:10],
    )
    ordered = sorted(recipients, key=lambda recipient: recipient.id)
    bottles = _bottles(database)
    for first in range(0, len(ordered), _CHUNK):
        chunk = ordered[first : first + _CHUNK]
        with database.reading() as connection:
            rows = _read(connection, [recipient.id for recipient in chunk], period)
        drafts = {recipient.id: Draft(user=recipient, period=period) for recipient in chunk}
        _fill(drafts, rows, bottles)
        for draft in drafts.values():
            yield draft.report()


def _bottles(database: Database) -> dict[object, Quantity]:
    """Return the bottles in each cellar, read in as many parts as the users are."""
    bottles: dict[object, Quantity] = {}
    with database.session() as connection:
        users, first, last = connection.execute(_EXTENT).fetchone()
        if first is None:
            return bottles
        width = (last - first) // (users // _CHUNK + 1) + 1
        for start in range(first, last + 1, width):
            part = connection.execute(_BOTTLES, (start, min(start + width - 1, last))).fetchall()
            for cellar, count in part:
                bottles[cellar] = bottles.get(cellar, 0) + count
    return bottles


class _Rows(NamedTuple):
    """What the application stores of some users."""

    cellars: list[tuple[Any, ...]]
    wines: list[tuple[Any, ...]]
    insights: list[tuple[Any, ...]]
    exits: list[tuple[Any, ...]]


def _read(connection: sqlite3.Connection, users: Sequence[int], period: Period) -> _Rows:
    """Read all rows of these users; a text that is not UTF-8 costs its unreadable letters only."""
    wanted = {
        "users": json.dumps(users),
        "first": users[0],
        "last": users[-1],
        "horizon": period.horizon,
    }
    statements = (_CELLARS, _WINES, _INSIGHTS, _EXITS)
    try:
        return _Rows(*(connection.execute(statement, wanted).fetchall() for statement in statements))
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    # Reading each text through Python is slow: only where SQLite's way failed.
    connection.text_factory = _lenient
    return _Rows(*(connection.execute(statement, wanted).fetchall() for statement in statements))


def _fill(drafts: Mapping[int, Draft], rows: _Rows, bottles: Mapping[object, Quantity]) -> None:
    for user_id, cellar_id, name, capacity in rows.cellars:
        drafts[user_id].add_cellar(name, bottles.get(cellar_id), capacity)
    insights = iter(rows.insights)
    wine_id, content = next(insights, _NO_INSIGHT)
    for stored in rows.wines:
        row = WineRow._make(stored)
        contents = []
        while wine_id == row.id:
            contents.append(text(content))
            wine_id, content = next(insights, _NO_INSIGHT)
        drafts[row.user_id].add_wine(row, contents)
    for stored in rows.exits:
        exit_row = ExitRow._make(stored)
        drafts[exit_row.user_id].add_exit(exit_row)


def _named(name: str, users: Sequence[tuple[object, ...]]) -> tuple[object, ...]:
    """Return the row of the user with this name, or else with this id."""
    found = [user for user in users if text(user[1]) == name] or [
        user for user in users if str(user[0]) == name
    ]
    if not found:
        nearest = difflib.get_close_matches(name, [text(user[1]) for user in users], n=1, cutoff=0.5)
        hint = f" (vouliez-vous dire {nearest[0]!r} ?)" if nearest else ""
        raise UsageError(f"utilisateur inconnu : {name!r}{hint}")
    _id, _username, email, parent = found[0]
    if parent is not None:
        raise UsageError(f"{name!r} est un sous-compte : son rapport est celui de son compte principal")
    if not text(email).strip():
        raise UsageError(f"{name!r} n'a pas d'adresse e-mail : l'enregistrer dans l'application")
    return found[0]


def _lenient(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")
