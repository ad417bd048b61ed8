"""A run that fails as a whole leaves a row in `email_log` for each mail that was not sent."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from cavecron.cli import main as cli
from cavecron.database.timestamps import utc_text
from cavecron.jobs.context import Outcome
from cavecron.scheduler.context import StopSignal
from tests.support.app_database import NOW, CellarFile
from tests.support.check_helpers import KEY, encrypted
from tests.support.fake_smtp.faults import FaultRule, Step, close, delay, reply
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.report_runs import CLOSED_PORT, again, attempt, first, household_of, process

ROWS = "SELECT recipient_email, status, error_message FROM email_log ORDER BY id"
HOUR = timedelta(hours=1)


@pytest.fixture
def household(cellar: CellarFile) -> CellarFile:
    """Return a database with two users who get a report, one without an address, and a sub-account."""
    return household_of(cellar)


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A reason for which no mail can be sent."""

    columns: dict[str, object]
    variables: dict[str, str]
    reason: str
    server: str = "fine"


CAUSES = {
    "port closed": Cause(columns={}, variables={}, reason="port fermé", server="closed"),
    "login refused": Cause(
        columns={"username": "cave", "password_encrypted": encrypted("faux")},
        variables={"SMTP_ENCRYPTION_KEY": KEY},
        reason="535",
        server="login",
    ),
    "no key": Cause(
        columns={"username": "cave", "password_encrypted": encrypted("x")},
        variables={},
        reason="SMTP_ENCRYPTION_KEY n'est pas définie",
    ),
    "wrong key": Cause(
        columns={"username": "cave", "password_encrypted": encrypted("x")},
        variables={"SMTP_ENCRYPTION_KEY": Fernet.generate_key().decode()},
        reason="SMTP_ENCRYPTION_KEY n'ouvre pas le mot de passe",
    ),
    "no active configuration": Cause(
        columns={"is_active": 0}, variables={}, reason="aucune configuration SMTP active"
    ),
    "no host": Cause(columns={"host": " "}, variables={}, reason="il manque le nom du serveur"),
    "no STARTTLS": Cause(columns={"use_tls": 1}, variables={}, reason="STARTTLS n'est pas proposé"),
}


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_each_user_with_a_report_has_a_row_with_the_reason(household: CellarFile, cause: Cause) -> None:
    """Only users who get a report have a row, with the reason and the configuration, if there is one."""
    with FakeSmtpServer(login=("cave", "sésame") if cause.server == "login" else None) as server:
        household.smtp(CLOSED_PORT if cause.server == "closed" else server.port, **cause.columns)
        proc = process(household, NOW, **cause.variables)
        error = attempt(proc, first(proc))
        assert isinstance(error, str)
        assert server.accepted == []
    rows = household.rows(ROWS)
    assert [row[:2] for row in rows] == [("marie@example.org", "failed"), ("paul@example.org", "failed")]
    assert {row[2] for row in rows} == {error}
    assert cause.reason in error
    config = None if cause.columns.get("is_active") == 0 else 1
    assert household.rows(
        "SELECT DISTINCT smtp_config_id, template_name, subject, sent_at, length(created_at) FROM email_log"
    ) == [(config, "weekly_report", "🍷 Votre rapport hebdomadaire - Cave à Vin", None, 26)]
    assert household.rows(
        "SELECT recipient_user_id FROM email_log JOIN cavecron_delivery ON mail = email_log.id"
        " AND recipient = CAST(recipient_user_id AS TEXT) AND state = 'deferred' ORDER BY 1"
    ) == [(1,), (2,)]


def test_an_outbox_that_cannot_be_written_leaves_rows_too(household: CellarFile) -> None:
    """The rows have no configuration of the application."""
    household.smtp()
    proc = process(household, CAVECRON_MAIL=f"maildir:{household.path}/courrier")
    assert isinstance(attempt(proc, first(proc)), str)
    assert household.rows("SELECT smtp_config_id, status FROM email_log") == [(None, "failed")] * 2


