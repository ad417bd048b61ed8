"""Excluded users get no report, and the log of a run counts the mails that were sent."""

import json
from functools import partial

import pytest

from cavecron.cli import main as cli
from cavecron.jobs.context import Outcome
from tests.support.app_database import CellarFile
from tests.support.check_helpers import KEY, encrypted
from tests.support.commands import cavecron
from tests.support.fake_smtp.server import HostileServer
from tests.support.report_runs import attempt, first, household_of, process

ROWS = "SELECT recipient_email FROM email_log"


@pytest.fixture
def household(cellar: CellarFile) -> CellarFile:
    """Return a database with two who get a report, one without an address, and a sub-account."""
    return household_of(cellar)


def test_the_excluded_are_counted_in_the_run(
    household: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the log and for programs; whoever misspells a name is told the right one, and the mails go."""
    household.user("Jean Noël")
    with HostileServer() as server:
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
    name = "cavecron.jobs.weekly_reports"
    assert f"{name} - INFO - Exclus par SCHEDULER_WEEKLY_REPORT_EXCLUDE: 2" in lines
    assert (
        f"{name} - WARNING - SCHEDULER_WEEKLY_REPORT_EXCLUDE : utilisateur inconnu 'mraie'"
        " (vouliez-vous dire 'marie' ?)"
    ) in lines
    assert (
        f"{name} - INFO - SCHEDULER_WEEKLY_REPORT_EXCLUDE : 'lucas' est un sous-compte, sans rapport de toute"
        " façon"
    ) in lines


def test_a_dry_run_counts_the_excluded(household: CellarFile, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what a run would do."""
    environ = {
        "DATABASE_URL": f"sqlite:///{household.path}",
        "SCHEDULER_WEEKLY_REPORT_EXCLUDE": "marie",
    }
    assert cli.main(["run", "weekly_reports", "--dry-run", "--json"], environ) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["excluded"] == 1
    assert [one["username"] for one in said["recipients"]] == ["paul"]


def test_whoever_is_named_gets_a_report_though_excluded(
    household: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--user` is an explicit wish; the log says that there is a list with that name on it."""
    with HostileServer() as server:
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
    """Not even a mail server is asked for."""
    made = process(household, SCHEDULER_WEEKLY_REPORT_EXCLUDE="marie,paul,robert")
    outcome = attempt(made, first(made))
    assert isinstance(outcome, Outcome)
    assert (outcome.summary, outcome.failures) == ("Rapports hebdomadaires: 0 envoyés, 0 échecs", ())
    assert (outcome.details["sent"], outcome.details["excluded"]) == (0, 3)
    assert household.rows(ROWS) == []


def test_each_mail_that_went_is_told_at_debug_only(
    household: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a mail; at INFO none; a name cannot forge another line; the password is in none of them."""
    household.execute('UPDATE "user" SET username = ? WHERE id = 2', ("paul\n2026 - cavecron - INFO - x",))
    with HostileServer(login=("cave", "sésame")) as server:
        household.smtp(server.port, username="cave", password_encrypted=encrypted("sésame"))
        told = {}
        for level in ("INFO", "DEBUG"):
            environ = {
                "DATABASE_URL": f"sqlite:///{household.path}",
                "SMTP_ENCRYPTION_KEY": KEY,
                "CAVECRON_LOG_LEVEL": level,
            }
            assert cli.main(["run", "weekly_reports"], environ) == 0
            told[level] = capsys.readouterr().out
    sent = [line.partition(" - ")[2] for line in told["DEBUG"].splitlines() if " - DEBUG - " in line]
    assert "cavecron.jobs.weekly_reports - DEBUG - Rapport envoyé à marie <marie@example.org>" in sent
    assert len([line for line in sent if "Rapport envoyé" in line]) == 2
    assert not [line for line in told["DEBUG"].splitlines() if line.startswith("2026 - cavecron")]
    assert "Rapport envoyé" not in told["INFO"]
    assert "sésame" not in told["DEBUG"]


def test_accents_are_understood_in_a_locale_that_has_none(household: CellarFile) -> None:
    """Who wants no report gets none, and who is asked for is found, on a machine of another age."""
    household.user("Hélène")
    started = partial(
        cavecron,
        "run",
        "weekly_reports",
        LC_ALL="C",
        PYTHONUTF8="0",
        DATABASE_URL=f"sqlite:///{household.path}",
        CAVECRON_MAIL=f"maildir:{household.path.with_name('outbox')}",
    )
    excluded = started("--dry-run", SCHEDULER_WEEKLY_REPORT_EXCLUDE="Hélène")
    assert "Exclus par SCHEDULER_WEEKLY_REPORT_EXCLUDE: 1" in excluded.err + excluded.out
    wanted = started("--user", "Hélène")
    assert wanted.code == 0, wanted.err
