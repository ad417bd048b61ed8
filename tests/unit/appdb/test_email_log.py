"""The row of a mail in the application's `email_log`: inserted once, and updated by another attempt."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cavecron.appdb.email_log import EmailLogRow, record_mail, user_with_address
from cavecron.database.timestamps import utc_text
from tests.support.app_database import NOW, CellarFile, ago


def _mail(error: str | None, at: datetime = NOW) -> EmailLogRow:
    return EmailLogRow(
        smtp_config_id=1,
        recipient_email="marie@example.org",
        recipient_user_id=2,
        subject="Votre rapport",
        template_name="weekly_report",
        error_message=error,
        at=at,
    )


_STORED = (
    "SELECT id, smtp_config_id, recipient_email, recipient_user_id, subject, template_name, status,"
    " error_message, sent_at, created_at FROM email_log"
)
_MARIE = (1, "marie@example.org", 2, "Votre rapport", "weekly_report")


@pytest.mark.parametrize("error", [None, "550 boîte inconnue"], ids=["sent", "failed"])
def test_a_mail_is_recorded_as_the_application_does(cellar: CellarFile, error: str | None) -> None:
    """The application's admin pages show the row; a mail that failed has no `sent_at`."""
    with cellar.database.writing() as connection:
        assert record_mail(connection, None, _mail(error)) == 1
    outcome = ("failed", error, None) if error else ("sent", None, utc_text(NOW))
    assert cellar.rows(_STORED) == [(1, *_MARIE, *outcome, utc_text(NOW))]


def test_a_mail_that_is_retried_keeps_its_row(cellar: CellarFile) -> None:
    """Another attempt updates the result in the row and keeps `created_at`."""
    later = NOW + timedelta(minutes=5)
    with cellar.database.writing() as connection:
        mail = record_mail(connection, None, _mail("421 occupé"))
        assert record_mail(connection, mail, _mail(None, later)) == mail
    assert cellar.rows(_STORED) == [(mail, *_MARIE, "sent", None, utc_text(later), utc_text(NOW))]


def test_a_mail_whose_row_is_gone_gets_a_new_one(cellar: CellarFile) -> None:
    """A new row is inserted if the row was deleted or is of another mail."""
    other = cellar.execute(
        "INSERT INTO email_log (recipient_email, subject, status, created_at)"
        " VALUES ('a@example.org', 's', 'sent', ?)",
        (ago(),),
    )
    with cellar.database.writing() as connection:
        mails = [record_mail(connection, mail, _mail(None)) for mail in (99, other)]
    assert mails == [other + 1, other + 2]
    assert cellar.rows(_STORED)[0][2] == "a@example.org"


@pytest.mark.parametrize(
    ("user", "email", "kept"),
    [
        pytest.param(2, "new@example.org", True, id="the same user, whose address was corrected"),
        pytest.param(3, "marie@example.org", False, id="another user"),
        pytest.param(None, "marie@example.org", False, id="nobody"),
    ],
)
def test_a_row_is_rewritten_for_its_own_user_only(
    cellar: CellarFile, user: int | None, email: str, *, kept: bool
) -> None:
    """A row of another user is not changed, because SQLite uses the ids of deleted rows again."""
    again = replace(_mail("421 occupé"), recipient_user_id=user, recipient_email=email)
    with cellar.database.writing() as connection:
        mail = record_mail(connection, None, _mail(None))
        assert (record_mail(connection, mail, again) == mail) is kept
    status = cellar.rows("SELECT status FROM email_log WHERE id = 1")
    assert status == [("failed" if kept else "sent",)]


@pytest.mark.parametrize(("email", "kept"), [("a@example.org", True), ("b@example.org", False)])
def test_a_row_without_a_user_is_rewritten_for_its_own_address_only(
    cellar: CellarFile, email: str, *, kept: bool
) -> None:
    """Mails of custom jobs have no user, so their address decides."""
    first = replace(_mail("421 occupé"), recipient_user_id=None, recipient_email="a@example.org")
    with cellar.database.writing() as connection:
        mail = record_mail(connection, None, first)
        assert (record_mail(connection, mail, replace(first, recipient_email=email)) == mail) is kept


@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("Marie@example.org", 1),
        ("marie@example.org", 2),
        ("MARIE@EXAMPLE.ORG", 1),
        ("paul@x.org", 3),
        ("", None),
    ],
)
def test_the_user_of_an_address_is_found(cellar: CellarFile, address: str, user: int | None) -> None:
    """An exact match comes first, then one in another case; blanks around the stored address do not count."""
    for number, email in enumerate(("Marie@example.org", "marie@example.org", " paul@x.org ", None)):
        cellar.user(f"user{number}", email)
    with cellar.database.reading() as connection:
        assert user_with_address(connection, address) == user
