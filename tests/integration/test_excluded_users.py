"""Excluded users get no report, and the log of a run counts the mails that were sent."""

import json
from functools import partial

import pytest

from cavecron.cli import main as cli
from cavecron.jobs.context import Outcome
from tests.support.app_database import CellarFile
from tests.support.check_helpers import KEY, encrypted
from tests.support.commands import cavecron
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.report_runs import attempt, first, household_of, process

ROWS = "SELECT recipient_email FROM email_log"


@pytest.fixture
def household(cellar: CellarFile) -> CellarFile:
    """Return a database with two users who get a report, one without an address, and a sub-account."""
    return household_of(cellar)


def test_the_excluded_are_counted_in_the_run(
    household: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log and the JSON output count them, and a misspelt name is a warning with the right one."""
    household.user("Jean Noël")
    with FakeSmtpServer() as server:
        household.smtp(server.port)
        environ = {
            "DATABASE_URL": f"sqlite:///{household.path}",
            "SCHEDULER_WEEKLY_REPORT_EXCLUDE": "Jean Noël, 2, mraie, lucas",
        }
        assert cli.main(["run", "weekly_reports", "--json"], environ) == 0
        assert server.copies() == {"marie@example.org": 1}
    out, err = capsys.readouterr()
    assert (json.loads(out)["excluded"], json.loads(out)["sent"]) == (2, 1)
    lines = [line.partition(" - ")[2] for line in err.splitlines()]
    logger = "cavecron.jobs.weekly_reports"
    assert f"{logger} - INFO - Exclus par SCHEDULER_WEEKLY_REPORT_EXCLUDE: 2" in lines
    assert (
        f"{logger} - WARNING - SCHEDULER_WEEKLY_REPORT_EXCLUDE : utilisateur inconnu 'mraie'"
        " (vouliez-vous dire 'marie' ?)"
    ) in lines
    assert (
        f"{logger} - INFO - SCHEDULER_WEEKLY_REPORT_EXCLUDE : 'lucas' est un sous-compte, sans rapport de"
        " toute façon"
    ) in lines


def test_a_dry_run_counts_the_excluded(household: CellarFile, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run reports the excluded users as a run does."""
    environ = {
        "DATABASE_URL": f"sqlite:///{household.path}",
        "SCHEDULER_WEEKLY_REPORT_EXCLUDE": "marie",
    }
    assert cli.main(["run", "weekly_reports", "--dry-run", "--json"], environ) == 0
    output = json.loads(capsys.readouterr().out)
    assert output["excluded"] == 1
    assert [one["username"] for one in output["recipients"]] == ["paul"]


def test_a_named_user_gets_a_report_although_excluded(
    household: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--user` has precedence over the list, and the log mentions that the name is on it."""
    with FakeSmtpServer() as server:
        household.smtp(server.port)
        environ = {
            "DATABASE_URL": f"sqlite:///{household.path}",
            "SCHEDULER_WEEKLY_REPORT_EXCLUDE": "marie,paul",
        }
        assert cli.main(["run", "weekly_reports", "--user", "marie"], environ) == 0
        assert server.copies() == {"marie@example.org": 1}
    out = capsys.readouterr().out
    assert "INFO - marie est dans SCHEDULER_WEEKLY_REPORT_EXCLUDE" in out
    assert "Exclus par" not in out


def test_everybody_excluded_is_a_success(household: CellarFile) -> None:
    """The run succeeds without a connection to a mail server."""
    proc = process(household, SCHEDULER_WEEKLY_REPORT_EXCLUDE="marie,paul,robert")
    outcome = attempt(proc, first(proc))
    assert isinstance(outcome, Outcome)
    assert (outcome.summary, outcome.failures) == ("Rapports hebdomadaires: 0 envoyés, 0 échecs", ())
    assert (outcome.details["sent"], outcome.details["excluded"]) == (0, 3)
    assert household.rows(ROWS) == []


def test_each_sent_mail_is_logged_at_debug_only(
    household: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """At DEBUG each mail has one line, which a user name cannot forge; no line contains the password."""
    household.execute('UPDATE "user" SET username = ? WHERE id = 2', ("paul\n2026 - cavecron - INFO - x",))
    with FakeSmtpServer(login=("cave", "sésame")) as server:
        household.smtp(server.port, username="cave", password_encrypted=encrypted("sésame"))
        logs = {}
        for level in ("INFO", "DEBUG"):
            environ = {
                "DATABASE_URL": f"sqlite:///{household.path}",
                "SMTP_ENCRYPTION_KEY": KEY,
                "CAVECRON_LOG_LEVEL": level,
            }
            assert cli.main(["run", "weekly_reports"], environ) == 0
            logs[level] = capsys.readouterr().out
    lines = [line.partition(" - ")[2] for line in logs["DEBUG"].splitlines() if " - DEBUG - " in line]
    assert "cavecron.jobs.weekly_reports - DEBUG - Rapport envoyé à marie <marie@example.org>" in lines
    assert len([line for line in lines if "Rapport envoyé" in line]) == 2
    assert not [line for line in logs["DEBUG"].splitlines() if line.startswith("2026 - cavecron")]
    assert "Rapport envoyé" not in logs["INFO"]
    assert "sésame" not in logs["DEBUG"]


def test_accents_are_understood_in_a_locale_without_them(household: CellarFile) -> None:
    """In the locale C, names with accents are found in the list and with `--user`."""
    household.user("Hélène")
    run_reports = partial(
        cavecron,
        "run",
        "weekly_reports",
        LC_ALL="C",
        PYTHONUTF8="0",
        DATABASE_URL=f"sqlite:///{household.path}",
        CAVECRON_MAIL=f"maildir:{household.path.with_name('outbox')}",
    )
    excluded = run_reports("--dry-run", SCHEDULER_WEEKLY_REPORT_EXCLUDE="Hélène")
    assert "Exclus par SCHEDULER_WEEKLY_REPORT_EXCLUDE: 1" in excluded.err + excluded.out
    selected = run_reports("--user", "Hélène")
    assert selected.code == 0, selected.err
