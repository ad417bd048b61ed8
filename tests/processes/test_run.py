"""`cavecron run` as a process, with a real database and a real mail server."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.app_database import CellarFile
from tests.support.commands import Result, cavecron, environment
from tests.support.fake_smtp.faults import FaultRule, Step, reply
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.in_process import command

LOG = "SELECT recipient_email, status, error_message FROM email_log ORDER BY id"


@pytest.fixture
def server() -> Iterator[FakeSmtpServer]:
    """Yield a mail server without faults, to which policies can be added."""
    with FakeSmtpServer() as smtp_server:
        yield smtp_server


@pytest.fixture
def household(cellar: CellarFile, server: FakeSmtpServer) -> CellarFile:
    """Return a database with three users who get a report, and two who do not."""
    for name in ("marie", "paul", "zoé"):
        cellar.user(name, f"{name.replace('é', 'e')}@example.org")
    cellar.user("lucas", parent=1)
    cellar.user("robert", None)
    cellar.smtp(server.port)
    return cellar


def run(cellar: CellarFile, *arguments: str) -> Result:
    """Run `cavecron run` in a process of its own; return its result."""
    return cavecron("run", *arguments, DATABASE_URL=f"sqlite:///{cellar.path}")


def run_here(cellar: CellarFile, *arguments: str, **variables: str) -> Result:
    """Run `cavecron run` in this process, where the process does not matter; return its result."""
    return command("run", *arguments, at=None, DATABASE_URL=f"sqlite:///{cellar.path}", **variables)


def without_times(log: str) -> list[str]:
    """Return the lines of a log without their times."""
    return [line.partition(" - ")[2] or line for line in log.splitlines()]


def test_everybody_gets_a_report(household: CellarFile, server: FakeSmtpServer) -> None:
    """The log has its fixed sentences, the exit code is 0, and `email_log` has a row for each user."""
    result = run(household, "weekly_reports")
    assert (result.code, result.err) == (0, "")
    assert without_times(result.out) == [
        "cavecron.runner - INFO - Démarrage du job: envoi des rapports hebdomadaires",
        "cavecron.jobs.weekly_reports - INFO - Sans adresse e-mail, donc sans rapport: 1",
        "cavecron.jobs.weekly_reports - INFO - Rapports hebdomadaires: 3 envoyés, 0 échecs",
        "cavecron.runner - INFO - Job weekly_reports exécuté avec succès",
    ]
    addresses = ["marie@example.org", "paul@example.org", "zoe@example.org"]
    assert sorted(mail.recipient for mail in server.accepted) == addresses
    assert sorted(household.rows(LOG)) == [(address, "sent", None) for address in addresses]
    (row,) = household.rows(
        "SELECT smtp_config_id, recipient_user_id, subject, template_name, sent_at = created_at,"
        " length(sent_at) FROM email_log WHERE recipient_user_id = 2"
    )
    assert row == (1, 2, "🍷 Votre rapport hebdomadaire - Cave à Vin", "weekly_report", 1, 26)


def test_the_outcome_can_be_had_as_json(household: CellarFile) -> None:
    """Standard output has one JSON object and nothing else; the log goes to standard error."""
    result = run(household, "weekly_reports", "--json")
    assert result.code == 0
    output = json.loads(result.out)
    people = output.pop("recipients")
    assert output == {
        "job": "weekly_reports",
        "ok": True,
        "dry_run": False,
        "summary": "Rapports hebdomadaires: 3 envoyés, 0 échecs",
        "sent": 3,
        "failed": 0,
        "without_address": 1,
        "excluded": 0,
    }
    expected = {"id": 2, "username": "paul", "email": "paul@example.org", "status": "sent", "reason": None}
    assert expected in people
    assert "Job weekly_reports exécuté avec succès" in result.err


def test_some_users_only(household: CellarFile, server: FakeSmtpServer) -> None:
    """`--user` takes a name or an id, and the other users get no mail."""
    assert run_here(household, "weekly_reports", "--user", "zoé", "--user", "1").code == 0
    assert sorted(mail.recipient for mail in server.accepted) == ["marie@example.org", "zoe@example.org"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mari", "utilisateur inconnu : 'mari' (vouliez-vous dire 'marie' ?)"),
        ("lucas", "'lucas' est un sous-compte : son rapport est celui de son compte principal"),
        ("robert", "'robert' n'a pas d'adresse e-mail : l'enregistrer dans l'application"),
    ],
)
@pytest.mark.parametrize("option", ["--json", "--dry-run"])
def test_a_user_who_cannot_get_a_report_is_an_error(
    *, household: CellarFile, server: FakeSmtpServer, name: str, message: str, option: str
) -> None:
    """The exit code is 2, and the other users get no mail either."""
    result = run_here(household, "weekly_reports", option, "--user", "marie", "--user", name)
    assert result.code == 2
    assert message in result.out + result.err
    assert "Traceback" not in result.err
    assert server.connections == 0


@pytest.mark.parametrize("mode", ["text", "json"])
def test_a_dry_run_sends_and_writes_nothing(household: CellarFile, server: FakeSmtpServer, mode: str) -> None:
    """A dry run lists the recipients and does not change a byte of the database."""
    household.user("eve", "eve@example.org, mallory@example.org")
    before = household.path.read_bytes()
    result = run_here(household, "weekly_reports", "--dry-run", *(["--json"] if mode == "json" else []))
    assert result.code == 1  # one address cannot be used
    if mode == "json":
        statuses = {one["username"]: one["status"] for one in json.loads(result.out)["recipients"]}
        assert statuses == {"marie": "ready", "paul": "ready", "zoé": "ready", "eve": "refused"}
    else:
        assert "Essai à blanc: 3 à envoyer, 1 adresses refusées\n  marie <marie@example.org>\n" in result.out
        assert "eve <eve@example.org, mallory@example.org> : Adresse 'eve@example.org, mal" in result.out
    assert server.connections == 0
    assert household.path.read_bytes() == before


def test_a_refused_user_is_listed_with_the_reason(household: CellarFile, server: FakeSmtpServer) -> None:
    """The exit code is 1; the other users got their mail, and `email_log` has the reason."""
    server.policies.append(
        FaultRule(Step.RCPT, reply("550 5.1.1 no such user"), recipient="paul@example.org")
    )
    result = run_here(household, "weekly_reports")
    reason = "refusé par le serveur : 550 5.1.1 no such user"
    assert result.code == 1
    assert f"Rapports non remis :\n  paul : {reason}\n" in result.out
    assert "Rapports hebdomadaires: 2 envoyés, 1 échecs" in result.out
    assert result.err == "L'achever, une fois la cause corrigée : cavecron run weekly_reports --resume\n"
    assert sorted(household.rows(LOG)) == [
        ("marie@example.org", "sent", None),
        ("paul@example.org", "failed", reason),
        ("zoe@example.org", "sent", None),
    ]


def test_a_server_that_is_down_is_reported_once(household: CellarFile) -> None:
    """The run has one error and not one for each user; each user has a failed row in `email_log`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    household.execute("UPDATE smtp_config SET port = ?", (port,))
    result = run_here(household, "weekly_reports", "--json")
    assert result.code == 1
    output = json.loads(result.out)
    assert (output["ok"], output["error"].partition(" ; ")[0]) == (
        False,
        f"serveur SMTP 127.0.0.1:{port} : port fermé",
    )
    assert result.err.count("port fermé") == 1
    addresses = ["marie@example.org", "paul@example.org", "zoe@example.org"]
    assert household.rows(LOG) == [(address, "failed", output["error"]) for address in addresses]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE smtp_config SET is_active = 0", "aucune configuration SMTP active : en créer une"),
        ("UPDATE smtp_config SET password_encrypted = 'x'", "SMTP_ENCRYPTION_KEY n'est pas définie"),
        ("UPDATE smtp_config SET use_tls = 1", "STARTTLS n'est pas proposé"),
        ("UPDATE smtp_config SET host = ''", "il manque le nom du serveur"),
    ],
    ids=["inactive", "no key", "no STARTTLS", "no host"],
)
def test_a_configuration_that_does_not_work_is_reported_once(
    household: CellarFile, server: FakeSmtpServer, change: str, message: str
) -> None:
    """The exit code is 1 before any mail is sent, and the error is printed once."""
    household.execute(change)
    result = run_here(household, "weekly_reports")
    assert result.code == 1
    assert (result.out + result.err).count(message) == 1
    assert server.accepted == []
    assert [status for _address, status, reason in household.rows(LOG) if message in str(reason)] == [
        "failed"
    ] * 3


