"""Scans on a real file: missed slots, claims, and tables that somebody changed."""

from datetime import datetime, timedelta

import pytest

from cavecron.ledger.catch_up import register_jobs
from cavecron.ledger.history import history
from cavecron.ledger.models import BUSY, REPLACED, ScanResult
from cavecron.ledger.overdue import overdue
from cavecron.ledger.runs import claim_manual, record_end
from cavecron.ledger.states import CursorState
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import LedgerError
from cavecron.schedule import parse
from tests.support.app_database import NOW, CellarFile
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


def test_a_job_seen_for_the_first_time_missed_nothing(ledger: Ledger) -> None:
    """The slots of a new job count from now on, even if one passed half an hour ago."""
    assert scan_job(ledger, NOW + HOUR / 2) == ScanResult()
    assert entries(ledger) == []


@pytest.mark.parametrize(
    ("late", "state"),
    [
        pytest.param(timedelta(), "running", id="at once"),
        pytest.param(HOUR - timedelta.resolution, "running", id="just within the hour"),
        pytest.param(HOUR, "missed", id="an hour late"),
        pytest.param(2 * WEEK / 7, "missed", id="days late"),
    ],
)
def test_a_slot_less_than_an_hour_late_runs(ledger: Ledger, late: timedelta, state: str) -> None:
    """A slot less than an hour late runs; an older one is recorded as missed, once."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    result = scan_job(ledger, NOW + late)
    assert (latest(ledger).state, latest(ledger).slot) == (state, NOW)
    assert (result.claim is not None) == (state == "running")
    assert scan_job(ledger, NOW + late + MINUTE, state=WAITING).missed is None
    assert len(history(ledger)) == 1


def test_a_years_absence_is_one_row(ledger: Ledger) -> None:
    """The row has the first slot, the last one and their number; the latest slot is not too late and runs."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - 52 * WEEK)
    result = scan_job(ledger, NOW + MINUTE)
    assert result.claim
    assert result.claim.trigger == "replay"
    assert entries(ledger) == [("running", NOW, 1, None), ("missed", NOW - 51 * WEEK, 51, REPLACED)]
    assert history(ledger)[1].last_slot == NOW - WEEK


@pytest.mark.parametrize(
    ("waiting_since", "late", "trigger"),
    [
        pytest.param(NOW - MINUTE, timedelta(seconds=1), "slot", id="it waited for the slot"),
        pytest.param(NOW - MINUTE, 2 * MINUTE, "replay", id="it waited, but the machine slept"),
        pytest.param(None, timedelta(seconds=1), "replay", id="it started after the slot"),
    ],
)
def test_a_slot_that_no_process_waited_for_is_a_replay(
    ledger: Ledger, waiting_since: datetime | None, late: timedelta, trigger: str
) -> None:
    """The trigger distinguishes a slot that runs on time from one that runs late."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    state = WAITING if waiting_since else CursorState.FIRST_SCAN
    result = scan_job(ledger, NOW + late, state=state, accounted_until=waiting_since)
    assert result.claim
    assert result.claim.trigger == trigger


def test_a_changed_schedule_has_missed_nothing(ledger: Ledger) -> None:
    """A slot of the new schedule before the change was never planned, so it cannot be missed."""
    register_jobs(ledger, {"report": parse("0 7 * * *", MONDAYS.zone)}, NOW - 3 * HOUR)
    register_jobs(ledger, {"report": MONDAYS}, NOW + 10 * MINUTE)
    assert scan_job(ledger, NOW + 11 * MINUTE) == ScanResult()


@pytest.mark.parametrize("schedules", [{"report": None}, {}], ids=["disabled", "not configured any more"])
def test_a_job_that_was_away_has_missed_nothing(ledger: Ledger, schedules: dict[str, None]) -> None:
    """Slots do not count while the job is disabled or left out of CAVECRON_JOBS."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    register_jobs(ledger, schedules, NOW - MINUTE)
    register_jobs(ledger, {"report": MONDAYS}, NOW + MINUTE)
    assert scan_job(ledger, NOW + 2 * MINUTE) == ScanResult()


def test_of_two_processes_one_claims(ledger: Ledger) -> None:
    """The other process gets no claim, and the instant at which the lease expires."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    assert scan_job(ledger, NOW).claim
    result = scan_job(another(ledger), NOW)
    assert (result.claim, result.busy, result.next_scan) == (None, True, NOW + ledger.lease)


def test_a_slot_that_ran_never_runs_again(ledger: Ledger) -> None:
    """A slot that ran does not run again after a restart, nor after the clock is set back."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim = scan_job(ledger, NOW).claim
    assert claim
    record_end(ledger, claim, DONE, NOW + MINUTE)
    assert scan_job(another(ledger), NOW - MINUTE).claim is None
    assert scan_job(another(ledger), NOW + MINUTE).claim is None
    assert scan_job(another(ledger), NOW + MINUTE, eager=True).claim is None


