"""Which rows of the log tables a cleanup deletes, exact to a microsecond, and which dates it can read."""

from datetime import timedelta

import pytest

from cavecron.appdb.cleanup import count_old, prune
from tests.support.app_database import NOW, CellarFile, ago
from tests.support.log_rows import DAYS, NOTHING, RETENTION, add, cleaned, left, ticking, unchecked

EACH_TABLE = pytest.mark.parametrize("table", DAYS)


@EACH_TABLE
def test_a_row_is_old_from_the_first_microsecond_on(cellar: CellarFile, table: str) -> None:
    """A row is deleted a microsecond after its days, and not at that instant itself."""
    days = DAYS[table]
    add(cellar, table, ago(days=days, microseconds=1))
    kept = [
        add(cellar, table, ago(days=days)),
        add(cellar, table, ago(days=days)[:19]),
        add(cellar, table, ago(days=days, microseconds=-1)),
        add(cellar, table, ago()),
    ]
    assert cleaned(cellar) == NOTHING | {table: 1}
    assert left(cellar, table) == kept


def test_the_limit_itself_can_have_a_fraction(cellar: CellarFile) -> None:
    """The instant of a run by hand has microseconds, and they count."""
    now = NOW + timedelta(microseconds=120)
    stamps = (ago(days=90)[:19], ago(days=90, microseconds=-119), ago(days=90, microseconds=-120))
    for stamp in stamps:
        add(cellar, "email_log", stamp)
    prune(cellar.database, RETENTION, now=now, check=unchecked)
    assert left(cellar, "email_log") == [3]


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "hier",
        "now",
        "12:00",
        "12/05/2020",
        "2020",
        "2020-01-01",
        "2020-13-01 00:00:00.000000",
        "2020-02-30 00:00:00.000000",
        "2020-01-01 24:00:00.000000",
        "2020-01-01 00:00:00.00000x",
        "2020-01-01 00:00:00.999999 ?",
        "2020-01-01T00:00:00.000000",
        "2020-01-01 00:00:00+02:00",
        "0000-01-01 00:00:00.000000",
        7,
        -1.5,
        2460000.5,
        b"2020-01-01 00:00:00.000000",
    ],
)
def test_a_row_whose_date_cannot_be_read_is_kept(cellar: CellarFile, stamp: object) -> None:
    """A row with an unreadable date is kept, also between old rows, because its age is unknown."""
    for table in DAYS:
        add(cellar, table, ago(days=900))
        add(cellar, table, stamp)
        add(cellar, table, ago(days=900))
    assert cleaned(cellar) == dict.fromkeys(DAYS, 2)
    assert [left(cellar, table) for table in DAYS] == [[2]] * 3


@pytest.mark.parametrize(
    "stamp",
    [
        "2020-01-01 00:00:00",
        "2020-01-01 00:00:00.5",
        "2020-12-31 23:59:59.999499",
        "2020-12-31 23:59:59.999500",
        "2020-12-31 23:59:59.999999",
        "2020-02-29 12:00:00.000000",
        "0001-01-01 00:00:00.000000",
        "2020-01-01 00:00:00Z",
    ],
)
def test_a_date_is_read_in_each_of_its_shapes(cellar: CellarFile, stamp: str) -> None:
    """All forms of a date are read, without a fraction and with one that SQLite would round up."""
    add(cellar, "activity_log", stamp)
    assert cleaned(cellar) == NOTHING | {"activity_log": 1}


def _add_mixed_rows(cellar: CellarFile) -> None:
    """Add old, new and unreadable rows in random order, with gaps between their ids."""
    for table in DAYS:
        for number in range(700):
            stamp = (ago(days=400), ago(days=1), "hier", ago(days=400, microseconds=number), ago())[
                number % 5
            ]
            add(cellar, table, stamp, id=number * 37 - 500)
        add(cellar, table, ago(days=400), id=2**62)


@pytest.mark.parametrize("step", [0.0, 0.02], ids=["one batch", "many batches"])
def test_a_dry_run_counts_what_a_run_deletes(cellar: CellarFile, step: float) -> None:
    """A dry run deletes nothing and counts the rows that the next run deletes."""
    _add_mixed_rows(cellar)
    before = [left(cellar, table) for table in DAYS]
    counts = count_old(cellar.database, RETENTION, now=NOW, check=unchecked)
    assert [left(cellar, table) for table in DAYS] == before
    assert counts == dict.fromkeys(DAYS, 281)
    assert cleaned(cellar, monotonic=ticking(step)) == counts
    assert count_old(cellar.database, RETENTION, now=NOW, check=unchecked) == NOTHING
    assert [len(left(cellar, table)) for table in DAYS] == [701 - 281] * 3


def test_a_database_without_the_indexes_is_cleaned_as_well(cellar: CellarFile) -> None:
    """The indices belong to the application, so a cleanup works without them."""
    _add_mixed_rows(cellar)
    for table, column in (("activity_log", "created_at"), ("api_token_usage", "timestamp")):
        cellar.execute(f"DROP INDEX ix_{table}_{column}")
    assert cleaned(cellar, monotonic=ticking(0.02)) == dict.fromkeys(DAYS, 281)
