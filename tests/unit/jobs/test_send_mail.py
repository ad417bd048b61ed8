"""Mails of custom jobs: sent once in each run, with a row in `email_log`, whatever the server does."""

import asyncio
import logging
import sqlite3
import time
from dataclasses import replace
from threading import Thread, Timer

import pytest

from cavecron import CavecronError, Run, job
from cavecron.errors import StoppedError, TimeLimitError
from cavecron.jobs.loader import load_for
from cavecron.ledger.runs import claim_manual, claim_resume
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock
from tests.support.fake_smtp.faults import Fault, FaultRule, Step, Visit, close, delay, reply
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.ledgers import HOUR

LOG = "SELECT recipient_email, subject, template_name, status FROM email_log"


@job("alert", title="alerte")
def alert(run: Run) -> str:
    """Send two mails."""
    run.send("marie@example.org", "Stock bas", "Il reste 2 bouteilles.")
    run.send(to="paul@example.org", subject="Stock\nbas", text="Il reste 2 bouteilles.")
    return "deux mails"


def context(cellar: CellarFile, **variables: str) -> RunContext:
    """Return the context of a process that has this job."""
    return system_context(load_for([alert], {"DATABASE_URL": f"sqlite:///{cellar.path}", **variables}))


def run(run_context: RunContext, *, again: bool = False, stop_after: float | None = None) -> None:
    """Run the job by hand, or resume its last run an hour later; stop it after `stop_after` seconds."""
    now = NOW + HOUR * again
    claim = (
        claim_resume(run_context.ledger, "alert", now)
        if again
        else claim_manual(run_context.ledger, "alert", (), now)
    )

    async def work() -> None:
        stop = StopSignal()
        if stop_after is not None:
            asyncio.get_running_loop().call_later(stop_after, stop.stop)
        await execute_run(claim, alert, run_context, stop=stop, options=Options())

    with wall_clock(now):
        asyncio.run(work())


def test_each_mail_has_its_row_in_the_applications_log(cellar: CellarFile) -> None:
    """The row has the job's name; a line break in a subject becomes a blank."""
    with FakeSmtpServer() as server:
        cellar.smtp(server.port)
        run(context(cellar))
        assert server.copies() == {"marie@example.org": 1, "paul@example.org": 1}
    assert cellar.rows(LOG) == [
        (f"{name}@example.org", "Stock bas", "alert", "sent") for name in ("marie", "paul")
    ]


@pytest.mark.parametrize(
    ("fault", "state", "temporary"),
    [
        pytest.param(reply("451 4.3.0 plus tard"), "deferred", True, id="refused for now"),
        pytest.param(reply("550 5.1.1 inconnu"), "failed", False, id="refused for good"),
        pytest.param(close(kept=True), "sending", True, id="no reply to the message"),
    ],
)
def test_a_resumed_run_sends_only_the_remaining_mails(
    cellar: CellarFile, fault: Fault, state: str, *, temporary: bool
) -> None:
    """The first mail is not repeated; the second one keeps its Message-ID and its row."""
    step = Step.END if state == "sending" else Step.RCPT
    rule = FaultRule(step, fault, recipient="paul@example.org", times=None)
    with FakeSmtpServer(rule) as server:
        cellar.smtp(server.port)
        run_context = context(cellar)
        with pytest.raises(CavecronError) as raised:
            run(run_context)
        assert raised.value.temporary == temporary
        rows = cellar.rows("SELECT substr(recipient, 1, 4), state FROM cavecron_delivery ORDER BY 1")
        assert rows == [("mari", "sent"), ("paul", state)]
        server.policies.clear()
        run(run_context, again=True)
        assert server.copies()["marie@example.org"] == 1
        assert len({mail.message_id for mail in server.accepted if mail.recipient[0] == "p"}) == 1
    assert [row[3] for row in cellar.rows(LOG)] == ["sent", "sent"]


def test_a_wrong_address_is_the_jobs_failure(cellar: CellarFile) -> None:
    """The run fails with the same error as for any other mail, and nothing is sent."""

    @job("alert")
    def careless(run: Run) -> None:
        run.send("marie@example.org, paul@example.org", "x", "y")

    with FakeSmtpServer() as server:
        cellar.smtp(server.port)
        run_context = context(cellar)
        claim = claim_manual(run_context.ledger, "alert", (), NOW)
        with wall_clock(NOW), pytest.raises(CavecronError, match="une seule adresse"):
            asyncio.run(execute_run(claim, careless, run_context, stop=StopSignal(), options=Options()))
        assert not server.accepted


def test_each_mail_is_logged_at_debug(cellar: CellarFile, caplog: pytest.LogCaptureFixture) -> None:
    """The log line has the address and no content; a mail that failed has no such line."""
    caplog.set_level(logging.DEBUG, "cavecron")
    rule = FaultRule(Step.RCPT, reply("550 5.1.1 inconnu"), recipient="paul@example.org", times=None)
    with FakeSmtpServer(rule) as server:
        cellar.smtp(server.port)
        with pytest.raises(CavecronError):
            run(context(cellar))
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert [text for text in messages if "envoyé" in text] == ["Mail envoyé à marie@example.org"]


