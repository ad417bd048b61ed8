"""Claims and leases in the ledger: which process may run, take over, retry and resume."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cavecron.errors import AlreadyRunningError, LeaseLostError, UsageError
from cavecron.ledger.catch_up import register_jobs
from cavecron.ledger.history import history
from cavecron.ledger.models import GivenUpRun, RunResult, ScanResult
from cavecron.ledger.runs import claim_manual, claim_resume, record_end, renew
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW
from tests.support.ledgers import (
    BUSY_BEFORE,
    DONE,
    HOUR,
    HOURLY,
    MINUTE,
    MONDAYS,
    SUSPECTED,
    WAITING,
    WEEK,
    another,
    entries,
    latest,
    scan_job,
)


def test_a_killed_run_is_taken_over_when_its_lease_is_over(ledger: Ledger) -> None:
    """A process that starts takes the run over at once: the same slot, and the next attempt."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    first = scan_job(ledger, NOW).claim
    assert first
    assert scan_job(another(ledger), NOW + ledger.lease / 2).busy
    resumed = scan_job(another(ledger), NOW + ledger.lease + MINUTE).claim
    assert resumed
    assert (resumed.run, resumed.slot, resumed.attempt) == (first.run, NOW, 2)


def test_a_lease_that_ran_out_in_its_owners_sleep_is_left_alone_for_a_while(ledger: Ledger) -> None:
    """A process that waited all the time gives the owner time to wake up and renew its lease."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = scan_job(ledger, NOW).claim
    assert claim
    other, late = another(ledger), NOW + 10 * MINUTE
    first = scan_job(other, late, state=WAITING)
    assert first.busy
    assert first.next_scan
    renew(ledger, claim.run, late)
    assert scan_job(other, first.next_scan, state=SUSPECTED, expired_lease=first.expired_lease).busy
    again = late + 5 * MINUTE
    second = scan_job(other, again, state=WAITING)
    assert scan_job(other, again + MINUTE, state=SUSPECTED, expired_lease=second.expired_lease).claim


def test_a_lease_from_the_future_does_not_block_a_job_for_years(ledger: Ledger) -> None:
    """Such a lease began under a wrong clock, and its owner in another container was killed."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim_manual(replace(ledger, owner="nas:1:another:2:3"), "report", (), NOW + 100 * WEEK)
    assert scan_job(another(ledger), NOW).claim


def test_a_lease_from_the_future_whose_owner_is_alive_is_left_alone_for_a_while(ledger: Ledger) -> None:
    """After the clock was set back, a living owner renews its lease in time; one that hangs loses it."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = claim_manual(ledger, "report", (), NOW + HOUR)
    other = another(ledger)
    first = scan_job(other, NOW)
    assert (first.busy, first.next_scan) == (True, NOW + 15 * timedelta(seconds=1))
    with pytest.raises(AlreadyRunningError, match="dans 121 s"):
        claim_manual(other, "report", (), NOW)
    hung = scan_job(other, NOW + MINUTE, state=SUSPECTED, expired_lease=first.expired_lease)
    assert hung.claim
    with pytest.raises(LeaseLostError):
        renew(ledger, claim.run, NOW)


def test_a_killed_run_whose_hour_is_over_is_given_up(ledger: Ledger) -> None:
    """The run is given up after an hour, and the result of the scan contains its slot."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    scan_job(ledger, NOW)
    result = scan_job(another(ledger), NOW + HOUR)
    assert (result.claim, result.given_up) == (None, (GivenUpRun(slot=NOW, killed=True),))
    assert latest(ledger).state == "interrupted"


def test_a_killed_run_by_hand_is_given_up(ledger: Ledger) -> None:
    """The next scan gives the run up, because the person who started it may be gone."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim_manual(ledger, "report", (), NOW + MINUTE)
    result = scan_job(another(ledger), NOW + 5 * HOUR)
    assert result.given_up == (GivenUpRun(slot=NOW + MINUTE, killed=True, by_hand=True),)
    assert scan_job(another(ledger), NOW + 6 * HOUR).given_up == ()


def test_a_run_by_hand_takes_the_place_of_one_that_waited(ledger: Ledger) -> None:
    """The earlier run is not given up with a notification, because a person has dealt with it."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = scan_job(ledger, NOW).claim
    assert claim
    record_end(ledger, claim, RunResult(state="interrupted", retry_at=NOW), NOW)
    by_hand = claim_manual(ledger, "report", (), NOW + 2 * HOUR)
    record_end(ledger, by_hand, RunResult(state="succeeded"), NOW + 2 * HOUR)
    assert scan_job(another(ledger), NOW + 3 * HOUR).given_up == ()


def test_a_newer_slot_takes_the_place_of_a_killed_run(ledger: Ledger) -> None:
    """The latest slot runs, and the killed run of the earlier one is given up."""
    register_jobs(ledger, {"report": HOURLY}, NOW - HOUR / 2)
    scan_job(ledger, NOW, schedule=HOURLY)
    result = scan_job(another(ledger), NOW + HOUR, schedule=HOURLY)
    assert result.claim
    assert (result.claim.slot, result.given_up) == (NOW + HOUR, (GivenUpRun(slot=NOW, killed=True),))
    assert [entry.state for entry in history(ledger)] == ["running", "interrupted"]


