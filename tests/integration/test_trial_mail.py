"""`cavecron check --send-to`: what the application's admin pages show of the test message afterwards."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from cryptography.fernet import Fernet

from cavecron.cli import main as cli
from cavecron.cli.preflight import CheckResult, run_checks
from cavecron.clock import SystemClock
from cavecron.database.timestamps import read_utc
from tests.support.app_database import NOW, CellarFile
from tests.support.check_helpers import encrypted, settings_of
from tests.support.clocks import wall_clock
from tests.support.commands import cavecron, unprivileged
from tests.support.fake_smtp.faults import FaultRule, Step, delay, reply
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.report_runs import CLOSED_PORT

ROWS = (
    "SELECT smtp_config_id, recipient_email, recipient_user_id, template_name, status, error_message"
    " FROM email_log"
)
TESTS = "SELECT id, last_test_at, last_test_success, last_test_error FROM smtp_config ORDER BY id"


def check_results(cellar: CellarFile, address: str | None, **variables: str) -> dict[str, CheckResult]:
    """Return the results of `cavecron check --send-to` at NOW, by subject."""
    settings = settings_of(cellar, CAVECRON_MAIL="smtp", **variables)
    with wall_clock(NOW, tick=True):
        results = list(run_checks(settings, clock=SystemClock(), mounts="", send_to=address, patience=0.2))
    return {result.subject: result for result in results}


@pytest.fixture
def household(cellar: CellarFile) -> CellarFile:
    """Return a database with one user, and a configuration that is not the active one."""
    cellar.user("marie")
    cellar.smtp(1, is_active=0, is_default=0, name="autre")
    return cellar


@pytest.mark.parametrize(
    ("address", "user"),
    [("marie@example.org", 1), ("Marie@Example.ORG", 1), ("moi@example.org", None)],
    ids=["an address of a user", "the same in another case", "an address of no user"],
)
def test_a_sent_message_is_recorded_in_both_places(
    household: CellarFile, address: str, user: int | None
) -> None:
    """`email_log` has a row, and only the active configuration has a new last test."""
    with FakeSmtpServer() as server:
        household.smtp(server.port, last_test_error="hier", last_test_success=0)
        result = check_results(household, address)["Essai"]
        assert len(server.accepted) == 1
    assert (result.ok, result.message) == (True, f"un message d'essai est parti vers {address}")
    assert household.rows(ROWS) == [(2, address, user, "test_email", "sent", None)]
    ((sent, created, subject),) = household.rows("SELECT sent_at, created_at, subject FROM email_log")
    assert (sent, subject) == (created, "Essai - Cave à Vin")
    (other, (config, at, success, error)) = household.rows(TESTS)
    assert other == (1, None, None, None)
    assert (config, at, success, error) == (2, sent, 1, None)
    assert len(str(at)) == 26
    assert (instant := read_utc(str(at))) is not None
    assert 0 <= (instant - NOW).total_seconds() < 60


@pytest.mark.parametrize(
    ("columns", "variables", "reason", "ok"),
    [
        pytest.param({}, {}, "refusé par le serveur : 550 5.1.1 inconnu", False, id="recipient refused"),
        pytest.param({"port": 0}, {}, "port 0, un nombre", None, id="no port"),
        pytest.param({"port": -1}, {}, "port fermé", None, id="port closed"),
        pytest.param({"use_tls": 1}, {}, "STARTTLS n'est pas proposé", None, id="no STARTTLS"),
        pytest.param({"sender_email": "ma cave"}, {}, "Adresse 'ma cave'", None, id="sender"),
        pytest.param(
            {"username": "x", "password_encrypted": encrypted("y")},
            {"SMTP_ENCRYPTION_KEY": Fernet.generate_key().decode()},
            "n'ouvre pas le mot de passe",
            None,
            id="wrong key",
        ),
        pytest.param(
            {"username": "x", "password_encrypted": encrypted("y")},
            {},
            "SMTP_ENCRYPTION_KEY n'est pas définie",
            None,
            id="no key",
        ),
    ],
)
def test_a_failed_message_is_recorded_in_both_places_with_the_reason(
    household: CellarFile,
    columns: dict[str, object],
    variables: dict[str, str],
    reason: str,
    *,
    ok: bool | None,
) -> None:
    """The failure is recorded for a wrong server, key or configuration, and its reason is printed once."""
    with FakeSmtpServer(FaultRule(Step.RCPT, reply("550 5.1.1 inconnu"), times=None)) as server:
        port = CLOSED_PORT if columns.get("port") == -1 else server.port
        household.smtp(**{**columns, "port": port if columns.get("port", -1) == -1 else columns["port"]})
        results = check_results(household, "marie@example.org", **variables)
        assert server.accepted == []
    assert results["Essai"].ok is ok
    assert [reason in result.message for result in results.values()].count(True) == 1
    ((config, *row, error),) = household.rows(ROWS)
    assert (config, row) == (2, ["marie@example.org", 1, "test_email", "failed"])
    assert reason in str(error)
    (_other, (_id, at, success, last_error)) = household.rows(TESTS)
    assert (success, last_error) == (0, error)
    assert len(str(at)) == 26
    assert household.rows("SELECT sent_at FROM email_log") == [(None,)]


def test_without_an_active_configuration_the_message_is_recorded(household: CellarFile) -> None:
    """The row has no configuration, and no configuration is changed."""
    results = check_results(household, "moi@example.org")
    assert results["Essai"] == CheckResult(subject="Essai", ok=None, message="pas envoyé")
    ((config, *_row, status, error),) = household.rows(ROWS)
    assert (config, status) == (None, "failed")
    assert "aucune configuration SMTP active" in str(error)
    assert household.rows(TESTS) == [(1, None, None, None)]


def test_an_unusable_address_is_no_mail(household: CellarFile) -> None:
    """A mistyped address is not recorded, because it says nothing about the configuration."""
    with FakeSmtpServer() as server:
        household.smtp(server.port)
        assert not check_results(household, "moi, toi@example.org")["Essai"].ok
    assert household.rows(ROWS) == []
    assert household.rows(TESTS)[1] == (2, None, None, None)


@pytest.mark.parametrize("columns", [("at",), ("success", "error"), ("at", "success", "error")])
def test_an_older_database_may_lack_the_columns(household: CellarFile, columns: tuple[str, ...]) -> None:
    """The existing columns are written, and neither the message nor a run fails."""
    for name in columns:
        household.execute(f"ALTER TABLE smtp_config DROP COLUMN last_test_{name}")
    with FakeSmtpServer() as server:
        household.smtp(server.port)
        results = check_results(household, "marie@example.org")
        assert {result.ok for result in results.values()} == {True}
        environ = {"DATABASE_URL": f"sqlite:///{household.path}"}
        assert cli.main(["run", "weekly_reports"], environ) == 0
        assert len(server.accepted) == 2
    if "success" not in columns:
        assert household.rows("SELECT last_test_success FROM smtp_config WHERE id = 2") == [(1,)]


def test_an_outbox_is_no_test_of_the_configuration(household: CellarFile) -> None:
    """A message into a folder is recorded without a configuration, and no configuration is changed."""
    household.smtp(25)
    before = household.rows("SELECT * FROM smtp_config")
    environ = {
        "DATABASE_URL": f"sqlite:///{household.path}",
        "CAVECRON_MAIL": f"maildir:{household.path.parent / 'outbox'}",
    }
    assert cli.main(["check", "--send-to", "marie@example.org"], environ) == 0
    assert household.rows(ROWS) == [(None, "marie@example.org", 1, "test_email", "sent", None)]
    assert household.rows("SELECT * FROM smtp_config") == before


def test_a_plain_check_writes_nothing(household: CellarFile) -> None:
    """`check` without `--send-to` writes nothing, whether the server works or not."""
    for port in (CLOSED_PORT, 0):
        household.smtp(port)
        before = household.path.read_bytes()
        check_results(household, None)
        assert household.path.read_bytes() == before


def test_a_sent_message_is_reported_although_the_database_is_read_only(household: CellarFile) -> None:
    """The exit code is 1, and the output says that the message was sent, so that nobody repeats it."""
    with FakeSmtpServer() as server:
        household.smtp(server.port)
        household.path.chmod(0o444)
        result = cavecron(
            *("check", "--send-to", "moi@example.org"),
            prefix=unprivileged(),
            DATABASE_URL=f"sqlite:///{household.path}",
        )
        assert len(server.accepted) == 1
    assert result.code == 1
    message = (
        "✗ Essai : un message d'essai est parti vers moi@example.org ; mais la liste des mails de Cave à Vin"
    )
    assert f"{message} n'a pu le noter : {household.path} ne peut être ouverte en écriture" in result.out


def test_a_message_is_reported_although_the_database_is_locked(household: CellarFile) -> None:
    """The output says whether the message was sent although neither can be recorded."""
    with (
        FakeSmtpServer(
            FaultRule(Step.RCPT, reply("550 5.1.1 inconnu"), recipient="paul@example.org")
        ) as server,
        closing(sqlite3.connect(household.path, isolation_level=None)) as other,
    ):
        household.smtp(server.port)
        other.execute("BEGIN IMMEDIATE")
        sent = check_results(household, "moi@example.org")["Essai"]
        refused = check_results(household, "paul@example.org")["Essai"]
        other.execute("ROLLBACK")
    assert (sent.ok, refused.ok) == (False, False)
    assert sent.message.startswith("un message d'essai est parti vers moi@example.org ; mais la liste")
    assert "base verrouillée" in sent.message
    assert refused.message.startswith("refusé par le serveur : 550 5.1.1 inconnu ; mais la liste des mails")


def test_the_database_is_not_locked_while_the_message_is_sent(household: CellarFile) -> None:
    """The application can write while a slow mail server is waited for."""
    with FakeSmtpServer(FaultRule(Step.END, delay(1.0))) as server, ThreadPoolExecutor(1) as pool:
        household.smtp(server.port, timeout=5)
        check = pool.submit(check_results, household, "moi@example.org")
        server.wait_until(lambda state: state.visits[Step.END] > 0)
        household.execute("PRAGMA busy_timeout = 0")
        household.execute("UPDATE smtp_config SET name = 'a' WHERE id = 1")
        assert not check.done()
        assert check.result()["Essai"].ok
