"""How the rows of reports are read: in short transactions, and with little memory."""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pytest

from cavecron.appdb.recipients import recipients
from cavecron.appdb.reports import BatchLimits, build_reports
from cavecron.database.sqlite import Database
from cavecron.report.model import WeeklyReport
from tests.support.app_database import NOW, CellarFile, ago
from tests.support.traced_database import WatchedDatabase

PARIS = ZoneInfo("Europe/Paris")


def _reports(database: Database, **limits: int) -> list[WeeklyReport]:
    people = recipients(database).recipients
    return list(build_reports(database, people, at=NOW, zone=PARIS, limits=BatchLimits(**limits)))


def _fill(cellar: CellarFile, *, users: int, wines: int, note: str = "garde 3 à 5 ans") -> None:
    """Add users with different wines, two insights for each wine, and an exit for each."""
    for number in range(users):
        user = cellar.user(f"user{number}")
        cave = cellar.cellar(user, f"cave {number}")
        for wine in range(wines):
            attributes = {"year": 2000 + (wine * 7 + number) % 26, "region": wine}
            row = cellar.wine(
                user, cave, f"{number}/{wine}", created_at=ago(days=wine), attributes=attributes
            )
            cellar.insight(row, f"{note} {wine}")
            cellar.insight(row, "Robe rubis")
            cellar.exit(user, row, comment=f"{wine}")


@dataclass(frozen=True)
class _CountedDatabase(Database):
    """A database that counts the read transactions and the wines that each of them reads."""

    wines_read: list[int] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that counts the rows of wines."""
        with super().reading() as connection:
            self.wines_read.append(0)
            connection.row_factory = self._count
            yield connection

    def _count(self, cursor: sqlite3.Cursor, row: tuple[object, ...]) -> tuple[object, ...]:
        self.wines_read[-1] += len(cursor.description) == 7 and cursor.description[2][0] == "extra_attributes"
        return row


@pytest.mark.parametrize(
    "limits",
    [
        {"rows": 1, "overrun": 1},
        {"rows": 3, "overrun": 2},
        {"rows": 10**6, "characters": 1, "overrun": 1},
        {"rows": 50, "overrun": 4},
    ],
    ids=["row by row", "a few rows", "letter by letter", "a user and more"],
)
def test_reports_do_not_depend_on_the_limits_of_a_transaction(
    cellar: CellarFile, limits: dict[str, int]
) -> None:
    """The reports do not depend on the limits of a transaction."""
    _fill(cellar, users=4, wines=30)
    cellar.user("nobody", None)
    cellar.user("empty")
    assert _reports(cellar.database, **limits) == _reports(cellar.database, rows=10**6, characters=10**9)


@pytest.mark.parametrize("limits", [{"rows": 1, "overrun": 1}, {"rows": 10**6}], ids=["cut", "whole"])
def test_a_text_that_is_not_utf8_is_read_once(cellar: CellarFile, limits: dict[str, int]) -> None:
    """A text that is not UTF-8 costs no wine, and no wine is counted twice."""
    _fill(cellar, users=3, wines=10)
    for column in ("name", "extra_attributes"):
        cellar.execute(f"UPDATE wine SET {column} = CAST(x'ff' AS TEXT) WHERE id = 15")
    cellar.execute("UPDATE wine_insight SET content = CAST(x'ff206761726465' AS TEXT) WHERE wine_id = 16")
    cellar.execute("UPDATE wine_consumption SET comment = CAST(x'ff' AS TEXT) WHERE wine_id = 25")
    cellar.execute("UPDATE cellar SET name = CAST(x'ff' AS TEXT) WHERE id = 2")
    reports = _reports(cellar.database, **limits)
    assert [report.statistics.bottles for report in reports] == [10, 10, 10]
    assert [len(report.activity.exits) for report in reports] == [10, 10, 10]
    assert reports[1].statistics.cellars[0].name == "\ufffd"


def test_one_large_user_is_read_in_slices(cellar: CellarFile) -> None:
    """No transaction reads more wines than its limit allows."""
    _fill(cellar, users=1, wines=100)
    database = _CountedDatabase(cellar.path)
    _reports(database, rows=10, overrun=2)
    assert sum(database.wines_read) == 100
    assert max(database.wines_read) <= 20


def test_small_users_share_a_transaction(cellar: CellarFile) -> None:
    """A transaction for each of many users would take longer than reading their rows."""
    for number in range(300):
        cellar.user(f"user{number}")
    database = _CountedDatabase(cellar.path)
    assert len(_reports(database)) == 300
    assert len(database.wines_read) == 2  # the list of recipients, and their reports


def test_every_statement_of_a_report_finds_its_rows_by_an_index(cellar: CellarFile) -> None:
    """Only the sums over all cellars and the list of users may read a whole table."""
    _fill(cellar, users=2, wines=3)
    watched = WatchedDatabase(cellar.path)
    _reports(watched)
    scans = set()
    for statement in {text for text in watched.statements if text.lstrip().startswith("SELECT")}:
        for row in cellar.rows(f"EXPLAIN QUERY PLAN {statement}"):
            if str(row[3]).startswith("SCAN"):
                scans.add(str(row[3]).split(" USING")[0])
    assert scans <= {"SCAN user", "SCAN (subquery-1)", "SCAN (subquery-2)"}


def _peak(database: Database) -> int:
    """Return the largest amount of memory, in bytes, while all reports are built one after the other."""
    people = recipients(database).recipients
    tracemalloc.start()
    try:
        for _report in build_reports(database, people, at=NOW, zone=PARIS):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _add_many(cellar: CellarFile, user: int, wines: int, note: str) -> None:
    """Add old wines to this user, each with three insights."""
    cave = cellar.cellar(user)
    first = cellar.wine(user, cave, attributes={"year": 2010})
    cellar.insight(first, note)
    cellar.execute(
        "INSERT INTO wine (name, extra_attributes, quantity, cellar_id, user_id, created_at, updated_at)"
        " WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " SELECT name || i, extra_attributes, 1, cellar_id, user_id, created_at, updated_at FROM wine, n"
        " WHERE id = ?",
        (wines, first),
    )
    cellar.execute(
        "INSERT INTO wine_insight (wine_id, content, weight, created_at, updated_at)"
        " SELECT wine.id, content || wine.id, k.value, wine_insight.created_at, wine_insight.updated_at"
        " FROM wine, json_each('[1,2,3]') AS k, wine_insight WHERE user_id = ? AND wine_insight.wine_id = ?",
        (user, first),
    )


def test_memory_does_not_grow_with_the_wines_of_a_user(cellar: CellarFile) -> None:
    """3,000 wines with three insights each need little more memory than 300, because ten are kept."""
    _add_many(cellar, cellar.user("few"), 300, "À boire, garde 3 à 5 ans. " * 10)
    few = _peak(cellar.database)
    _add_many(cellar, cellar.user("many"), 3_000, "À boire, garde 3 à 5 ans. " * 10)
    assert _peak(cellar.database) < 2 * few + 300_000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_notes_that_are_not_kept(cellar: CellarFile) -> None:
    """Memory holds the insights of the ten kept wines only: a few MB of 24."""
    for number in range(2):
        _add_many(cellar, cellar.user(f"user{number}"), 40, "garde " + "x" * 100_000)
    assert _peak(cellar.database) < 12_000_000
