"""The ledger after a time with a wrong clock: its entries are true, and no slot is forgotten."""

from datetime import UTC, datetime

import pytest

from cavecron.errors import LeaseLostError, TemporaryError
from cavecron.ledger.catch_up import register_jobs, scan_once
from cavecron.ledger.history import history
from cavecron.ledger.models import TOO_LATE
from cavecron.ledger.runs import claim_manual, finish, renew
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
    looked,
)


def test_a_run_of_the_future_keeps_no_earlier_slot_from_running(ledger: Ledger) -> None:
    """A clock that was a year ahead at a slot had it run; once it is right, all slots until then come."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    ahead = looked(ledger, NOW + 52 * WEEK, state=WAITING).claim
    assert ahead
    finish(ledger, ahead, DONE, NOW + 52 * WEEK)
    looked(ledger, NOW - MINUTE, state=WAITING)
    claim = looked(ledger, NOW, state=WAITING).claim
    assert claim
    assert claim.slot == NOW


def test_what_ran_is_not_told_as_missed_when_it_comes_again(ledger: Ledger) -> None:
    """The clock went back over a slot that ran, and forward over it and others."""
    register_jobs(ledger, {"report": HOURLY}, NOW - HOUR / 2)
    claim = looked(ledger, NOW + HOUR, schedule=HOURLY).claim
    assert claim
    finish(ledger, claim, DONE, NOW + HOUR)
    looked(ledger, NOW - HOUR / 2, schedule=HOURLY, state=WAITING)
    found = looked(ledger, NOW + 4 * HOUR, schedule=HOURLY, state=WAITING)
    assert found.missed
    assert (found.missed.slots.first, found.missed.slots.last, found.missed.slots.count) == (
        NOW,
        NOW + 3 * HOUR,
        3,
    )
    told = [(entry.state, entry.slot, entry.slots) for entry in history(ledger)]
    assert told == [
        ("running", NOW + 4 * HOUR, 1),
        ("missed", NOW + 2 * HOUR, 2),
        ("missed", NOW, 1),
        ("succeeded", NOW + HOUR, 1),
    ]


def test_a_changed_schedule_takes_back_what_the_old_one_missed_in_the_future(ledger: Ledger) -> None:
    """Nobody can say so before its time; what was missed by now stays."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - WEEK - HOUR)
    looked(ledger, NOW + 5 * WEEK + 2 * HOUR)
    assert [entry.slots for entry in history(ledger)] == [7]
    register_jobs(ledger, {"report": HOURLY}, NOW - MINUTE)
    assert [(slot, slots) for _state, slot, slots, _reason in entries(ledger)] == [(NOW - WEEK, 1)]


@pytest.mark.parametrize("changed", [{"report": None}, {}], ids=["disabled", "not configured any more"])
def test_a_job_that_is_away_misses_nothing_in_the_future(ledger: Ledger, changed: dict[str, None]) -> None:
    """What a wrong clock said of it is taken back."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    looked(ledger, NOW + 5 * WEEK + 2 * HOUR)
    register_jobs(ledger, changed, NOW - MINUTE)
    assert entries(ledger) == []


def test_the_last_of_several_missed_slots_can_still_be_taken(ledger: Ledger) -> None:
    """Who looks once takes it out of their row."""
    register_jobs(ledger, {"report": HOURLY}, NOW - HOUR / 2)
    looked(ledger, NOW + 3 * HOUR, schedule=HOURLY, state=BUSY_BEFORE)
    claim = looked(ledger, NOW + 4 * HOUR, schedule=HOURLY).claim
    assert claim
    finish(ledger, claim, DONE, NOW + 4 * HOUR)
    looked(ledger, NOW + 2 * HOUR + MINUTE, schedule=HOURLY, state=WAITING)
    found = scan_once(another(ledger), {"report": HOURLY}, NOW + 2 * HOUR + MINUTE)["report"].claim
    assert found
    assert found.slot == NOW + 2 * HOUR
    assert ("missed", NOW, 2) in [(entry.state, entry.slot, entry.slots) for entry in history(ledger)]


def test_a_clock_that_nobody_has_set_is_not_believed(ledger: Ledger) -> None:
    """A machine without battery starts in 1970: no looking from then on, and fifty years of missed slots."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - WEEK - HOUR)
    looked(ledger, NOW - MINUTE)
    before = entries(ledger)
    for call in (lambda at: looked(ledger, at), lambda at: register_jobs(ledger, {"report": HOURLY}, at)):
        with pytest.raises(TemporaryError, match=r"l'horloge n'est pas à l'heure \(1970-01-01\) : la régler"):
            call(datetime(1970, 1, 1, tzinfo=UTC))
    assert entries(ledger) == before
    assert before[0][3] is not None
    assert before[0][3].startswith(TOO_LATE)
    assert looked(ledger, NOW, state=WAITING).claim


def test_who_is_overtaken_by_a_run_by_hand_learns_of_it(ledger: Ledger) -> None:
    """Its lease ran out in the machine's sleep: it must not go on beside the new run, nor end for it."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = looked(ledger, NOW).claim
    assert claim
    assert claim_manual(another(ledger), "report", ("marie",), NOW + 2 * HOUR)
    with pytest.raises(LeaseLostError):
        renew(ledger, claim.run, NOW + 2 * HOUR)
    assert latest(ledger).state == "running"
    assert [entry.state for entry in history(ledger)] == ["running", "interrupted"]


def test_who_looks_once_does_not_ask_after_the_time_of_a_disabled_job(ledger: Ledger) -> None:
    """Enabled again, it has missed nothing; other jobs are left alone."""
    register_jobs(ledger, {"report": MONDAYS, "other": HOURLY}, NOW - HOUR)
    scan_once(ledger, {"report": None}, NOW - MINUTE)
    found = scan_once(ledger, {"report": MONDAYS}, NOW + 3 * WEEK + 2 * HOUR)["report"]
    assert (found.claim, found.missed) == (None, None)
    assert looked(ledger, NOW, job="other", schedule=HOURLY).claim
