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
from tests.support.fake_smtp.faults import Step, Trap, delay, reply
from tests.support.fake_smtp.server import HostileServer
from tests.support.report_runs import CLOSED_PORT

ROWS = (
    "SELECT smtp_config_id, recipient_email, recipient_user_id, template_name, status, error_message"
    " FROM email_log"
)
TESTS = "SELECT id, last_test_at, last_test_success, last_test_error FROM smtp_config ORDER BY id"


def checked(cellar: CellarFile, address: str | None, **variables: str) -> dict[str, CheckResult]:
    """Return what `cavecron check --send-to` finds at NOW, by subject."""
    settings = settings_of(cellar, CAVECRON_MAIL="smtp", **variables)
    with wall_clock(NOW, tick=True):
        results = list(run_checks(settings, clock=SystemClock(), mounts="", send_to=address, patience=0.2))
    return {result.subject: result for result in results}


@pytest.fixture
def ready(cellar: CellarFile) -> CellarFile:
    """Return a database with a user to write to, and a configuration that is not the active one."""
    cellar.user("marie")
    cellar.smtp(1, is_active=0, is_default=0, name="autre")
    return cellar


@pytest.mark.parametrize(
    ("address", "user"),
    [("marie@example.org", 1), ("Marie@Example.ORG", 1), ("moi@example.org", None)],
    ids=["a user's", "another case", "nobody's"],
)
def test_a_message_that_went_is_in_both_places(ready: CellarFile, address: str, user: int | None) -> None:
    """A row of the list of mails, and the last test of the active configuration and of no other."""
    with HostileServer() as server:
        ready.smtp(server.port, last_test_error="hier", last_test_success=0)
        result = checked(ready, address)["Essai"]
        assert len(server.accepted) == 1
    assert (result.ok, result.message) == (True, f"un message d'essai est parti vers {address}")
    assert ready.rows(ROWS) == [(2, address, user, "test_email", "sent", None)]
    ((sent, created, subject),) = ready.rows("SELECT sent_at, created_at, subject FROM email_log")
    assert (sent, subject) == (created, "Essai - Cave à Vin")
    (other, (config, at, success, error)) = ready.rows(TESTS)
    assert other == (1, None, None, None)
    assert (config, at, success, error) == (2, sent, 1, None)
    assert len(str(at)) == 26
    assert (moment := read_utc(str(at))) is not None
    assert 0 <= (moment - NOW).total_seconds() < 60