@pytest.mark.parametrize("by_hand", [False, True], ids=["scheduler", "by hand"])
def test_each_mail_of_a_run_has_one_row_however_often_it_is_tried(
    household: CellarFile, *, by_hand: bool
) -> None:
    """Four attempts fail and the fifth one delivers: the rows are updated each time, and none is added."""
    household.smtp(CLOSED_PORT)
    proc = process(household)
    attempt(proc, first(proc))
    before = household.rows("SELECT id, recipient_email, created_at FROM email_log ORDER BY id")
    for minutes in (1, 6, 21):
        proc = process(household, NOW + timedelta(minutes=minutes))
        assert isinstance(attempt(proc, again(proc, by_hand=by_hand)), str)
    household.execute("UPDATE smtp_config SET is_active = 0")
    proc = process(household, NOW + timedelta(minutes=25))
    last = attempt(proc, again(proc, by_hand=by_hand))
    assert household.rows(ROWS) == [(f"{name}@example.org", "failed", last) for name in ("marie", "paul")]
    with FakeSmtpServer() as server:
        household.execute("UPDATE smtp_config SET is_active = 1, port = ?", (server.port,))
        proc = process(household, NOW + timedelta(minutes=30))
        outcome = attempt(proc, again(proc, by_hand=by_hand))
        assert server.copies() == {"marie@example.org": 1, "paul@example.org": 1}
    assert isinstance(outcome, Outcome)
    assert (outcome.summary, outcome.failures) == ("Rapports hebdomadaires: 2 envoyés, 0 échecs", ())
    assert household.rows(ROWS) == [(f"{name}@example.org", "sent", None) for name in ("marie", "paul")]
    assert household.rows("SELECT id, recipient_email, created_at FROM email_log ORDER BY id") == before
    for (sent,) in household.rows("SELECT sent_at FROM email_log"):
        assert utc_text(NOW + timedelta(minutes=30)) <= str(sent) < utc_text(NOW + timedelta(minutes=31))


def test_a_sent_mail_keeps_its_row_when_the_run_fails_later(cellar: CellarFile) -> None:
    """A sent mail stays sent, and a user who was refused keeps that reason."""
    for name in ("marie", "paul", "zoe", "luc"):
        cellar.user(name)
    with FakeSmtpServer(
        FaultRule(Step.RCPT, reply("550 5.1.1 inconnu"), recipient="paul@example.org", times=None),
        FaultRule(Step.MAIL, reply("530 5.7.0 Must authenticate"), first=3, times=None),
    ) as server:
        cellar.smtp(server.port)
        proc = process(cellar)
        error = attempt(proc, first(proc))
        assert isinstance(error, str)
    rows = {str(row[0]).partition("@")[0]: row[1:] for row in cellar.rows(ROWS)}
    assert len(cellar.rows(ROWS)) == 4
    assert rows["marie"] == ("sent", None)
    assert rows["paul"] == ("failed", "refusé par le serveur : 550 5.1.1 inconnu")
    assert {rows["zoe"][0], rows["luc"][0]} == {"failed"}
    assert rows["luc"][1] == f"envoi arrêté avant ce mail : {error}"


def test_a_row_that_a_cleanup_deleted_is_inserted_again(household: CellarFile) -> None:
    """A deleted row is inserted again, because its id may belong to another mail now."""
    household.smtp(CLOSED_PORT)
    proc = process(household)
    attempt(proc, first(proc))
    household.execute("DELETE FROM email_log")
    household.execute(
        "INSERT INTO email_log (id, recipient_email, recipient_user_id, subject, template_name, status,"
        " created_at) VALUES (1, 'x@example.org', 77, 's', 'weekly_report', 'sent', '2026-11-23 07:00:00')"
    )
    with FakeSmtpServer() as server:
        household.execute("UPDATE smtp_config SET port = ?", (server.port,))
        proc = process(household, NOW + HOUR)
        attempt(proc, again(proc))
    assert household.rows(ROWS) == [
        ("x@example.org", "sent", None),
        ("marie@example.org", "sent", None),
        ("paul@example.org", "sent", None),
    ]
    assert household.rows("SELECT recipient, mail FROM cavecron_delivery ORDER BY recipient") == [
        ("1", 2),
        ("2", 3),
    ]


