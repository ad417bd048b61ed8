"""Mails of a job of one's own: once a run, with a row in the application's log, whatever the server does."""

import asyncio
import logging

import pytest

from cavecron import CavecronError, Run, job
from cavecron.jobs.loader import load_for
from cavecron.ledger.runs import claim_manual, claim_resume
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock
from tests.support.fake_smtp.faults import Fault, Step, Trap, close, reply
from tests.support.fake_smtp.server import HostileServer
from tests.support.ledgers import HOUR

LOG = "SELECT recipient_email, subject, template_name, status FROM email_log"


@job("alert", title="alerte")
def alert(run: Run) -> str:
    """Send two mails."""
    run.send("marie@example.org", "Stock bas", "Il reste 2 bouteilles.")
    run.send(to="paul@example.org", subject="Stock\nbas", text="Il reste 2 bouteilles.")
    return "deux mails"


def context(cellar: CellarFile) -> RunContext:
    """Return the means of a process that has this job."""
    return system_context(load_for([alert], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))


def run(made: RunContext, *, again: bool = False) -> None:
    """Run the job by hand, or take its last run up again an hour later."""
    now = NOW + HOUR * again
    claim = claim_resume(made.ledger, "alert", now) if again else claim_manual(made.ledger, "alert", (), now)
    with wall_clock(now):
        asyncio.run(execute_run(claim, alert, made, stop=StopSignal(), options=Options()))


def test_each_mail_has_its_row_in_the_applications_log(cellar: CellarFile) -> None:
    """Under the job's name; a line break in a subject is none in the mail."""
    with HostileServer() as server:
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
        pytest.param(close(kept=True), "sending", True, id="no verdict"),
    ],
)
def test_a_run_that_is_taken_up_again_sends_only_what_is_left(
    cellar: CellarFile, fault: Fault, state: str, *, temporary: bool
) -> None:
    """The first mail is not repeated; the second keeps its Message-ID and its row."""
    step = Step.END if state == "sending" else Step.RCPT
    trap = Trap(step, fault, recipient="paul@example.org", times=None)
    with HostileServer(trap) as server:
        cellar.smtp(server.port)
        made = context(cellar)
        with pytest.raises(CavecronError) as raised:
            run(made)
        assert raised.value.temporary == temporary
        rows = cellar.rows("SELECT substr(recipient, 1, 4), state FROM cavecron_delivery ORDER BY 1")
        assert rows == [("mari", "sent"), ("paul", state)]
        server.policies.clear()
        run(made, again=True)
        assert server.copies()["marie@example.org"] == 1
        assert len({mail.message_id for mail in server.accepted if mail.recipient[0] == "p"}) == 1
    assert [row[3] for row in cellar.rows(LOG)] == ["sent", "sent"]


def test_a_wrong_address_is_the_jobs_failure(cellar: CellarFile) -> None:
    """Told as for any other mail; nothing is sent."""

    @job("alert")
    def careless(run: Run) -> None:
        run.send("marie@example.org, paul@example.org", "x", "y")

    with HostileServer() as server:
        cellar.smtp(server.port)
        made = context(cellar)
        claim = claim_manual(made.ledger, "alert", (), NOW)
        with wall_clock(NOW), pytest.raises(CavecronError, match="une seule adresse"):
            asyncio.run(execute_run(claim, careless, made, stop=StopSignal(), options=Options()))
        assert not server.accepted


def test_each_mail_is_told_at_debug(cellar: CellarFile, caplog: pytest.LogCaptureFixture) -> None:
    """With its address, and nothing of what it says; one that did not go is told by its error."""
    caplog.set_level(logging.DEBUG, "cavecron")
    trap = Trap(Step.RCPT, reply("550 5.1.1 inconnu"), recipient="paul@example.org", times=None)
    with HostileServer(trap) as server:
        cellar.smtp(server.port)
        with pytest.raises(CavecronError):
            run(context(cellar))
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert [text for text in told if "envoyé" in text] == ["Mail envoyé à marie@example.org"]
