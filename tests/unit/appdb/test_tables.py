"""The list of columns that the jobs need: neither too short nor too long."""

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


def test_the_list_is_what_the_jobs_use(cellar: CellarFile) -> None:
    """SQLite itself tells which columns the statements of all jobs touch."""
    cellar.smtp()
    cellar.user("marie")
    watched = WatchedDatabase(cellar.path)
    list(build_reports(watched, recipients(watched).recipients, at=NOW, zone=ZoneInfo("UTC")))
    active(watched, ())
    row = EmailLogRow(
        smtp_config_id=1,
        recipient_email="a@b",
        recipient_user_id=1,
        subject="s",
        template_name="t",
        error_message=None,
        at=NOW - timedelta(days=900),
    )
    with watched.writing() as connection:
        record_mail(connection, None, row)
    prune(watched, Retention(), now=NOW, check=lambda: None)
    inserted = {("email_log", column) for column in NEEDED["email_log"]}
    used = {
        (table, column)
        for table, column in watched.columns
        if not table.startswith(("sqlite_", "json_", "pragma_"))
    }
    needed = {(table, column) for table, columns in NEEDED.items() for column in columns}
    assert used | inserted == needed


def test_the_applications_schema_lacks_nothing(cellar: CellarFile) -> None:
    """Release 3.0.0 as it is."""
    with cellar.database.reading() as connection:
        assert missing_columns(connection, NEEDED) == ()


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ("DROP TABLE wine_insight", "wine_insight"),
        ("ALTER TABLE wine_consumption DROP COLUMN comment", "wine_consumption.comment"),
        ('ALTER TABLE "user" RENAME COLUMN parent_id TO other', "user.parent_id"),
    ],
)
def test_what_is_missing_is_named(cellar: CellarFile, change: str, lacking: str) -> None:
    """A table by its name, a column with its table."""
    cellar.execute(change)
    with cellar.database.reading() as connection:
        assert missing_columns(connection, NEEDED) == (lacking,)