def test_the_next_run_has_rows_of_its_own(household: CellarFile) -> None:
    """Two failed runs leave two rows for each user; those of the first one do not change."""
    household.smtp(CLOSED_PORT)
    for weeks in (0, 1):
        proc = process(household, NOW + timedelta(weeks=weeks))
        attempt(proc, first(proc))
    assert [row[1] for row in household.rows(ROWS)] == ["failed"] * 4


def test_only_the_users_of_the_run_have_rows(household: CellarFile) -> None:
    """With `--user marie`, only that user has a row."""
    household.smtp(CLOSED_PORT)
    proc = process(household)
    attempt(proc, first(proc, "marie"))
    assert [row[0] for row in household.rows(ROWS)] == ["marie@example.org"]


def test_an_excluded_user_has_no_row(household: CellarFile) -> None:
    """An excluded user gets no report, so there is no row."""
    household.smtp(CLOSED_PORT)
    proc = process(household, SCHEDULER_WEEKLY_REPORT_EXCLUDE="marie")
    attempt(proc, first(proc))
    assert [row[0] for row in household.rows(ROWS)] == ["paul@example.org"]


def test_a_dry_run_leaves_no_rows(household: CellarFile) -> None:
    """A dry run sends no mails, so it records none as failed."""
    household.smtp(CLOSED_PORT)
    environ = {"DATABASE_URL": f"sqlite:///{household.path}"}
    assert cli.main(["run", "weekly_reports", "--dry-run"], environ) == 0
    assert household.rows(ROWS) == []


def test_a_run_that_was_stopped_leaves_no_rows(household: CellarFile) -> None:
    """The run is resumed after the restart."""
    household.smtp(CLOSED_PORT)
    proc, stop = process(household), StopSignal()
    stop.stop()
    assert attempt(proc, first(proc), stop) == "arrêt demandé, le job s'est interrompu"
    assert household.rows(ROWS) == []


def test_a_run_that_was_taken_over_leaves_no_rows(household: CellarFile) -> None:
    """The process that took the run over records its mails."""
    household.smtp(CLOSED_PORT)
    proc = process(household)
    claim = first(proc)
    household.execute("UPDATE cavecron_run SET owner = 'somebody else'")
    attempt(proc, claim)
    assert household.rows(ROWS) == []


def test_a_run_whose_time_is_up_leaves_rows(household: CellarFile) -> None:
    """A time limit is a failure like others, and no scheduler resumes the run."""
    with FakeSmtpServer(FaultRule(Step.EHLO, delay(1.5), times=None)) as server:
        household.smtp(server.port)
        proc = process(household, SCHEDULER_WEEKLY_REPORT_TIMEOUT="1")
        error = attempt(proc, first(proc))
    assert "durée limite de 1 s dépassée" in str(error)
    assert household.rows(ROWS) == [(f"{name}@example.org", "failed", error) for name in ("marie", "paul")]


def test_the_next_attempt_begins_with_mails_that_were_not_started(cellar: CellarFile) -> None:
    """Mails that break the connection each time do not delay the other users' mails again."""
    for name in "abcdef":
        cellar.user(name)
    with FakeSmtpServer(
        *(FaultRule(Step.RCPT, close(), recipient=f"{name}@example.org", times=None) for name in "abc")
    ) as server:
        cellar.smtp(server.port)
        proc = process(cellar)
        assert isinstance(attempt(proc, first(proc)), str)
        assert server.copies() == {}
        proc = process(cellar, NOW + timedelta(minutes=1))
        attempt(proc, again(proc, by_hand=False))
        assert sorted(server.copies()) == ["d@example.org", "e@example.org", "f@example.org"]
    assert [row[1] for row in cellar.rows(ROWS)].count("sent") == 3
    assert len(cellar.rows(ROWS)) == 6