def test_a_user_name_cannot_forge_a_line_of_the_log(household: CellarFile, server: FakeSmtpServer) -> None:
    """Line breaks and control characters in names and in the server's replies are shown as escapes."""
    forged = "x\n2024-01-15 08:00:05 - cavecron.runner - INFO - Job weekly_reports exécuté avec succès\x1b[2J"
    household.execute('UPDATE "user" SET username = ? WHERE id = 2', (forged,))
    server.policies.append(FaultRule(Step.RCPT, reply("550 no \x1b[31muser"), recipient="paul@example.org"))
    for arguments in (("weekly_reports",), ("weekly_reports", "--dry-run")):
        result = run_here(household, *arguments)
        assert "\x1b" not in result.out + result.err
        assert not [line for line in result.out.splitlines() if line.startswith("2024-01-15")]


def _old_rows(cellar: CellarFile, rows: int) -> None:
    old = {"old": "2020-01-01 00:00:00.000000"}
    mail = (
        "INSERT INTO email_log (recipient_email, subject, status, created_at) VALUES ('a', 's', 'sent', :old)"
    )
    login = "INSERT INTO activity_log (user_id, action, created_at) VALUES (1, 'login', :old)"
    for _ in range(rows):
        cellar.execute(mail, old)
        cellar.execute(login, old)


