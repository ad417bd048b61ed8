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
from cavecron.ledger.runs import claim_manual, finish
from cavecron.scheduler.context import StopSignal
from cavecron.scheduler.given_up import settle_given_up
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import FastClock, FastLoop
from tests.support.daemons import daemon
from tests.support.fake_smtp.server import HostileServer
from tests.support.in_process import command
from tests.support.ledgers import MONDAYS, another, looked
from tests.support.report_runs import CLOSED_PORT, again, attempt, household_of, process

ROWS = "SELECT recipient_email, status, error_message FROM email_log ORDER BY id"
HOUR = timedelta(hours=1)
_SPEED = 60.0


@pytest.fixture
def household(cellar: CellarFile) -> CellarFile:
    """Return a database with two who get a report, one without an address, and a sub-account."""
    return household_of(cellar)


def killed(household: CellarFile) -> None:
    """Leave the run of NOW's slot as a killed process does: marie has her mail, paul's is in doubt."""
    made = process(household)
    register_jobs(made.ledger, {"weekly_reports": MONDAYS}, NOW - HOUR)
    claim = looked(made.ledger, NOW, job="weekly_reports").claim
    assert claim
    mails = Deliveries(ledger=made.ledger, run=claim.run)
    mails.record(now=NOW, started=["1", "2"])
    mails.record(now=NOW, finished={"1": DeliveryUpdate(state="sent")})
    household.execute("UPDATE cavecron_run SET owner = 'another:machine'")
    household.user("zoe")


REASON = "exécution coupée net, et pas reprise (cavecron run weekly_reports --resume)"


@pytest.mark.parametrize(
    "late", [2 * HOUR, timedelta(weeks=1)], ids=["its hour is over", "a later slot came"]
)
def test_a_run_that_was_killed_and_given_up_leaves_a_row_for_each_who_has_no_mail(
    household: CellarFile, late: timedelta
) -> None:
    """Written when its slot is closed, and once; a mail in doubt is told as such."""
    household.smtp(CLOSED_PORT)
    killed(household)
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
    """One of a slot that was stopped, and one by hand for marie that was killed."""
    made = process(household)
    killed(household)
    household.execute("UPDATE cavecron_run SET state = 'interrupted', owner = NULL, lease_until = NULL")
    household.execute("UPDATE cavecron_run SET retry_at = '2026-11-23 07:01:00.000000'")
    claim_manual(made.ledger, "weekly_reports", ("marie",), NOW + HOUR / 2)
    household.execute("UPDATE cavecron_run SET owner = 'another:machine' WHERE trigger = 'manual'")
    command("run", "--due", at=NOW + 2 * HOUR, DATABASE_URL=f"sqlite:///{household.path}")
    rows = household.rows("SELECT recipient_email FROM email_log WHERE status = 'failed' ORDER BY 1")
    assert [str(address)[:4] for (address,) in rows] == ["mari", "paul", "zoe@"]


def test_rows_that_cannot_be_written_are_written_once_that_is_possible(household: CellarFile) -> None:
    """By the scheduler, which says once what is in the way."""
    killed(household)
    ledger = another(process(household).ledger)
    result = looked(ledger, NOW + 2 * HOUR, job="weekly_reports")
    household.execute("ALTER TABLE email_log RENAME TO away")

    async def settle() -> None:
        context = replace(process(household).context, clock=FastClock(NOW, since=NOW, speed=_SPEED))
        settling = settle_given_up(result, WEEKLY_REPORTS, context, StopSignal())
        assert settling
        come_back = partial(household.execute, "ALTER TABLE away RENAME TO email_log")
        asyncio.get_running_loop().call_later(75, come_back)
        await settling

    with asyncio.Runner(loop_factory=lambda: FastLoop(_SPEED)) as runner:
        runner.run(settle())
    assert [row[1] for row in household.rows(ROWS)] == ["failed", "failed"]


def test_who_is_mailed_after_all_gets_the_row_of_the_run_that_was_given_up(household: CellarFile) -> None:
    """It becomes a sent one."""
    household.smtp(CLOSED_PORT)
    killed(household)
    variables = {"DATABASE_URL": f"sqlite:///{household.path}"}
    command("run", "--due", "weekly_reports", at=NOW + 2 * HOUR, **variables)
    with HostileServer() as server:
        household.execute("UPDATE smtp_config SET port = ?", (server.port,))
        made = process(household, NOW + 3 * HOUR)
        attempt(made, again(made))
        assert server.copies() == {"paul@example.org": 1, "zoe@example.org": 1}
    assert household.rows(ROWS) == [(f"{name}@example.org", "sent", None) for name in ("paul", "zoe")]


def test_a_run_that_was_resumed_meanwhile_keeps_its_list(household: CellarFile) -> None:
    """What a person has finished is not called failed by who closed the slot before."""
    killed(household)
    made = process(household, NOW + 2 * HOUR)
    (given_up,) = looked(another(made.ledger), made.now, job="weekly_reports").given_up
    assert given_up.claim
    claim = given_up.claim
    resumed = again(made)
    mails = Deliveries(ledger=made.ledger, run=claim.run)
    late = {"2": DeliveryUpdate(state="deferred")}
    with pytest.raises(LeaseLostError):
        mails.amend(now=made.now, attempt=claim.attempt, finished=late)
    finish(made.ledger, resumed, RunResult(state="interrupted"), made.now)
    with pytest.raises(LeaseLostError):
        mails.amend(now=made.now, attempt=claim.attempt, finished=late)
    assert household.rows("SELECT state FROM cavecron_delivery ORDER BY recipient") == [
        ("sent",),
        ("sending",),
    ]


def test_a_scheduler_that_closes_the_slot_writes_the_rows(household: CellarFile) -> None:
    """The real process, in its first scan."""
    household.smtp(CLOSED_PORT)
    killed(household)
    with daemon({"DATABASE_URL": f"sqlite:///{household.path}"}) as running:
        household.wait_for("SELECT 1 FROM email_log WHERE recipient_email = 'zoe@example.org'")
        assert running.stop()[0] == 0
    assert [row[1] for row in household.rows(ROWS)] == ["failed", "failed"]
