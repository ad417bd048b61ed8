"""The list of columns that the jobs need is complete and contains no other column."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from cavecron.appdb.cleanup import prune
from cavecron.appdb.email_log import EmailLogRow, record_mail
from cavecron.appdb.recipients import recipients
from cavecron.appdb.reports import build_reports
from cavecron.appdb.smtp_settings import active
from cavecron.appdb.tables import NEEDED
from cavecron.config.settings import Retention
from cavecron.database.columns import missing_columns
from tests.support.app_database import NOW, CellarFile
from tests.support.traced_database import WatchedDatabase


def test_the_list_contains_the_columns_that_the_jobs_use(cellar: CellarFile) -> None:
    """The list contains exactly the columns that SQLite reports for the statements of all jobs."""
    cellar.smtp()
    cellar.user("marie")
    database = WatchedDatabase(cellar.path)
    list(build_reports(database, recipients(database).recipients, at=NOW, zone=ZoneInfo("UTC")))
    active(database, ())
    row = EmailLogRow(
        smtp_config_id=1,
        recipient_email="a@b",
        recipient_user_id=1,
        subject="s",
        template_name="t",
        error_message=None,
        at=NOW - timedelta(days=900),
    )
    with database.writing() as connection:
        record_mail(connection, None, row)
    prune(database, Retention(), now=NOW, check=lambda: None)
    inserted = {("email_log", column) for column in NEEDED["email_log"]}
    used = {
        (table, column)
        for table, column in database.columns
        if not table.startswith(("sqlite_", "json_", "pragma_"))
    }
    needed = {(table, column) for table, columns in NEEDED.items() for column in columns}
    assert used | inserted == needed


def test_the_applications_schema_lacks_nothing(cellar: CellarFile) -> None:
    """The schema of release 3.0.0 has all needed columns."""
    with cellar.database.reading() as connection:
        assert missing_columns(connection, NEEDED) == ()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("DROP TABLE wine_insight", "wine_insight"),
        ("ALTER TABLE wine_consumption DROP COLUMN comment", "wine_consumption.comment"),
        ('ALTER TABLE "user" RENAME COLUMN parent_id TO other', "user.parent_id"),
    ],
)
def test_a_missing_table_or_column_is_named(cellar: CellarFile, change: str, name: str) -> None:
    """A missing table is given by its name, and a missing column with its table."""
    cellar.execute(change)
    with cellar.database.reading() as connection:
        assert missing_columns(connection, NEEDED) == (name,)