@pytest.mark.parametrize(
    ("columns", "variables", "reason", "essai"),
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
def test_a_message_that_did_not_go_is_in_both_places_with_the_reason(
    ready: CellarFile,
    columns: dict[str, object],
    variables: dict[str, str],
    reason: str,
    *,
    essai: bool | None,
) -> None:
    """Also where the server, the key or the configuration is wrong; what is wrong is told once."""
    with HostileServer(Trap(Step.RCPT, reply("550 5.1.1 inconnu"), times=None)) as server:
        port = CLOSED_PORT if columns.get("port") == -1 else server.port
        ready.smtp(**{**columns, "port": port if columns.get("port", -1) == -1 else columns["port"]})
        results = checked(ready, "marie@example.org", **variables)
        assert server.accepted == []
    assert results["Essai"].ok is essai
    assert [reason in result.message for result in results.values()].count(True) == 1
    ((config, *row, error),) = ready.rows(ROWS)
    assert (config, row) == (2, ["marie@example.org", 1, "test_email", "failed"])
    assert reason in str(error)
    (_other, (_id, at, success, last_error)) = ready.rows(TESTS)
    assert (success, last_error) == (0, error)
    assert len(str(at)) == 26
    assert ready.rows("SELECT sent_at FROM email_log") == [(None,)]


def test_without_an_active_configuration_the_message_is_logged_all_the_same(ready: CellarFile) -> None:
    """There is nothing to test, and no configuration is touched."""
    results = checked(ready, "moi@example.org")
    assert results["Essai"] == CheckResult(subject="Essai", ok=None, message="pas envoyé")
    ((config, *_row, status, error),) = ready.rows(ROWS)
    assert (config, status) == (None, "failed")
    assert "aucune configuration SMTP active" in str(error)
    assert ready.rows(TESTS) == [(1, None, None, None)]


def test_an_address_that_is_none_is_no_mail(ready: CellarFile) -> None:
    """A slip of the finger says nothing about the configuration."""
    with HostileServer() as server:
        ready.smtp(server.port)
        assert not checked(ready, "moi, toi@example.org")["Essai"].ok
    assert ready.rows(ROWS) == []
    assert ready.rows(TESTS)[1] == (2, None, None, None)


@pytest.mark.parametrize("gone", [("at",), ("success", "error"), ("at", "success", "error")])
def test_an_older_database_lacks_the_columns(ready: CellarFile, gone: tuple[str, ...]) -> None:
    """What is there is written, the message goes, and a run is not held up either."""
    for name in gone:
        ready.execute(f"ALTER TABLE smtp_config DROP COLUMN last_test_{name}")
    with HostileServer() as server:
        ready.smtp(server.port)
        results = checked(ready, "marie@example.org")
        assert {result.ok for result in results.values()} == {True}
        environ = {"DATABASE_URL": f"sqlite:///{ready.path}"}
        assert cli.main(["run", "weekly_reports"], environ) == 0
        assert len(server.accepted) == 2
    if "success" not in gone:
        assert ready.rows("SELECT last_test_success FROM smtp_config WHERE id = 2") == [(1,)]


def test_an_outbox_is_no_test_of_the_configuration(ready: CellarFile) -> None:
    """The row is there, it belongs to no configuration; nothing of smtp_config is touched."""
    ready.smtp(25)
    before = ready.rows("SELECT * FROM smtp_config")
    environ = {
        "DATABASE_URL": f"sqlite:///{ready.path}",
        "CAVECRON_MAIL": f"maildir:{ready.path.parent / 'outbox'}",
    }
    assert cli.main(["check", "--send-to", "marie@example.org"], environ) == 0
    assert ready.rows(ROWS) == [(None, "marie@example.org", 1, "test_email", "sent", None)]
    assert ready.rows("SELECT * FROM smtp_config") == before


def test_a_plain_check_writes_nothing(ready: CellarFile) -> None:
    """Whether the server works or not."""
    for port in (CLOSED_PORT, 0):
        ready.smtp(port)
        before = ready.path.read_bytes()
        checked(ready, None)
        assert ready.path.read_bytes() == before


def test_a_message_that_went_is_told_where_the_database_is_read_only(ready: CellarFile) -> None:
    """Nobody sends it again because of that; exit code 1, with what to do."""
    with HostileServer() as server:
        ready.smtp(server.port)
        ready.path.chmod(0o444)
        result = cavecron(
            *("check", "--send-to", "moi@example.org"),
            prefix=unprivileged(),
            DATABASE_URL=f"sqlite:///{ready.path}",
        )
        assert len(server.accepted) == 1
    assert result.code == 1
    said = (
        "✗ Essai : un message d'essai est parti vers moi@example.org ; mais la liste des mails de Cave à Vin"
    )
    assert f"{said} n'a pu le noter : {ready.path} ne peut être ouverte en écriture" in result.out


def test_a_message_that_went_is_told_where_the_database_is_locked(ready: CellarFile) -> None:
    """And so is one that did not."""
    with (
        HostileServer(Trap(Step.RCPT, reply("550 5.1.1 inconnu"), recipient="paul@example.org")) as server,
        closing(sqlite3.connect(ready.path, isolation_level=None)) as other,
    ):
        ready.smtp(server.port)
        other.execute("BEGIN IMMEDIATE")
        went = checked(ready, "moi@example.org")["Essai"]
        refused = checked(ready, "paul@example.org")["Essai"]
        other.execute("ROLLBACK")
    assert (went.ok, refused.ok) == (False, False)
    assert went.message.startswith("un message d'essai est parti vers moi@example.org ; mais la liste")
    assert "base verrouillée" in went.message
    assert refused.message.startswith("refusé par le serveur : 550 5.1.1 inconnu ; mais la liste des mails")


def test_the_database_is_free_while_the_message_is_on_its_way(ready: CellarFile) -> None:
    """The application's writers do not wait for a mail server that takes its time."""
    with HostileServer(Trap(Step.END, delay(1.0))) as server, ThreadPoolExecutor(1) as pool:
        ready.smtp(server.port, timeout=5)
        check = pool.submit(checked, ready, "moi@example.org")
        server.wait_until(lambda seen: seen.visits[Step.END] > 0)
        ready.execute("PRAGMA busy_timeout = 0")
        ready.execute("UPDATE smtp_config SET name = 'a' WHERE id = 1")
        assert not check.done()
        assert check.result()["Essai"].ok
