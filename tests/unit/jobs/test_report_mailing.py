"""The mails of one run in the ledger and in `email_log`: which remain, and which are given up."""

import asyncio
import sqlite3
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.jobs.context import Outcome
from cavecron.jobs.loader import load_for
from cavecron.ledger.deliveries import Deliveries, DeliveryUpdate
from cavecron.ledger.history import history
from cavecron.ledger.models import Claim, RunResult
from cavecron.ledger.runs import claim_manual, claim_resume, record_end
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock
from tests.support.fake_smtp.faults import FaultRule, Step, close, reply
from tests.support.fake_smtp.server import FakeSmtpServer

WEEK = timedelta(days=7)
LOG = "SELECT recipient_email, status, error_message FROM email_log ORDER BY id"


def run_context(cellar: CellarFile) -> RunContext:
    """Return the context of a process that sends over one connection."""
    environ = {"DATABASE_URL": f"sqlite:///{cellar.path}", "SCHEDULER_WEEKLY_REPORT_CONNECTIONS": "1"}
    return system_context(load_for([WEEKLY_REPORTS], environ))


def send_reports(cellar: CellarFile, now: datetime, *, again: bool = False) -> Outcome | str:
    """Run the reports by hand at `now`, or resume the last run; return the outcome or the error message."""
    context, name = run_context(cellar), WEEKLY_REPORTS.name
    claim = claim_resume(context.ledger, name, now) if again else claim_manual(context.ledger, name, (), now)
    return execute(claim, context, now)


def execute(claim: Claim, context: RunContext, now: datetime) -> Outcome | str:
    """Execute a claimed run while the clock says `now`; return the outcome or the error message."""
    work = execute_run(claim, WEEKLY_REPORTS, context, stop=StopSignal(), options=Options())
    with wall_clock(now):
        try:
            return asyncio.run(work)
        except CavecronError as error:
            return str(error)


def test_a_resumed_run_sends_only_the_remaining_mails(cellar: CellarFile) -> None:
    """The server failed after two users; the resumed run sends the rest and counts the whole run."""
    for name in ("marie", "paul", "zoé", "luc"):
        cellar.user(name, f"{name[0]}@example.org")
    with FakeSmtpServer(FaultRule(Step.RCPT, close(), first=3, times=None)) as server:
        cellar.smtp(server.port)
        broken = send_reports(cellar, NOW)
        assert isinstance(broken, Outcome)
        assert (len(broken.failures), broken.temporary) == (2, True)
        server.policies.clear()
        outcome = send_reports(cellar, NOW + timedelta(hours=3), again=True)
        assert isinstance(outcome, Outcome)
        assert outcome.summary == "Rapports hebdomadaires: 4 envoyés, 0 échecs"
        assert sorted(server.copies().values()) == [1, 1, 1, 1]
    assert [status for _, status, _ in cellar.rows(LOG)] == ["sent"] * 4


def test_a_run_that_ended_early_counts_the_remaining_mails(cellar: CellarFile) -> None:
    """The summary in the history contains the number of mails that were not sent."""
    for name in "abcdefgh":
        cellar.user(name)
    with FakeSmtpServer(FaultRule(Step.RCPT, close(), first=3, times=None)) as server:
        cellar.smtp(server.port)
        assert isinstance(send_reports(cellar, NOW), str)
        assert history(run_context(cellar).ledger)[0].summary == (
            "Rapports hebdomadaires: 2 envoyés, 3 échecs, 6 encore à envoyer"
        )


@pytest.mark.slow  # a temporary refusal is retried after ten seconds
def test_a_run_by_hand_resumes_a_failed_run(cellar: CellarFile) -> None:
    """A new run by hand within the hour resumes the failed one, so that nobody gets two mails."""
    for name in ("marie", "paul"):
        cellar.user(name)
    with FakeSmtpServer(
        FaultRule(Step.RCPT, reply("451 4.3.0 plus tard"), recipient="paul@example.org", times=None)
    ) as server:
        cellar.smtp(server.port)
        send_reports(cellar, NOW)
        server.policies.clear()
        send_reports(cellar, NOW + timedelta(minutes=30))
        assert server.copies() == {"marie@example.org": 1, "paul@example.org": 1}
        send_reports(cellar, NOW + timedelta(minutes=31))
        assert set(server.copies().values()) == {2}