def test_missed_slots_in_the_future_are_retracted(ledger: Ledger) -> None:
    """Slots that a clock years ahead counted as missed are planned again once the clock is right."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    scan_job(ledger, NOW + 5 * WEEK + 2 * HOUR)
    assert [entry.slots for entry in history(ledger)] == [6]
    scan_job(ledger, NOW + WEEK + 2 * HOUR, state=WAITING)
    assert entries(ledger)[0][1:3] == (NOW, 2)
    assert scan_job(ledger, NOW + 2 * WEEK, state=WAITING).claim


def test_slots_during_a_run_are_missed_because_of_it(ledger: Ledger) -> None:
    """Slots that passed while the previous run was executed are missed with that reason."""
    register_jobs(ledger, {"report": HOURLY}, NOW - HOUR / 2)
    claim = scan_job(ledger, NOW, schedule=HOURLY).claim
    assert claim
    end = NOW + 3 * HOUR + MINUTE
    record_end(ledger, claim, DONE, end)
    result = scan_job(ledger, end, schedule=HOURLY, accounted_until=NOW, state=BUSY_BEFORE)
    assert result.claim
    assert result.claim.slot == NOW + 3 * HOUR
    assert result.missed
    assert (result.missed.slots.count, result.missed.reason) == (2, BUSY)


def test_a_ledger_of_a_later_version_is_refused(ledger: Ledger, cellar: CellarFile) -> None:
    """The rows of a later version may mean something else, so the ledger is not used."""
    register_jobs(ledger, {"report": MONDAYS}, NOW)
    cellar.execute("UPDATE cavecron_ledger SET version = 2")
    with pytest.raises(LedgerError, match=r"cavecron plus récent \(version 2, celui-ci connaît la 1\)"):
        scan_job(ledger, NOW)
    with pytest.raises(LedgerError, match="mettre cavecron à jour"):
        overdue(ledger, {"report": MONDAYS}, NOW)


@pytest.mark.parametrize("table", ["cavecron_run", "cavecron_job", "cavecron_delivery", "cavecron_ledger"])
def test_a_table_that_somebody_dropped_is_made_again(ledger: Ledger, cellar: CellarFile, table: str) -> None:
    """The content of the table is lost, but the next slot runs."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    cellar.execute(f"DROP TABLE {table}")
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    assert scan_job(ledger, NOW).claim


def test_a_table_that_somebody_edited_is_named(ledger: Ledger, cellar: CellarFile) -> None:
    """The error names the table and says what to do."""
    register_jobs(ledger, {"report": MONDAYS}, NOW)
    cellar.execute("ALTER TABLE cavecron_run RENAME COLUMN slot TO creneau")
    with pytest.raises(LedgerError, match=r"la table cavecron_run n'a pas la forme attendue .*DROP TABLE"):
        scan_job(ledger, NOW)


@pytest.mark.parametrize(
    ("since", "after", "overdue_jobs"),
    [
        pytest.param(None, HOUR, 1, id="never registered"),
        pytest.param(-HOUR, MINUTE, 0, id="a minute after the slot"),
        pytest.param(-HOUR, 3 * MINUTE, 1, id="three minutes after the slot"),
        pytest.param(MINUTE, 3 * MINUTE, 0, id="registered after the slot"),
    ],
)
def test_health_knows_what_is_overdue(
    ledger: Ledger, since: timedelta | None, after: timedelta, overdue_jobs: int
) -> None:
    """A job is overdue if its latest slot older than two minutes is not accounted for."""
    if since is not None:
        register_jobs(ledger, {"report": MONDAYS}, NOW + since)
    assert len(overdue(ledger, {"report": MONDAYS}, NOW + after)) == overdue_jobs


def test_a_job_that_runs_is_not_overdue(ledger: Ledger) -> None:
    """Its slots wait for the end of the run, unless the lease of the run expires."""
    register_jobs(ledger, {"report": MONDAYS}, NOW - HOUR)
    claim_manual(ledger, "report", (), NOW + 2 * MINUTE)
    assert not overdue(ledger, {"report": MONDAYS}, NOW + 3 * MINUTE - timedelta(seconds=1))
    assert overdue(ledger, {"report": MONDAYS}, NOW + 5 * MINUTE)


def test_a_scan_writes_nothing_while_no_slot_passes(ledger: Ledger, cellar: CellarFile) -> None:
    """A scan without a new slot, a registration, `overdue` and `history` do not change a byte of the file."""
    register_jobs(ledger, {"report": MONDAYS}, NOW)
    before = cellar.path.read_bytes()
    scan_job(ledger, NOW + HOUR, state=WAITING)
    register_jobs(ledger, {"report": MONDAYS}, NOW + HOUR)
    overdue(ledger, {"report": MONDAYS}, NOW + HOUR)
    history(ledger)
    assert cellar.path.read_bytes() == before
