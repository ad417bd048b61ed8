"""The newest date in the application's last rows."""

from datetime import timedelta

import pytest

from cavecron.appdb.last_written import last_written
from cavecron.database.timestamps import utc_text
from tests.support.app_database import NOW, CellarFile, ago
from tests.support.log_rows import DAYS, add, add_many

FUTURE = utc_text(NOW + timedelta(days=26_000))


def test_an_empty_database_has_no_newest_date(cellar: CellarFile) -> None:
    """A new installation has no rows, so there is no date."""
    assert last_written(cellar.database, now=NOW) is None


@pytest.mark.parametrize("table", DAYS)
def test_the_last_row_of_any_log_counts(cellar: CellarFile, table: str) -> None:
    """The newest date can be in any of the log tables."""
    for name in DAYS:
        add(cellar, name, ago(days=300))
    add(cellar, table, ago(days=2))
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=2)


def test_wines_and_exits_count_too(cellar: CellarFile) -> None:
    """Wines and exits count as well, because the application may log nothing."""
    user = cellar.user("marie")
    wine = cellar.wine(user, cellar.cellar(user), created_at=ago(days=9))
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=9)
    cellar.exit(user, wine, consumed_at=ago(days=3))
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=3)


@pytest.mark.parametrize("stamp", [FUTURE, "hier", "", 7, b"2026", "9999-99-99 00:00:00.000000"])
def test_a_last_row_without_a_usable_date_is_skipped(cellar: CellarFile, stamp: object) -> None:
    """An unreadable date and one in the future are skipped."""
    add(cellar, "activity_log", ago(days=5))
    add(cellar, "activity_log", stamp)
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=5)


def test_a_date_in_the_future_does_not_count_after_the_next_row(cellar: CellarFile) -> None:
    """A row dated by a wrong clock does not count once a later row was inserted."""
    add(cellar, "activity_log", FUTURE)
    add(cellar, "activity_log", ago(days=1))
    assert last_written(cellar.database, now=NOW + timedelta(days=26_001)) == NOW - timedelta(days=1)


def test_a_missing_table_is_skipped(cellar: CellarFile) -> None:
    """The database of an older release may lack a table."""
    cellar.execute("DROP TABLE wine_insight")
    add(cellar, "email_log", ago(days=1))
    assert last_written(cellar.database, now=NOW) == NOW - timedelta(days=1)


def test_few_rows_are_read(cellar: CellarFile) -> None:
    """At most 1,000 rows of a table are read, even if none has a usable date."""
    add(cellar, "email_log", ago(days=1))
    add_many(cellar, "email_log", 1_000, "hier")
    assert last_written(cellar.database, now=NOW) is None
