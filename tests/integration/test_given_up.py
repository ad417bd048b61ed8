"""A run that was killed and not resumed leaves a row in `email_log` for each mail that was not sent."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from cavecron.errors import LeaseLostError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.ledger.catch_up import register_jobs
from cavecron.ledger.deliveries import Deliveries, DeliveryUpdate
from cavecron.ledger.models import RunResult
from cavecron.ledger.runs import claim_manual, record_end
from cavecron.scheduler.context import StopSignal
from cavecron.scheduler.given_up import settle_given_up
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import FastClock, FastLoop
from tests.support.daemons import daemon
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.in_process import command
from tests.support.ledgers import MONDAYS, another, scan_job
from tests.support.report_runs import CLOSED_PORT, again, attempt, household_of, process

ROWS = "SELECT recipient_email, status, error_message FROM email_log ORDER BY id"
HOUR = timedelta(hours=1)
_SPEED = 60.0


@pytest.fixture
def household(cellar: CellarFile) -> CellarFile:
    """Return a database with two users who get a report, one without an address, and a sub-account."""
    return household_of(cellar)


def add_killed_run(household: CellarFile) -> None:
    """Add the run of NOW's slot as a killed process leaves it: marie's mail is sent, paul's is in doubt."""
    proc = process(household)
    register_jobs(proc.ledger, {"weekly_reports": MONDAYS}, NOW - HOUR)
    claim = scan_job(proc.ledger, NOW, job="weekly_reports").claim
    assert claim
    mails = Deliveries(ledger=proc.ledger, run=claim.run)
    mails.record(now=NOW, started=["1", "2"])
    mails.record(now=NOW, finished={"1": DeliveryUpdate(state="sent")})
    household.execute("UPDATE cavecron_run SET owner = 'another:machine'")
    household.user("zoe")


REASON = "exécution coupée net, et pas reprise (cavecron run weekly_reports --resume)"


@pytest.mark.parametrize("late", [2 * HOUR, timedelta(weeks=1)], ids=["two hours late", "after a later slot"])
def test_a_run_that_was_given_up_leaves_a_row_for_each_mail_not_sent(
    household: CellarFile, late: timedelta
) -> None:
    """The rows are written once, when the slot is closed; a mail in doubt has its own reason."""
    household.smtp(CLOSED_PORT)
    add_killed_run(household)
    for _ in range(2):
        command("run", "--due", at=NOW + late, DATABASE_URL=f"sqlite:///{household.path}")
    rows = household.rows(
        "SELECT recipient_email, email_log.status, error_message FROM email_log JOIN cavecron_delivery"
        " ON mail = email_log.id AND run = 1 ORDER BY recipient"
    )
    assert [row[:2] for row in rows] == [("paul@example.org", "failed"), ("zoe@example.org", "failed")]
    assert "le message est peut-être arrivé" in str(rows[0][2])
    assert str(rows[1][2]).startswith(f"envoi arrêté avant ce mail : {REASON}")


def test_runs_that_are_given_up_at_once_each_get_their_rows(household: CellarFile) -> None:
    """Both a stopped run of a slot and a killed run by hand get their rows."""
    proc = process(household)
    add_killed_run(household)
    household.execute("UPDATE cavecron_run SET state = 'interrupted', owner = NULL, lease_until = NULL")
    household.execute("UPDATE cavecron_run SET retry_at = '2026-11-23 07:01:00.000000'")
    claim_manual(proc.ledger, "weekly_reports", ("marie",), NOW + HOUR / 2)
    household.execute("UPDATE cavecron_run SET owner = 'another:machine' WHERE trigger = 'manual'")
    command("run", "--due", at=NOW + 2 * HOUR, DATABASE_URL=f"sqlite:///{household.path}")
    rows = household.rows("SELECT recipient_email FROM email_log WHERE status = 'failed' ORDER BY 1")
    assert [str(address)[:4] for (address,) in rows] == ["mari", "paul", "zoe@"]


def test_rows_that_cannot_be_written_are_written_later(household: CellarFile) -> None:
    """The scheduler tries again until the rows can be written."""
    add_killed_run(household)
    ledger = another(process(household).ledger)
    result = scan_job(ledger, NOW + 2 * HOUR, job="weekly_reports")
    household.execute("ALTER TABLE email_log RENAME TO away")

    async def settle() -> None:
        context = replace(process(household).context, clock=FastClock(NOW, since=NOW, speed=_SPEED))
        task = settle_given_up(result, WEEKLY_REPORTS, context, StopSignal())
        assert task
        come_back = partial(household.execute, "ALTER TABLE away RENAME TO email_log")
        asyncio.get_running_loop().call_later(75, come_back)
        await task

    with asyncio.Runner(loop_factory=lambda: FastLoop(_SPEED)) as runner:
        runner.run(settle())
    assert [row[1] for row in household.rows(ROWS)] == ["failed", "failed"]


def test_a_mail_sent_later_updates_the_row_of_the_run_that_was_given_up(household: CellarFile) -> None:
    """The row becomes that of a sent mail."""
    household.smtp(CLOSED_PORT)
    add_killed_run(household)
    variables = {"DATABASE_URL": f"sqlite:///{household.path}"}
    command("run", "--due", "weekly_reports", at=NOW + 2 * HOUR, **variables)
    with FakeSmtpServer() as server:
        household.execute("UPDATE smtp_config SET port = ?", (server.port,))
        proc = process(household, NOW + 3 * HOUR)
        attempt(proc, again(proc))
        assert server.copies() == {"paul@example.org": 1, "zoe@example.org": 1}
    assert household.rows(ROWS) == [(f"{name}@example.org", "sent", None) for name in ("paul", "zoe")]


def test_a_run_that_was_resumed_meanwhile_keeps_its_deliveries(household: CellarFile) -> None:
    """The process that gave the run up cannot change mails of the run that a person has resumed."""
    add_killed_run(household)
    proc = process(household, NOW + 2 * HOUR)
    (given_up,) = scan_job(another(proc.ledger), proc.now, job="weekly_reports").given_up
    assert given_up.claim
    claim = given_up.claim
    resumed = again(proc)
    mails = Deliveries(ledger=proc.ledger, run=claim.run)
    updates = {"2": DeliveryUpdate(state="deferred")}
    with pytest.raises(LeaseLostError):
        mails.amend(now=proc.now, attempt=claim.attempt, finished=updates)
    record_end(proc.ledger, resumed, RunResult(state="interrupted"), proc.now)
    with pytest.raises(LeaseLostError):
        mails.amend(now=proc.now, attempt=claim.attempt, finished=updates)
    assert household.rows("SELECT state FROM cavecron_delivery ORDER BY recipient") == [
        ("sent",),
        ("sending",),
    ]


def test_a_scheduler_that_closes_the_slot_writes_the_rows(household: CellarFile) -> None:
    """A real scheduler process writes the rows in its first scan."""
    household.smtp(CLOSED_PORT)
    add_killed_run(household)
    with daemon({"DATABASE_URL": f"sqlite:///{household.path}"}) as scheduler:
        household.wait_for("SELECT 1 FROM email_log WHERE recipient_email = 'zoe@example.org'")
        assert scheduler.stop()[0] == 0
    assert [row[1] for row in household.rows(ROWS)] == ["failed", "failed"]
