"""The newest date in the application's last rows."""

from datetime import timedelta

import pytest

from cavecron.appdb.last_written import last_written
from cavecron.database.timestamps import utc_text
from tests.support.app_database import NOW, CellarFile, ago
from tests.support.log_rows import DAYS, add, add_many

FUTURE = utc_text(NOW + timedelta(days=26_000))


def test_an_empty_database_knows_nothing(cellar: CellarFile) -> None:
    """A new installation."""
    assert last_written(cellar.database, now=NOW) is None


@pytest.mark.parametrize("table", DAYS)
def test_the_last_row_of_any_log_counts(cellar: CellarFile, table: str) -> None:
    """One of them is enough."""
    for name in DAYS:
        add(cellar, name, ago(days=300))
    add(cellar, table, ago(days=2))
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=2)


def test_wines_and_exits_count_too(cellar: CellarFile) -> None:
    """The application may log nothing."""
    user = cellar.user("marie")
    wine = cellar.wine(user, cellar.cellar(user), created_at=ago(days=9))
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=9)
    cellar.exit(user, wine, consumed_at=ago(days=3))
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=3)


@pytest.mark.parametrize("stamp", [FUTURE, "hier", "", 7, b"2026", "9999-99-99 00:00:00.000000"])
def test_a_last_row_that_says_nothing_is_passed_over(cellar: CellarFile, stamp: object) -> None:
    """Neither a date that cannot be read nor one of a clock that was wrong."""
    add(cellar, "activity_log", ago(days=5))
    add(cellar, "activity_log", stamp)
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=5)


def test_a_date_ahead_is_left_behind_by_the_next_row(cellar: CellarFile) -> None:
    """When the clock goes wrong a second time, the row of the first time is no witness for it."""
    add(cellar, "activity_log", FUTURE)
    add(cellar, "activity_log", ago(days=1))
    assert last_written(cellar.database, now=NOW + timedelta(days=26_001)) == NOW - timedelta(days=1)


def test_a_table_that_is_not_there_is_passed_over(cellar: CellarFile) -> None:
    """An older release may lack it."""
    cellar.execute("DROP TABLE wine_insight")
    add(cellar, "email_log", ago(days=1))
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=1)


def test_few_rows_are_read(cellar: CellarFile) -> None:
    """However many there are that say nothing: 1,000 of a table."""
    add(cellar, "email_log", ago(days=1))
    add_many(cellar, "email_log", 1_000, "hier")
    assert last_written(cellar.database, now=NOW) is None
