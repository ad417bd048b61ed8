"""`cavecron run --due` and `--resume`: runs that another scheduler starts, and resuming interrupted runs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.app_database import CellarFile
from tests.support.commands import Result
from tests.support.fake_smtp.faults import FaultRule, Step, reply
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.in_process import command


@pytest.fixture
def server() -> Iterator[FakeSmtpServer]:
    """Return a mail server that accepts everything until a test adds policies."""
    with FakeSmtpServer() as running:
        yield running


@pytest.fixture
def household(cellar: CellarFile, server: FakeSmtpServer) -> CellarFile:
    """Return a database with two users who get a report."""
    for name in ("marie", "paul"):
        cellar.user(name)
    cellar.smtp(server.port)
    return cellar


def _hourly(ago: timedelta) -> str:
    """Return an hourly cron expression with a slot `ago` in the past, which must be less than an hour."""
    return f"{(datetime.now(UTC) - ago).minute} * * * *"


def _run(cellar: CellarFile, *arguments: str, **variables: Any) -> Result:
    return command(
        *("run", *arguments),
        DATABASE_URL=f"sqlite:///{cellar.path}",
        SCHEDULER_TIMEZONE="UTC",
        SCHEDULER_CLEANUP_ENABLED="0",
        **variables,
    )


def test_a_slot_that_is_due_runs_once(household: CellarFile, server: FakeSmtpServer) -> None:
    """A second call sends nothing and says when the next slot is; the exit code is 0 both times."""
    cron = _hourly(timedelta(minutes=30))
    first = _run(household, "--due", SCHEDULER_WEEKLY_REPORT_CRON=cron)
    second = _run(household, "--due", SCHEDULER_WEEKLY_REPORT_CRON=cron)
    assert (first.code, second.code) == (0, 0)
    assert "Rapports hebdomadaires: 2 envoyés, 0 échecs" in first.out
    assert "Rien à exécuter maintenant ; prochain créneau : " in second.err
    assert second.out == ""
    assert sorted(server.copies().items()) == [("marie@example.org", 1), ("paul@example.org", 1)]


def test_a_job_that_is_disabled_is_never_due(household: CellarFile, server: FakeSmtpServer) -> None:
    """Although its schedule has a recent slot, nothing runs, and no next slot is announced."""
    cron = _hourly(timedelta(minutes=30))
    result = _run(household, "--due", SCHEDULER_WEEKLY_REPORT_CRON=cron, SCHEDULER_WEEKLY_REPORT_ENABLED="0")
    assert (result.code, result.err) == (0, "Rien à exécuter maintenant ; prochain créneau : aucun\n")
    assert server.connections == 0


def test_one_job_can_be_chosen(household: CellarFile, server: FakeSmtpServer) -> None:
    """`--due JOB` runs that job, and its JSON output has the number of sent mails."""
    cron = _hourly(timedelta(minutes=30))
    result = _run(household, "--due", "weekly_reports", "--json", SCHEDULER_WEEKLY_REPORT_CRON=cron)
    assert json.loads(result.out)["sent"] == 2
    assert len(server.accepted) == 2


def test_a_run_that_left_somebody_out_is_taken_up(household: CellarFile, server: FakeSmtpServer) -> None:
    """`--resume` sends only the missing mail; after that there is nothing to resume."""
    server.policies.append(
        FaultRule(Step.RCPT, reply("550 5.1.1 no such user"), recipient="paul@example.org", times=None)
    )
    assert _run(household, "weekly_reports").code == 1
    server.policies.clear()
    resumed = _run(household, "weekly_reports", "--resume")
    assert resumed.code == 0
    assert sorted(server.copies().items()) == [("marie@example.org", 1), ("paul@example.org", 1)]
    again = _run(household, "weekly_reports", "--resume")
    assert again.code == 2
    assert "rien à reprendre : la dernière exécution de weekly_reports est complète" in again.err


@pytest.mark.parametrize(
    ("step", "recipient"), [(Step.RCPT, "paul@example.org"), (Step.EHLO, None)], ids=["one", "all"]
)
def test_the_command_that_finishes_a_run_is_printed_beside_json(
    household: CellarFile, server: FakeSmtpServer, step: Step, recipient: str | None
) -> None:
    """It is on standard error, whether one mail failed or all; standard output is only the object."""
    server.policies.append(FaultRule(step, reply("550 5.1.1 no"), recipient=recipient, times=None))
    result = _run(household, "weekly_reports", "--json")
    assert result.code == 1
    assert json.loads(result.out)["ok"] is False
    assert result.err.splitlines()[-1] == (
        "L'achever, une fois la cause corrigée : cavecron run weekly_reports --resume"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--due", "--dry-run"), "--due ne s'emploie pas avec --dry-run, --user ou --resume"),
        (("--due", "--user", "marie"), "--due ne s'emploie pas avec --dry-run, --user ou --resume"),
        (("weekly_reports", "--resume", "--dry-run"), "--resume reprend une exécution telle quelle"),
        (("weekly_reports", "--resume", "--user", "marie"), "--resume reprend une exécution telle quelle"),
        (("weekly_reports", "--resume"), "rien à reprendre"),
    ],
)
def test_contradictory_options_are_refused(
    household: CellarFile, server: FakeSmtpServer, arguments: tuple[str, ...], message: str
) -> None:
    """The exit code is 2, and nothing is sent."""
    result = _run(household, *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert server.connections == 0