def test_a_run_for_one_user_closes_no_other_run(cellar: CellarFile) -> None:
    """A run for one user does not close an interrupted run for all, which can still be resumed."""
    for name in ("marie", "paul"):
        cellar.user(name)
    context = run_context(cellar)
    interrupted = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
    record_end(context.ledger, interrupted, RunResult(state="interrupted"), NOW)
    one = claim_manual(context.ledger, WEEKLY_REPORTS.name, ("marie",), NOW + timedelta(minutes=1))
    record_end(context.ledger, one, RunResult(state="succeeded"), NOW + timedelta(minutes=1))
    assert (
        claim_resume(context.ledger, WEEKLY_REPORTS.name, NOW + timedelta(minutes=2)).run == interrupted.run
    )


def test_a_run_for_a_misspelt_user_is_not_resumed(cellar: CellarFile) -> None:
    """The next run is for all users and does not resume the run for an unknown user."""
    cellar.user("marie")
    context = run_context(cellar)
    wrong = claim_manual(context.ledger, WEEKLY_REPORTS.name, ("mraie",), NOW)
    record_end(context.ledger, wrong, RunResult(state="failed", reason="utilisateur inconnu"), NOW)
    with FakeSmtpServer() as server:
        cellar.smtp(server.port)
        send_reports(cellar, NOW + timedelta(minutes=1))
        assert server.copies() == {"marie@example.org": 1}


def test_a_run_with_a_former_number_uses_no_former_deliveries(cellar: CellarFile) -> None:
    """After the table of runs was dropped, a run with the same number does not use the old deliveries."""
    cellar.user("marie")
    with FakeSmtpServer() as server:
        cellar.smtp(server.port)
        send_reports(cellar, NOW)
        cellar.execute("DROP TABLE cavecron_run")
        send_reports(cellar, NOW + WEEK)
        assert server.copies() == {"marie@example.org": 2}


@pytest.mark.slow
def test_a_mail_has_one_row_in_the_applications_log_however_often_it_is_tried(cellar: CellarFile) -> None:
    """The row of a mail that was refused temporarily becomes the row of the sent mail."""
    cellar.user("marie")
    with FakeSmtpServer(FaultRule(Step.RCPT, reply("451 4.3.0 plus tard"), times=None)) as server:
        cellar.smtp(server.port)
        outcome = send_reports(cellar, NOW)
        assert isinstance(outcome, Outcome)
        assert (outcome.temporary, len(outcome.failures)) == (True, 1)
        ((_, status, error),) = cellar.rows(LOG)
        assert status == "failed"
        assert "451 4.3.0 plus tard" in str(error)
        server.policies.clear()
        send_reports(cellar, NOW + timedelta(minutes=5), again=True)
    assert cellar.rows(LOG) == [("marie@example.org", "sent", None)]


def test_mails_that_break_the_connection_delay_the_others_once(cellar: CellarFile) -> None:
    """Three lost connections in a row end the run; the next attempt begins with the users not yet tried."""
    names = ("anne", "bob", "carl", "dora", "eve")
    for name in names:
        cellar.user(name)
    rules = [FaultRule(Step.RCPT, close(), recipient=f"{name}@example.org", times=None) for name in names[:3]]
    with FakeSmtpServer(*rules) as server:
        cellar.smtp(server.port)
        assert isinstance(send_reports(cellar, NOW), str)
        assert not server.accepted
        send_reports(cellar, NOW + timedelta(minutes=5), again=True)
        assert set(server.copies()) == {"dora@example.org", "eve@example.org"}


@pytest.mark.parametrize("by_hand", [False, True], ids=["by itself", "by hand"])
def test_a_permanent_refusal_is_retried_by_hand_only(cellar: CellarFile, *, by_hand: bool) -> None:
    """The scheduler does not retry a permanent refusal; a person does, after correcting something."""
    cellar.user("marie")
    with FakeSmtpServer(FaultRule(Step.RCPT, reply("550 5.1.1 inconnue"))) as server:
        cellar.smtp(server.port)
        send_reports(cellar, NOW)
        context, later = run_context(cellar), NOW + timedelta(minutes=5)
        claim = claim_resume(context.ledger, WEEKLY_REPORTS.name, later)
        execute(replace(claim, retry_permanent_failures=by_hand), context, later)
        assert len(server.accepted) == by_hand
    assert cellar.rows("SELECT status FROM email_log") == [("sent" if by_hand else "failed",)]