def test_a_process_that_lost_its_lease_can_record_nothing(ledger: Ledger) -> None:
    """The former owner can neither renew the lease nor record an end over the new owner's."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = scan_job(ledger, NOW).claim
    assert claim
    assert scan_job(another(ledger), NOW + 5 * MINUTE).claim
    with pytest.raises(LeaseLostError):
        renew(ledger, claim.run, NOW + 5 * MINUTE)
    with pytest.raises(LeaseLostError):
        record_end(ledger, claim, DONE, NOW + 6 * MINUTE)
    assert latest(ledger).state == "running"


def test_a_failed_run_is_tried_again_when_it_is_time(ledger: Ledger) -> None:
    """The scan before that time returns it as the next scan; the scan at that time claims the run."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = scan_job(ledger, NOW).claim
    assert claim
    failure = RunResult(state="failed", reason="refus passager", retry_at=NOW + 5 * MINUTE)
    record_end(ledger, claim, failure, NOW + MINUTE)
    assert scan_job(ledger, NOW + 2 * MINUTE, state=WAITING).next_scan == NOW + 5 * MINUTE
    retried = scan_job(ledger, NOW + 5 * MINUTE, state=WAITING).claim
    assert retried
    assert (retried.attempt, retried.failures) == (2, 1)


def test_a_call_by_another_scheduler_does_not_wait_for_the_retry(ledger: Ledger) -> None:
    """A run by another scheduler's call counts as the next attempt, before the planned retry."""
    claim = scan_job(ledger, NOW, eager=True).claim
    assert claim
    record_end(ledger, claim, RunResult(state="failed", retry_at=NOW + 5 * MINUTE), NOW)
    assert scan_job(another(ledger), NOW + MINUTE, eager=True).claim


def test_a_retry_whose_hour_is_over_is_forgotten(ledger: Ledger) -> None:
    """The run stays failed, and one scan returns it as given up."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = scan_job(ledger, NOW).claim
    assert claim
    record_end(ledger, claim, RunResult(state="failed", reason="non", retry_at=NOW + 5 * MINUTE), NOW)
    given_up = GivenUpRun(slot=NOW, killed=False)
    assert scan_job(another(ledger), NOW + 2 * HOUR) == ScanResult(given_up=(given_up,))
    assert scan_job(another(ledger), NOW + 3 * HOUR) == ScanResult()
    assert (latest(ledger).state, latest(ledger).retry_at) == ("failed", None)


def test_a_single_scan_claims_the_latest_slot_of_the_hour(ledger: Ledger) -> None:
    """A single scan claims the latest slot of the last hour; an older slot is not recorded as missed."""
    assert scan_job(ledger, NOW + 2 * HOUR, eager=True) == ScanResult()
    assert entries(ledger) == []
    assert scan_job(ledger, NOW + WEEK + MINUTE, eager=True).claim


def test_a_second_run_by_hand_is_refused(ledger: Ledger) -> None:
    """The error names the owner and the seconds until its lease expires."""
    claim_manual(ledger, "report", (), NOW)
    with pytest.raises(AlreadyRunningError, match=r"report est déjà en cours .+ dans 60 s"):
        claim_manual(another(ledger), "report", (), NOW + timedelta(seconds=1))
    assert claim_manual(another(ledger), "autre", (), NOW)


def test_a_run_by_hand_keeps_the_slot_waiting(ledger: Ledger) -> None:
    """The slot runs late, after the end of the run by hand."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    by_hand = claim_manual(ledger, "report", (), NOW - MINUTE)
    assert scan_job(ledger, NOW, state=WAITING).busy
    record_end(ledger, by_hand, DONE, NOW + MINUTE)
    result = scan_job(ledger, NOW + MINUTE, state=BUSY_BEFORE)
    assert result.claim
    assert (result.claim.slot, result.claim.trigger) == (NOW, "replay")


def test_a_run_is_resumed_by_hand_with_its_users(ledger: Ledger) -> None:
    """The run is resumed however old it is, and permanent failures are retried."""
    first = claim_manual(ledger, "report", ("marie", "l'\nautre"), NOW)
    record_end(ledger, first, RunResult(state="interrupted"), NOW)
    again = claim_resume(another(ledger), "report", NOW + WEEK)
    assert (again.run, again.slot, again.users) == (first.run, NOW, ("marie", "l'\nautre"))
    assert again.retry_permanent_failures


@pytest.mark.parametrize("runs", [False, True], ids=["no run", "a run that succeeded"])
def test_there_may_be_nothing_to_resume(ledger: Ledger, *, runs: bool) -> None:
    """With nothing to resume, the error is one of usage."""
    if runs:
        record_end(ledger, claim_manual(ledger, "report", (), NOW), DONE, NOW)
    with pytest.raises(UsageError, match="rien à reprendre"):
        claim_resume(ledger, "report", NOW)