HISTORY = "SELECT state, reason FROM cavecron_run"
DELIVERIES = "SELECT state, repeats FROM cavecron_delivery"


@pytest.mark.parametrize(
    ("step", "state"),
    [
        pytest.param(Step.EHLO, "deferred", id="before the mail"),
        pytest.param(Step.END, "sending", id="after the final dot"),
    ],
)
def test_a_stop_does_not_wait_for_a_server_that_does_not_answer(
    cellar: CellarFile, step: Step, state: str
) -> None:
    """A mail that may have arrived is sent once more with its Message-ID; another one is still to be sent."""
    with FakeSmtpServer(FaultRule(step, delay(), times=None)) as server:
        cellar.smtp(server.port, timeout=60)
        run_context = context(cellar, CAVECRON_STOP_GRACE="3")
        began = time.monotonic()
        with pytest.raises(StoppedError, match="arrêt demandé"):
            run(run_context, stop_after=0.5)
        assert time.monotonic() - began < 3.0
        assert cellar.rows(HISTORY) == [("interrupted", "arrêt demandé, le job s'est interrompu")]
        assert cellar.rows(DELIVERIES) == [(state, 0)]
        assert [row[3] for row in cellar.rows(LOG)] == ["failed"]
        server.policies.clear()
        run(run_context, again=True)
        message_ids = [mail.message_id for mail in server.accepted if mail.recipient == "marie@example.org"]
        assert len(message_ids) == 1 + (step is Step.END)
        assert len(set(message_ids)) == 1
    assert [row[3] for row in cellar.rows(LOG)] == ["sent", "sent"]


def test_a_time_limit_does_not_wait_for_a_server_that_does_not_answer(cellar: CellarFile) -> None:
    """The run ends with its time limit as the reason, and the mail is in doubt."""
    with FakeSmtpServer(FaultRule(Step.END, delay(), times=None)) as server:
        cellar.smtp(server.port, timeout=60)
        with pytest.raises(TimeLimitError):
            run(context(cellar, CAVECRON_STOP_GRACE="1", SCHEDULER_ALERT_TIMEOUT="1"))
    assert cellar.rows(DELIVERIES) == [("sending", 0)]


def test_an_answer_within_the_grace_counts(cellar: CellarFile) -> None:
    """The mail is delivered although the answer comes after the stop; the next one is not started."""
    with FakeSmtpServer(FaultRule(Step.END, delay(1.2)), FaultRule(Step.QUIT, delay())) as server:
        cellar.smtp(server.port, timeout=60)
        with pytest.raises(StoppedError):
            run(context(cellar, CAVECRON_STOP_GRACE="3"), stop_after=0.5)
        assert server.copies() == {"marie@example.org": 1}
    assert cellar.rows(DELIVERIES) == [("sent", 0)]


def test_a_mail_without_an_answer_in_two_runs_is_never_sent_again(cellar: CellarFile) -> None:
    """A mail that was started twice is not sent again, whatever ended the wait for the answer."""
    with FakeSmtpServer(FaultRule(Step.END, delay(), times=None)) as server:
        cellar.smtp(server.port, timeout=60)
        run_context = context(cellar, CAVECRON_STOP_GRACE="1")
        for again in (False, True):
            with pytest.raises(StoppedError):
                run(run_context, again=again, stop_after=0.5)
        server.policies.clear()
        with pytest.raises(CavecronError, match="peut-être arrivé"):
            run(run_context, again=True)
    assert cellar.rows(DELIVERIES) == [("abandoned", 1)]


def test_a_system_without_a_thread_for_the_name_costs_no_mail(
    cellar: CellarFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused thread is a temporary failure, and another attempt sends both mails."""
    start = Thread.start

    def refuse(thread: Thread) -> None:
        if thread.name == "cavecron-dns":
            raise RuntimeError("can't start new thread")
        start(thread)

    with FakeSmtpServer() as server:
        cellar.smtp(server.port)
        run_context = context(cellar)
        with monkeypatch.context() as patch:
            patch.setattr(Thread, "start", refuse)
            with pytest.raises(CavecronError, match="le système n'accorde plus de thread") as raised:
                run(run_context)
        assert raised.value.temporary
        assert cellar.rows(DELIVERIES) == [("deferred", 0)]
        run(run_context, again=True)
        assert server.copies() == {"marie@example.org": 1, "paul@example.org": 1}


def test_a_mail_that_was_accepted_is_recorded_once_the_database_can_be_written(cellar: CellarFile) -> None:
    """The delivery is recorded after a lock, so that another attempt does not send the mail again."""

    def lock(visit: Visit) -> None:
        if visit.step is Step.END and visit.recipient == "marie@example.org":
            other = sqlite3.connect(cellar.path, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN EXCLUSIVE")
            Timer(1.0, other.close).start()

    with FakeSmtpServer(lock) as server:
        cellar.smtp(server.port)
        run_context = context(cellar)
        database = replace(run_context.database, busy_timeout=0.2)
        run(replace(run_context, database=database, ledger=replace(run_context.ledger, database=database)))
        assert server.copies() == {"marie@example.org": 1, "paul@example.org": 1}
    assert cellar.rows(DELIVERIES) == [("sent", 0), ("sent", 0)]