def test_a_mail_with_an_unknown_result_is_failed_in_the_applications_log(cellar: CellarFile) -> None:
    """The next run records a mail as failed whose run was killed and never resumed."""
    user = cellar.user("marie")
    context = run_context(cellar)
    claim = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
    Deliveries(ledger=context.ledger, run=claim.run).record(now=NOW, started=[str(user)])
    record_end(context.ledger, claim, RunResult(state="interrupted"), NOW)
    with FakeSmtpServer() as server:
        cellar.smtp(server.port)
        send_reports(cellar, NOW + WEEK)
        assert len(server.accepted) == 1
    (lost, sent) = sorted(cellar.rows(LOG), key=lambda row: str(row[1]))
    assert lost[:2] == ("marie@example.org", "failed")
    assert "le message est peut-être arrivé" in str(lost[2])
    assert sent == ("marie@example.org", "sent", None)


def test_the_result_of_an_accepted_mail_outlasts_a_long_lock(cellar: CellarFile) -> None:
    """A lock of over twice the limit fails the run, but the next attempt sends nobody a second mail."""
    for name in ("marie", "paul"):
        cellar.user(name)
    context = run_context(cellar)
    database = Database(cellar.path, busy_timeout=0.3)
    context = replace(context, database=database, ledger=Ledger(database=database))
    with FakeSmtpServer(latency=0.1) as server:
        cellar.smtp(server.port)

        def lock() -> None:
            server.wait_until(lambda server: bool(server.copies()))
            with closing(sqlite3.connect(cellar.path, timeout=5, isolation_level=None)) as connection:
                connection.execute("BEGIN EXCLUSIVE")
                time.sleep(0.75)
                connection.execute("ROLLBACK")

        locking = threading.Thread(target=lock)
        locking.start()
        claim = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
        assert "base verrouillée" in str(execute(claim, context, NOW))
        locking.join()
        outcome = send_reports(cellar, NOW + timedelta(minutes=1), again=True)
        assert isinstance(outcome, Outcome)
        assert set(server.copies().values()) == {1}


def test_a_lost_lease_ends_the_mailing(cellar: CellarFile) -> None:
    """The run belongs to another process now, so this one sends and records nothing."""
    cellar.user("marie")
    context = run_context(cellar)
    claim = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
    cellar.execute("UPDATE cavecron_run SET owner = 'somebody else'")
    with FakeSmtpServer() as server:
        cellar.smtp(server.port)
        assert "un autre processus a repris cette exécution" in str(execute(claim, context, NOW))
        assert not server.accepted
    assert history(context.ledger)[0].state == "running"


def test_a_mail_started_twice_is_counted_as_repeated(cellar: CellarFile) -> None:
    """The history counts the mails that were started more than once and may have arrived twice."""
    context = run_context(cellar)
    claim = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
    deliveries = Deliveries(ledger=context.ledger, run=claim.run)
    for _ in range(3):
        deliveries.record(now=NOW, started=["1", "2"])
    deliveries.record(now=NOW, finished={"1": DeliveryUpdate(state="sent")})
    assert history(context.ledger)[0].repeats == 4


def test_a_mail_without_an_answer_is_sent_twice_at_most_however_often_the_run_is_resumed(
    cellar: CellarFile,
) -> None:
    """Without an answer of the server, no attempt sends the mail a third time, also not by hand."""
    cellar.user("marie")
    with FakeSmtpServer(FaultRule(Step.END, close(kept=True), times=None)) as server:
        cellar.smtp(server.port)
        send_reports(cellar, NOW)
        for minutes in (1, 6, 21):
            with suppress(CavecronError):
                send_reports(cellar, NOW + timedelta(minutes=minutes), again=True)
        assert server.copies() == {"marie@example.org": 2}
    ((_, status, error),) = cellar.rows(LOG)
    assert status == "failed"
    assert "peut-être arrivé" in str(error)
    assert cellar.rows("SELECT state FROM cavecron_delivery") == [("abandoned",)]


def test_a_wrong_sender_is_one_error_before_anything_is_sent(cellar: CellarFile) -> None:
    """A wrong sender is one error of the run, before any connection, and not one for each user."""
    for name in ("marie", "paul"):
        cellar.user(name)
    with FakeSmtpServer() as server:
        cellar.smtp(server.port, sender_email="cave à vin")
        message = send_reports(cellar, NOW)
        assert isinstance(message, str)
        assert "cave" in message
        assert server.connections == 0
