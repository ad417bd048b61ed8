"""A cleanup by a clock that is far ahead deletes nothing, unless a person asks for it."""

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cavecron.database.timestamps import utc_text
from cavecron.errors import CavecronError
from cavecron.jobs.builtin import CLEANUP
from cavecron.jobs.clock_guard import require_plausible_clock
from cavecron.jobs.context import Outcome
from cavecron.jobs.loader import load_for
from cavecron.ledger.history import history
from cavecron.ledger.models import Claim, RunResult
from cavecron.ledger.runs import claim_manual, claim_resume, claim_slot, finish
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock
from tests.support.log_rows import add, left

DAY = timedelta(days=1)
FAR = NOW + 3_000 * DAY
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    "known",
    [(), (None,), (NOW - 400 * DAY,), (NOW - 900 * DAY, NOW - DAY), (NOW + DAY,), (NOW,)],
    ids=["nothing", "no instant", "400 days", "one is newer", "only later ones", "now"],
)
def test_a_plausible_clock_passes(known: tuple[datetime | None, ...]) -> None:
    """A new installation too, and one whose rows are all dated later."""
    require_plausible_clock(NOW, known, PARIS)


@pytest.mark.parametrize(
    "known",
    [(NOW - 400 * DAY - timedelta(microseconds=1),), (None, NOW - 500 * DAY), (NOW + DAY, NOW - 500 * DAY)],
    ids=["a microsecond more", "one of two", "a later one is no witness"],
)
def test_a_clock_far_ahead_is_refused(known: tuple[datetime | None, ...]) -> None:
    """For good: trying again changes nothing."""
    with pytest.raises(CavecronError, match="horloge en avance") as caught:
        require_plausible_clock(NOW, known, PARIS)
    assert not caught.value.temporary


def test_the_message_names_both_instants_and_the_way_out() -> None:
    """In local time."""
    with pytest.raises(CavecronError) as caught:
        require_plausible_clock(NOW, [NOW - 730 * DAY], PARIS)
    for part in ("23 novembre 2026 à 08:00", "23 novembre 2024 à 08:00", "cavecron run cleanup"):
        assert part in str(caught.value)


def means_for(cellar: CellarFile) -> RunContext:
    """Return what a process runs jobs with."""
    return system_context(load_for([CLEANUP], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))


def carried_out(context: RunContext, claim: Claim, now: datetime) -> Outcome | str:
    """Execute a claimed cleanup while the clock says `now`; return its outcome, or what ended it."""
    work = execute_run(claim, CLEANUP, context, stop=StopSignal(), options=Options())
    with wall_clock(now):
        try:
            return asyncio.run(work)
        except CavecronError as error:
            return str(error)


def by_scheduler(cellar: CellarFile, now: datetime) -> Outcome | str:
    """Clean up for the slot `now`."""
    context = means_for(cellar)
    with context.ledger.writing() as connection:
        claim = claim_slot(connection, context.ledger, Claim(job="cleanup", slot=now, trigger="slot"), now)
    return carried_out(context, claim, now)


def by_hand(cellar: CellarFile, now: datetime) -> Outcome | str:
    """Clean up as a person asks for it."""
    context = means_for(cellar)
    return carried_out(context, claim_manual(context.ledger, "cleanup", (), now), now)


def test_the_scheduler_deletes_nothing_by_a_clock_far_ahead(cellar: CellarFile) -> None:
    """Week after week: that it ran and refused is no witness; the history says why."""
    add(cellar, "activity_log", utc_text(NOW))
    for week in range(3):
        assert "horloge en avance" in str(by_scheduler(cellar, FAR + week * 7 * DAY))
    assert left(cellar, "activity_log") == [1]
    for entry in history(Ledger(database=cellar.database)):
        assert (entry.state, entry.retry_at) == ("failed", None)
        assert "horloge en avance" in str(entry.reason)


def test_other_jobs_by_the_same_clock_are_no_witnesses(cellar: CellarFile) -> None:
    """A backup just before the cleanup has the same clock."""
    add(cellar, "activity_log", utc_text(NOW))
    context = means_for(cellar)
    claim = claim_manual(context.ledger, "backup", (), FAR)
    finish(context.ledger, claim, RunResult(state="succeeded"), FAR)
    assert "horloge en avance" in str(by_scheduler(cellar, FAR))


@pytest.mark.parametrize("later", [timedelta(minutes=5), 2 * DAY], ids=["at once", "days later"])
def test_a_person_cleans_up_all_the_same(cellar: CellarFile, later: timedelta) -> None:
    """Also within the hour, when the failed run of the slot is taken up; then the clock is trusted."""
    add(cellar, "activity_log", utc_text(NOW))
    by_scheduler(cellar, FAR)
    assert isinstance(by_hand(cellar, FAR + later), Outcome)
    assert left(cellar, "activity_log") == []
    add(cellar, "activity_log", utc_text(NOW))
    assert isinstance(by_scheduler(cellar, FAR + 7 * DAY), Outcome)


def test_it_heals_once_anything_newer_is_written(cellar: CellarFile) -> None:
    """The house was away for years, and somebody logs in."""
    add(cellar, "activity_log", utc_text(NOW))
    by_scheduler(cellar, FAR)
    add(cellar, "activity_log", utc_text(FAR + DAY))
    assert isinstance(by_scheduler(cellar, FAR + 7 * DAY), Outcome)
    assert left(cellar, "activity_log") == [2]


def test_cleanups_that_succeeded_are_witnesses(cellar: CellarFile) -> None:
    """An application that nobody uses is cleaned for ever."""
    add(cellar, "activity_log", "hier")
    add(cellar, "activity_log", utc_text(NOW))
    for day in (1, 300, 600, 900):
        assert isinstance(by_scheduler(cellar, NOW + day * DAY), Outcome)
    assert left(cellar, "activity_log") == [1]


def test_a_row_dated_ahead_neither_disarms_nor_blocks(cellar: CellarFile) -> None:
    """By the right clock it is no witness, and the others still are."""
    add(cellar, "activity_log", utc_text(NOW))
    add(cellar, "activity_log", utc_text(FAR + 9_000 * DAY))
    assert isinstance(by_scheduler(cellar, NOW + DAY), Outcome)
    assert "horloge en avance" in str(by_scheduler(cellar, FAR))


def test_a_refused_run_that_is_resumed_by_the_right_clock_deletes_by_that(cellar: CellarFile) -> None:
    """Its slot lies years ahead, and would make every row an old one."""
    add(cellar, "activity_log", utc_text(NOW))
    by_scheduler(cellar, FAR)
    context = means_for(cellar)
    claim = claim_resume(context.ledger, "cleanup", NOW + DAY)
    assert isinstance(carried_out(context, claim, NOW + DAY), Outcome)
    assert left(cellar, "activity_log") == [1]
