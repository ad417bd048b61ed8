"""The order of runs is that of the rows in the ledger, because clocks can be wrong."""

from datetime import datetime, timedelta

import pytest

from cavecron.ledger.deliveries import Deliveries, DeliveryUpdate
from cavecron.ledger.history import history
from cavecron.ledger.models import RunResult
from cavecron.ledger.runs import claim_manual, claim_resume, record_end
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW
from tests.support.ledgers import DONE, HOUR, MINUTE, another

IN_2031 = datetime(2031, 6, 2, 6, tzinfo=NOW.tzinfo)
INTERRUPTED = RunResult(state="interrupted", reason="arrêt demandé")


@pytest.mark.parametrize(
    "success",
    [pytest.param(NOW + 2 * MINUTE, id="two minutes ahead"), pytest.param(IN_2031, id="years ahead")],
)
def test_a_success_in_the_future_hides_no_later_interrupted_run(ledger: Ledger, success: datetime) -> None:
    """A person who starts the reports again after an accident resumes the run, and nobody gets two mails."""
    record_end(ledger, claim_manual(ledger, "report", (), success), DONE, success)
    interrupted = claim_manual(ledger, "report", (), NOW)
    assert interrupted.attempt == 1
    record_end(ledger, interrupted, INTERRUPTED, NOW + MINUTE)
    again = claim_manual(another(ledger), "report", (), NOW + 2 * MINUTE)
    assert (again.run, again.slot, again.attempt) == (interrupted.run, NOW, 2)


def test_a_run_of_before_a_success_in_the_future_can_be_resumed(ledger: Ledger) -> None:
    """`--resume` resumes the run although a run of 2031 succeeded."""
    record_end(ledger, claim_manual(ledger, "report", (), IN_2031), DONE, IN_2031)
    interrupted = claim_manual(ledger, "report", (), NOW)
    record_end(ledger, interrupted, INTERRUPTED, NOW)
    assert claim_resume(ledger, "report", NOW + 3 * HOUR).run == interrupted.run


@pytest.mark.parametrize(
    ("ahead", "same"),
    [
        pytest.param(2 * MINUTE, True, id="two minutes"),
        pytest.param(HOUR - timedelta.resolution, True, id="less than an hour"),
        pytest.param(HOUR, False, id="an hour"),
        pytest.param(1700 * 24 * HOUR, False, id="years"),
    ],
)
def test_a_run_that_was_cut_off_under_a_clock_ahead_is_resumed(
    ledger: Ledger, ahead: timedelta, *, same: bool
) -> None:
    """A run in the future is resumed if its slot is less than an hour ahead, else a new run starts."""
    interrupted = claim_manual(ledger, "report", (), NOW + ahead)
    record_end(ledger, interrupted, INTERRUPTED, NOW + ahead)
    assert (claim_manual(ledger, "report", (), NOW).run == interrupted.run) is same


def test_history_lists_the_newest_row_first(ledger: Ledger) -> None:
    """The newest row comes first, so that a run of 2031 is not on top for years."""
    for at in (NOW, IN_2031, NOW + MINUTE):
        record_end(ledger, claim_manual(ledger, "report", (), at), DONE, at)
    assert [entry.slot for entry in history(ledger)] == [NOW + MINUTE, IN_2031, NOW]
    assert [entry.slot for entry in history(ledger, job="report", most=1)] == [NOW + MINUTE]


@pytest.mark.parametrize(
    ("slot", "closed"),
    [
        pytest.param(NOW - 2 * HOUR, True, id="it cannot be resumed any more"),
        pytest.param(NOW - MINUTE, False, id="it can be resumed"),
        pytest.param(NOW + MINUTE, False, id="it can be resumed, its clock was ahead"),
        pytest.param(IN_2031, True, id="its clock was years ahead"),
    ],
)
def test_a_mail_in_doubt_is_closed_by_a_later_run(ledger: Ledger, slot: datetime, *, closed: bool) -> None:
    """The mail is closed unless its run can still be resumed, which would send it with its Message-ID."""
    interrupted = claim_manual(ledger, "report", ("marie",), slot)
    Deliveries(ledger=ledger, run=interrupted.run).record(now=slot, started=["1"])
    record_end(ledger, interrupted, INTERRUPTED, slot)
    later = Deliveries(ledger=ledger, run=claim_manual(ledger, "report", ("paul",), NOW).run)
    in_flight = later.in_flight_of_dead_runs(before=NOW - HOUR)
    assert in_flight == ([(interrupted.run, "1")] if closed else [])
    for run, recipient in in_flight:
        later.close_abandoned(run, recipient, DeliveryUpdate(state="failed", error="inconnu"), now=NOW)
    assert later.in_flight_of_dead_runs(before=NOW - HOUR) == []


def test_an_earlier_run_closes_no_mail_of_a_later_one(ledger: Ledger) -> None:
    """Which of two runs is later is decided by their rows, not by their slots."""
    first = claim_manual(ledger, "report", ("marie",), NOW)
    record_end(ledger, first, INTERRUPTED, NOW)
    second = claim_manual(ledger, "report", ("paul",), NOW - 3 * HOUR)
    Deliveries(ledger=ledger, run=second.run).record(now=NOW, started=["2"])
    record_end(ledger, second, INTERRUPTED, NOW)
    earlier = Deliveries(ledger=ledger, run=first.run)
    assert earlier.in_flight_of_dead_runs(before=NOW - HOUR) == []
