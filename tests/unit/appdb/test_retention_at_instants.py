"""The age limit of rows in `cavecron run cleanup`: days of 24 hours, exact to a microsecond."""

from datetime import UTC, datetime, timedelta

import pytest

from cavecron.database.timestamps import utc_text
from tests.support.app_database import CellarFile
from tests.support.in_process import command
from tests.support.log_rows import DAYS, add, left

INSTANT, HOUR = timedelta.resolution, timedelta(hours=1)
EACH_TABLE = pytest.mark.parametrize("table", DAYS)
EACH_INSTANT = pytest.mark.parametrize(
    "now",
    [
        pytest.param(datetime(2027, 4, 15, 1, tzinfo=UTC), id="days over the change in spring"),
        pytest.param(datetime(2027, 11, 15, 2, tzinfo=UTC), id="days over the change in autumn"),
        pytest.param(datetime(2027, 10, 31, 1, 30, tzinfo=UTC), id="in the hour that comes twice"),
        pytest.param(datetime(2027, 12, 31, 23, tzinfo=UTC), id="at the turn of the year"),
        pytest.param(datetime(2028, 2, 29, 2, 59, 59, 999_999, tzinfo=UTC), id="on the 29th of February"),
    ],
)


@EACH_INSTANT
@EACH_TABLE
def test_a_row_is_old_a_microsecond_after_its_days(cellar: CellarFile, now: datetime, table: str) -> None:
    """Days have 24 hours, also where the clocks of the zone changed meanwhile."""
    limit = now - timedelta(days=DAYS[table])
    for old in (limit - HOUR, limit - INSTANT):
        add(cellar, table, utc_text(old))
    kept = [add(cellar, table, utc_text(young)) for young in (limit, limit + INSTANT, limit + HOUR, now)]
    result = command("run", "cleanup", at=now, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert (result.code, result.err) == (0, "")
    assert left(cellar, table) == kept


@EACH_INSTANT
def test_a_dry_run_counts_by_the_same_instant(cellar: CellarFile, now: datetime) -> None:
    """A dry run counts the rows that a run at the same instant would delete."""
    for table, days in DAYS.items():
        limit = now - timedelta(days=days)
        for stamp in (limit - HOUR, limit - INSTANT, limit, limit + INSTANT):
            add(cellar, table, utc_text(stamp))
    result = command("run", "cleanup", "--dry-run", at=now, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert "email_log 2, activity_log 2, api_token_usage 2" in result.out
    assert [len(left(cellar, table)) for table in DAYS] == [4, 4, 4]
