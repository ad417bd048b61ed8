"""The mails of one run in the ledger and in `email_log`: which remain, and which are given up."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cavecron.errors import CavecronError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.jobs.context import Outcome
from cavecron.jobs.loader import load_for
from cavecron.ledger.deliveries import Deliveries, DeliveryUpdate
from cavecron.ledger.history import history
from cavecron.ledger.models import Claim, RunResult
from cavecron.ledger.runs import claim_manual, claim_resume, finish
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock
from tests.support.fake_smtp.faults import Step, Trap, close, reply
from tests.support.fake_smtp.server import HostileServer

WEEK = timedelta(days=7)
LOG = "SELECT recipient_email, status, error_message FROM email_log ORDER BY id"


def means_for(cellar: CellarFile) -> RunContext:
    """Return the means of a process that mails over one connection."""
    environ = {"DATABASE_URL": f"sqlite:///{cellar.path}", "SCHEDULER_WEEKLY_REPORT_CONNECTIONS": "1"}
    return system_context(load_for([WEEKLY_REPORTS], environ))


def mailed(cellar: CellarFile, now: datetime, *, again: bool = False) -> Outcome | str:
    """Run the reports by hand at `now`, or take the last run up; return the outcome, or what ended it."""
    context, name = means_for(cellar), WEEKLY_REPORTS.name
    claim = claim_resume(context.ledger, name, now) if again else claim_manual(context.ledger, name, (), now)
    return carried_out(claim, context, now)


def carried_out(claim: Claim, context: RunContext, now: datetime) -> Outcome | str:
    """Execute a claimed run while the clock says `now`."""
    work = execute_run(claim, WEEKLY_REPORTS, context, stop=StopSignal(), options=Options())
    with wall_clock(now):
        try:
            return asyncio.run(work)
        except CavecronError as error:
            return str(error)


def test_a_resumed_run_mails_only_who_is_left(cellar: CellarFile) -> None:
    """The server was switched off after the second user; the counts are those of the whole run."""
    for name in ("marie", "paul", "zoé", "luc"):
        cellar.user(name, f"{name[0]}@example.org")
    with HostileServer(Trap(Step.RCPT, close(), first=3, times=None)) as server:
        cellar.smtp(server.port)
        broken = mailed(cellar, NOW)
        assert isinstance(broken, Outcome)
        assert (len(broken.failures), broken.temporary) == (2, True)
        server.policies.clear()
        outcome = mailed(cellar, NOW + timedelta(hours=3), again=True)
        assert isinstance(outcome, Outcome)
        assert outcome.summary == "Rapports hebdomadaires: 4 envoyés, 0 échecs"
        assert sorted(server.copies().values()) == [1, 1, 1, 1]
    assert [status for _, status, _ in cellar.rows(LOG)] == ["sent"] * 4


def test_a_run_that_ended_early_says_how_many_are_left(cellar: CellarFile) -> None:
    """In the history, with what to do: that is the number that a person needs."""
    for name in "abcdefgh":
        cellar.user(name)
    with HostileServer(Trap(Step.RCPT, close(), first=3, times=None)) as server:
        cellar.smtp(server.port)
        assert isinstance(mailed(cellar, NOW), str)
        assert history(means_for(cellar).ledger)[0].summary == (
            "Rapports hebdomadaires: 2 envoyés, 3 échecs, 6 encore à envoyer"
        )


@pytest.mark.slow  # what is refused for now is tried again after ten seconds
def test_a_run_by_hand_finishes_what_an_accident_has_left(cellar: CellarFile) -> None:
    """Whoever starts it anew within the hour wants nobody to be written to twice."""
    for name in ("marie", "paul"):
        cellar.user(name)
    with HostileServer(
        Trap(Step.RCPT, reply("451 4.3.0 plus tard"), recipient="paul@example.org", times=None)
    ) as server:
        cellar.smtp(server.port)
        mailed(cellar, NOW)
        server.policies.clear()
        mailed(cellar, NOW + timedelta(minutes=30))
        assert server.copies() == {"marie@example.org": 1, "paul@example.org": 1}
        mailed(cellar, NOW + timedelta(minutes=31))
        assert set(server.copies().values()) == {2}


def test_a_run_for_one_user_closes_no_other(cellar: CellarFile) -> None:
    """What an accident left is still there to be resumed."""
    for name in ("marie", "paul"):
        cellar.user(name)
    context = means_for(cellar)
    cut = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
    finish(context.ledger, cut, RunResult(state="interrupted"), NOW)
    one = claim_manual(context.ledger, WEEKLY_REPORTS.name, ("marie",), NOW + timedelta(minutes=1))
    finish(context.ledger, one, RunResult(state="succeeded"), NOW + timedelta(minutes=1))
    assert claim_resume(context.ledger, WEEKLY_REPORTS.name, NOW + timedelta(minutes=2)).run == cut.run


def test_a_misspelt_user_stands_in_nobodys_way(cellar: CellarFile) -> None:
    """The next run is for everybody, not for the name that does not exist."""
    cellar.user("marie")
    context = means_for(cellar)
    wrong = claim_manual(context.ledger, WEEKLY_REPORTS.name, ("mraie",), NOW)
    finish(context.ledger, wrong, RunResult(state="failed", reason="utilisateur inconnu"), NOW)
    with HostileServer() as server:
        cellar.smtp(server.port)
        mailed(cellar, NOW + timedelta(minutes=1))
        assert server.copies() == {"marie@example.org": 1}


def test_a_number_that_comes_again_inherits_nothing(cellar: CellarFile) -> None:
    """Somebody emptied the table of runs, as our own message may have told them to."""
    cellar.user("marie")
    with HostileServer() as server:
        cellar.smtp(server.port)
        mailed(cellar, NOW)
        cellar.execute("DROP TABLE cavecron_run")
        mailed(cellar, NOW + WEEK)
        assert server.copies() == {"marie@example.org": 2}


@pytest.mark.slow
def test_a_mail_has_one_row_in_the_applications_log_however_often_it_is_tried(cellar: CellarFile) -> None:
    """Refused for now, its row says so; accepted later, the same row says that."""
    cellar.user("marie")
    with HostileServer(Trap(Step.RCPT, reply("451 4.3.0 plus tard"), times=None)) as server:
        cellar.smtp(server.port)
        outcome = mailed(cellar, NOW)
        assert isinstance(outcome, Outcome)
        assert (outcome.temporary, len(outcome.failures)) == (True, 1)
        ((_, status, error),) = cellar.rows(LOG)
        assert status == "failed"
        assert "451 4.3.0 plus tard" in str(error)
        server.policies.clear()
        mailed(cellar, NOW + timedelta(minutes=5), again=True)
    assert cellar.rows(LOG) == [("marie@example.org", "sent", None)]


def test_mails_that_break_the_connection_hold_up_the_others_once(cellar: CellarFile) -> None:
    """Three in a row end the run; the next attempt begins with who was not tried yet."""
    names = ("anne", "bob", "carl", "dora", "eve")
    for name in names:
        cellar.user(name)
    traps = [Trap(Step.RCPT, close(), recipient=f"{name}@example.org", times=None) for name in names[:3]]
    with HostileServer(*traps) as server:
        cellar.smtp(server.port)
        assert isinstance(mailed(cellar, NOW), str)
        assert not server.accepted
        mailed(cellar, NOW + timedelta(minutes=5), again=True)
        assert set(server.copies()) == {"dora@example.org", "eve@example.org"}


@pytest.mark.parametrize("by_hand", [False, True], ids=["by itself", "by hand"])
def test_who_was_refused_for_good_is_tried_again_by_hand_only(cellar: CellarFile, *, by_hand: bool) -> None:
    """The scheduler does not repeat what cannot help; a person has corrected something."""
    cellar.user("marie")
    with HostileServer(Trap(Step.RCPT, reply("550 5.1.1 inconnue"))) as server:
        cellar.smtp(server.port)
        mailed(cellar, NOW)
        context, later = means_for(cellar), NOW + timedelta(minutes=5)
        claim = claim_resume(context.ledger, WEEKLY_REPORTS.name, later)
        carried_out(replace(claim, retry_permanent_failures=by_hand), context, later)
        assert len(server.accepted) == by_hand
    assert cellar.rows("SELECT status FROM email_log") == [("sent" if by_hand else "failed",)]


def test_a_mail_whose_fate_stays_unknown_is_told_in_the_applications_log(cellar: CellarFile) -> None:
    """Its run was killed and never taken up again: the next one writes it off."""
    user = cellar.user("marie")
    context = means_for(cellar)
    claim = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
    Deliveries(ledger=context.ledger, run=claim.run).record(now=NOW, started=[str(user)])
    finish(context.ledger, claim, RunResult(state="interrupted"), NOW)
    with HostileServer() as server:
        cellar.smtp(server.port)
        mailed(cellar, NOW + WEEK)
        assert len(server.accepted) == 1
    (lost, sent) = sorted(cellar.rows(LOG), key=lambda row: str(row[1]))
    assert lost[:2] == ("marie@example.org", "failed")
    assert "le message est peut-être arrivé" in str(lost[2])
    assert sent == ("marie@example.org", "sent", None)


def test_a_lost_lease_ends_the_mailing(cellar: CellarFile) -> None:
    """Another process has taken the run over: it records, this one must not."""
    cellar.user("marie")
    context = means_for(cellar)
    claim = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
    cellar.execute("UPDATE cavecron_run SET owner = 'somebody else'")
    with HostileServer() as server:
        cellar.smtp(server.port)
        assert "un autre processus a repris cette exécution" in str(carried_out(claim, context, NOW))
        assert not server.accepted
    assert history(context.ledger)[0].state == "running"


def test_what_is_begun_twice_is_counted_as_repeated(cellar: CellarFile) -> None:
    """The history says how many mails may have arrived twice."""
    context = means_for(cellar)
    claim = claim_manual(context.ledger, WEEKLY_REPORTS.name, (), NOW)
    deliveries = Deliveries(ledger=context.ledger, run=claim.run)
    for _ in range(3):
        deliveries.record(now=NOW, started=["1", "2"])
    deliveries.record(now=NOW, finished={"1": DeliveryUpdate(state="sent")})
    assert history(context.ledger)[0].repeats == 4


def test_a_mail_without_an_answer_goes_out_twice_at_most_however_often_the_run_is_taken_up(
    cellar: CellarFile,
) -> None:
    """Each attempt would present it again otherwise; a person who asks for it changes nothing."""
    cellar.user("marie")
    with HostileServer(Trap(Step.END, close(kept=True), times=None)) as server:
        cellar.smtp(server.port)
        mailed(cellar, NOW)
        for minutes in (1, 6, 21):
            with suppress(CavecronError):
                mailed(cellar, NOW + timedelta(minutes=minutes), again=True)
        assert server.copies() == {"marie@example.org": 2}
    ((_, status, error),) = cellar.rows(LOG)
    assert status == "failed"
    assert "peut-être arrivé" in str(error)
    assert cellar.rows("SELECT state FROM cavecron_delivery") == [("abandoned",)]


def test_a_wrong_sender_is_told_once_before_anybody_is_written_to(cellar: CellarFile) -> None:
    """It is one setting, not one failure for each user."""
    for name in ("marie", "paul"):
        cellar.user(name)
    with HostileServer() as server:
        cellar.smtp(server.port, sender_email="cave à vin")
        told = mailed(cellar, NOW)
        assert isinstance(told, str)
        assert "cave" in told
        assert server.connections == 0