def test_old_rows_are_cleaned_up(household: CellarFile) -> None:
    """The log has the number of deleted rows for each table and in all; a second run deletes none."""
    _old_rows(household, 3)
    household.execute("DELETE FROM activity_log WHERE id > 1")
    lines = [line for line in without_times(run_here(household, "cleanup").out) if "jobs.cleanup" in line]
    assert lines == [
        "cavecron.jobs.cleanup - INFO - Nettoyage: email_log 3 lignes supprimées",
        "cavecron.jobs.cleanup - INFO - Nettoyage: activity_log 1 ligne supprimée",
        "cavecron.jobs.cleanup - INFO - Nettoyage: api_token_usage 0 ligne supprimée",
        "cavecron.jobs.cleanup - INFO - Nettoyage, lignes supprimées: email_log 3, activity_log 1,"
        " api_token_usage 0",
    ]
    output = json.loads(run_here(household, "cleanup", "--json").out)
    assert output["tables"] == {"email_log": 0, "activity_log": 0, "api_token_usage": 0}
    assert output["ok"] is True


def test_a_dry_run_of_the_cleanup_counts_and_deletes_nothing(household: CellarFile) -> None:
    """A dry run reports the same numbers as a run."""
    _old_rows(household, 2)
    before = household.path.read_bytes()
    assert "Essai à blanc, lignes à supprimer: email_log 2, activity_log 2, api_token_usage 0" in (
        run_here(household, "cleanup", "--dry-run").out
    )
    output = json.loads(run_here(household, "cleanup", "--dry-run", "--json").out)
    assert (output["dry_run"], output["tables"]["email_log"]) == (True, 2)
    assert household.path.read_bytes() == before


def test_retention_is_configured(household: CellarFile) -> None:
    """Each table has a variable for the days for which its rows are kept."""
    _old_rows(household, 1)
    result = run_here(household, "cleanup", SCHEDULER_CLEANUP_EMAIL_LOG_DAYS="36500")
    assert "email_log 0, activity_log 1" in result.out


def test_a_second_run_at_the_same_time_is_refused(household: CellarFile, server: FakeSmtpServer) -> None:
    """The exit code is 3 while another process runs the job, which is not affected."""
    server.latency = 1.0  # until the second one has ended, so that a slow start does not come too late
    with subprocess.Popen(
        [sys.executable, "-m", "cavecron", "run", "weekly_reports"],
        env=environment(DATABASE_URL=f"sqlite:///{household.path}"),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as first:
        server.wait_until(lambda server: server.connections == 1)
        second = run(household, "weekly_reports", "--json")
        server.latency = 0.0
        first.communicate(timeout=30)
    assert second.code == 3
    assert "weekly_reports est déjà en cours" in json.loads(second.out)["error"]
    assert first.returncode == 0
    assert set(server.copies().values()) == {1}


def test_a_person_at_a_terminal_sees_how_far_a_long_run_is(
    household: CellarFile, server: FakeSmtpServer
) -> None:
    """After two seconds the progress is shown on one line of the terminal, and not in a file."""
    server.latency = 0.3
    reader, terminal = pty.openpty()
    result = subprocess.run(
        [sys.executable, "-m", "cavecron", "run", "weekly_reports"],
        env=environment(DATABASE_URL=f"sqlite:///{household.path}", SCHEDULER_WEEKLY_REPORT_CONNECTIONS="1"),
        stdout=subprocess.PIPE,
        stderr=terminal,
        encoding="utf-8",
        check=True,
    )
    os.close(terminal)
    progress = os.read(reader, 1000).decode()
    os.close(reader)
    assert progress.endswith("3/3\r")
    assert set(re.split(r"\r", progress)) <= {"0/3", "1/3", "2/3", "3/3", ""}
    assert "3/3" not in result.stdout
