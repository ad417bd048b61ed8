"""The date of a mail and of its row in `email_log` is the instant at which it was sent."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime

import pytest

from cavecron.database.timestamps import utc_text
from tests.support.app_database import CellarFile
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.in_process import command

AUTUMN = datetime(2027, 10, 31, 1, tzinfo=UTC)
NEW_YEAR = datetime(2027, 12, 31, 23, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)
EACH_INSTANT = pytest.mark.parametrize(
    ("at", "date"),
    [
        pytest.param(AUTUMN - HALF_AN_HOUR, "Sun, 31 Oct 2027 02:30:00 +0200", id="the first 02:30"),
        pytest.param(AUTUMN + HALF_AN_HOUR, "Sun, 31 Oct 2027 02:30:00 +0100", id="the second 02:30"),
        pytest.param(NEW_YEAR, "Sat, 01 Jan 2028 00:00:00 +0100", id="the new year"),
    ],
)


@pytest.fixture
def marie(cellar: CellarFile) -> CellarFile:
    """Return a database with one user who gets a report."""
    cellar.user("marie")
    return cellar


def message_of(cellar: CellarFile, *arguments: str, at: datetime) -> Message:
    """Return the only message that a command sends at `at`."""
    with FakeSmtpServer() as server:
        cellar.execute("DELETE FROM smtp_config")
        cellar.smtp(server.port)
        result = command(*arguments, at=at, DATABASE_URL=f"sqlite:///{cellar.path}")
        assert (result.code, result.err) == (0, "")
        (mail,) = server.accepted
    return message_from_bytes(mail.content)


@EACH_INSTANT
def test_a_test_message_bears_the_local_time(marie: CellarFile, at: datetime, date: str) -> None:
    """The Date header has the offset of that instant, so that a mail program sorts the mail correctly."""
    message = message_of(marie, "check", "--send-to", "moi@example.org", at=at)
    assert message["Date"] == date
    assert parsedate_to_datetime(date) == at


@EACH_INSTANT
def test_a_report_bears_the_local_time(marie: CellarFile, at: datetime, date: str) -> None:
    """The Date header and, in UTC, the row in `email_log` have the instant of sending."""
    message = message_of(marie, "run", "weekly_reports", at=at)
    assert message["Date"] == date
    assert marie.rows("SELECT status, sent_at, created_at FROM email_log") == [
        ("sent", utc_text(at), utc_text(at))
    ]


@pytest.mark.parametrize(
    "arguments",
    [("check", "--send-to", "moi@example.org"), ("run", "weekly_reports")],
    ids=["test message", "report"],
)
def test_mails_of_both_rounds_of_an_hour_differ(marie: CellarFile, arguments: tuple[str, ...]) -> None:
    """Date and Message-ID differ, also if one process sends both mails."""
    rounds = [AUTUMN - HALF_AN_HOUR, AUTUMN + HALF_AN_HOUR]
    mails = [message_of(marie, *arguments, at=at) for at in rounds]
    assert [parsedate_to_datetime(mail["Date"]) for mail in mails] == rounds
    assert len({mail["Message-ID"] for mail in mails}) == 2
