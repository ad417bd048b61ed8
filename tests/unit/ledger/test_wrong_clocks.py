"""The ledger after a time with a wrong clock: its entries are correct, and no slot is lost."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cavecron.errors import LeaseLostError, TemporaryError
from cavecron.ledger.catch_up import register_jobs, scan_once
from cavecron.ledger.history import history
from cavecron.ledger.models import TOO_LATE
from cavecron.ledger.overdue import overdue
from cavecron.ledger.runs import claim_manual, record_end, renew
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW
from tests.support.ledgers import (
    BUSY_BEFORE,
    DONE,
    HOUR,
    HOURLY,
    MINUTE,
    MONDAYS,
    WAITING,
    WEEK,
    another,
    entries,
    latest,
    scan_job,
)


def test_a_run_of_the_future_keeps_no_earlier_slot_from_running(ledger: Ledger) -> None:
    """A slot a year ahead ran under a wrong clock; once the clock is right, all slots until then run."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    ahead = scan_job(ledger, NOW + 52 * WEEK, state=WAITING).claim
    assert ahead
    record_end(ledger, ahead, DONE, NOW + 52 * WEEK)
    scan_job(ledger, NOW - MINUTE, state=WAITING)
    claim = scan_job(ledger, NOW, state=WAITING).claim
    assert claim
    assert claim.slot == NOW


def test_a_slot_that_ran_is_not_missed_when_it_comes_again(ledger: Ledger) -> None:
    """The clock went back before a slot that ran, and forward again: only the other slots are missed."""
    register_jobs(ledger, {"report": HOURLY}, NOW - HOUR / 2)
    claim = scan_job(ledger, NOW + HOUR, schedule=HOURLY).claim
    assert claim
    record_end(ledger, claim, DONE, NOW + HOUR)
    scan_job(ledger, NOW - HOUR / 2, schedule=HOURLY, state=WAITING)
    result = scan_job(ledger, NOW + 4 * HOUR, schedule=HOURLY, state=WAITING)
    assert result.missed
    assert (result.missed.slots.first, result.missed.slots.last, result.missed.slots.count) == (
        NOW,
        NOW + 3 * HOUR,
        3,
    )
    rows = [(entry.state, entry.slot, entry.slots) for entry in history(ledger)]
    assert rows == [
        ("running", NOW + 4 * HOUR, 1),
        ("missed", NOW + 2 * HOUR, 2),
        ("missed", NOW, 1),
        ("succeeded", NOW + HOUR, 1),
    ]


def test_a_changed_schedule_retracts_missed_slots_in_the_future(ledger: Ledger) -> None:
    """Missed slots of the old schedule in the future are deleted; those until now stay."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - WEEK - HOUR)
    scan_job(ledger, NOW + 5 * WEEK + 2 * HOUR)
    assert [entry.slots for entry in history(ledger)] == [7]
    register_jobs(ledger, {"report": HOURLY}, NOW - MINUTE)
    assert [(slot, slots) for _state, slot, slots, _reason in entries(ledger)] == [(NOW - WEEK, 1)]


@pytest.mark.parametrize("changed", [{"report": None}, {}], ids=["disabled", "not configured any more"])
def test_a_disabled_job_misses_nothing_in_the_future(ledger: Ledger, changed: dict[str, None]) -> None:
    """Slots in the future that a wrong clock recorded as missed are deleted when the job is disabled."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    scan_job(ledger, NOW + 5 * WEEK + 2 * HOUR)
    register_jobs(ledger, changed, NOW - MINUTE)
    assert entries(ledger) == []


def test_the_last_of_several_missed_slots_can_still_be_claimed(ledger: Ledger) -> None:
    """A single scan claims the last slot of a row of missed slots, and shortens that row."""
    register_jobs(ledger, {"report": HOURLY}, NOW - HOUR / 2)
    scan_job(ledger, NOW + 3 * HOUR, schedule=HOURLY, state=BUSY_BEFORE)
    claim = scan_job(ledger, NOW + 4 * HOUR, schedule=HOURLY).claim
    assert claim
    record_end(ledger, claim, DONE, NOW + 4 * HOUR)
    scan_job(ledger, NOW + 2 * HOUR + MINUTE, schedule=HOURLY, state=WAITING)
    result = scan_once(another(ledger), {"report": HOURLY}, NOW + 2 * HOUR + MINUTE)["report"].claim
    assert result
    assert result.slot == NOW + 2 * HOUR
    assert ("missed", NOW, 2) in [(entry.state, entry.slot, entry.slots) for entry in history(ledger)]


def test_a_lease_of_the_future_hides_no_overdue_slot(ledger: Ledger) -> None:
    """A run on another machine was cut off under a clock ahead: its lease does not count for a year."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim_manual(replace(ledger, owner="nas:17:boot:1:token"), "report", (), NOW + 52 * WEEK)
    assert overdue(ledger, {"report": MONDAYS}, NOW + 3 * MINUTE)


def test_a_clock_that_was_never_set_is_refused(ledger: Ledger) -> None:
    """A clock of 1970 (a machine without a battery) is refused, so that no slots count as missed later."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - WEEK - HOUR)
    scan_job(ledger, NOW - MINUTE)
    before = entries(ledger)
    for call in (lambda at: scan_job(ledger, at), lambda at: register_jobs(ledger, {"report": HOURLY}, at)):
        with pytest.raises(TemporaryError, match=r"l'horloge n'est pas à l'heure \(1970-01-01\) : la régler"):
            call(datetime(1970, 1, 1, tzinfo=UTC))
    assert entries(ledger) == before
    assert before[0][3] is not None
    assert before[0][3].startswith(TOO_LATE)
    assert scan_job(ledger, NOW, state=WAITING).claim


def test_a_process_that_slept_loses_its_run_to_a_run_by_hand(ledger: Ledger) -> None:
    """A process whose lease expired while it slept can record nothing beside the new run by hand."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = scan_job(ledger, NOW).claim
    assert claim
    assert claim_manual(another(ledger), "report", ("marie",), NOW + 2 * HOUR)
    with pytest.raises(LeaseLostError):
        renew(ledger, claim.run, NOW + 2 * HOUR)
    assert latest(ledger).state == "running"
    assert [entry.state for entry in history(ledger)] == ["running", "interrupted"]


def test_a_single_scan_ignores_the_time_when_a_job_was_disabled(ledger: Ledger) -> None:
    """A job that is enabled again has missed nothing, and a single scan does not change other jobs."""
    register_jobs(ledger, {"report": MONDAYS, "other": HOURLY}, NOW - HOUR)
    scan_once(ledger, {"report": None}, NOW - MINUTE)
    result = scan_once(ledger, {"report": MONDAYS}, NOW + 3 * WEEK + 2 * HOUR)["report"]
    assert (result.claim, result.missed) == (None, None)
    assert scan_job(ledger, NOW, job="other", schedule=HOURLY).claim
