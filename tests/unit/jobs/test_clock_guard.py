"""The cleanup deletes nothing if its clock is far ahead, unless a person starts it."""

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
from cavecron.ledger.runs import claim_manual, claim_resume, claim_slot, record_end
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock
from tests.support.log_rows import add, left

DAY = timedelta(days=1)
FAR = NOW + 3_000 * DAY
PARIS = ZoneInfo("Europe/Paris")


def is_accepted(now: datetime, known: tuple[datetime | None, ...]) -> bool:
    """Return whether the clock `now` is plausible beside the known instants."""
    try:
        require_plausible_clock(now, known, PARIS)
    except CavecronError:
        return False
    return True


@pytest.mark.parametrize(
    "known",
    [(), (None,), (NOW - 400 * DAY,), (NOW - 900 * DAY, NOW - DAY), (NOW + DAY,), (NOW,)],
    ids=["nothing", "no instant", "400 days", "one of yesterday", "only later ones", "now"],
)
def test_a_plausible_clock_passes(known: tuple[datetime | None, ...]) -> None:
    """A clock is accepted if a row is recent, if there are no rows, or if all rows are later."""
    assert is_accepted(NOW, known)


@pytest.mark.parametrize(
    "known",
    [(NOW - 400 * DAY - timedelta(microseconds=1),), (None, NOW - 500 * DAY), (NOW + DAY, NOW - 500 * DAY)],
    ids=["400 days and a microsecond", "one of two", "a later one does not count"],
)
def test_a_clock_far_ahead_is_refused(known: tuple[datetime | None, ...]) -> None:
    """A clock 400 days after all other instants is refused with an error that is not temporary."""
    with pytest.raises(CavecronError, match="horloge en avance") as caught:
        require_plausible_clock(NOW, known, PARIS)
    assert not caught.value.temporary


def test_the_message_names_both_instants_and_the_way_out() -> None:
    """The message has both instants in local time and the command that cleans up all the same."""
    with pytest.raises(CavecronError) as caught:
        require_plausible_clock(NOW, [NOW - 730 * DAY], PARIS)
    for part in ("23 novembre 2026 à 08:00", "23 novembre 2024 à 08:00", "cavecron run cleanup"):
        assert part in str(caught.value)


def run_context(cellar: CellarFile) -> RunContext:
    """Return the context of a process with the job `cleanup`."""
    return system_context(load_for([CLEANUP], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))


def execute(context: RunContext, claim: Claim, now: datetime) -> Outcome | str:
    """Execute a claimed cleanup while the clock says `now`; return its outcome or its error message."""
    work = execute_run(claim, CLEANUP, context, stop=StopSignal(), options=Options())
    with wall_clock(now):
        try:
            return asyncio.run(work)
        except CavecronError as error:
            return str(error)


def clean_up_for_slot(cellar: CellarFile, now: datetime) -> Outcome | str:
    """Claim the slot `now` as the scheduler does, and execute the cleanup."""
    context = run_context(cellar)
    with context.ledger.writing() as connection:
        claim = claim_slot(connection, context.ledger, Claim(job="cleanup", slot=now, trigger="slot"), now)
    return execute(context, claim, now)


def clean_up_by_hand(cellar: CellarFile, now: datetime) -> Outcome | str:
    """Execute the cleanup as a person starts it."""
    context = run_context(cellar)
    return execute(context, claim_manual(context.ledger, "cleanup", (), now), now)


def test_the_scheduler_deletes_nothing_by_a_clock_far_ahead(cellar: CellarFile) -> None:
    """Several refused cleanups do not make the clock plausible, and the history contains the reason."""
    add(cellar, "activity_log", utc_text(NOW))
    for week in range(3):
        assert "horloge en avance" in str(clean_up_for_slot(cellar, FAR + week * 7 * DAY))
    assert left(cellar, "activity_log") == [1]
    for entry in history(Ledger(database=cellar.database)):
        assert (entry.state, entry.retry_at) == ("failed", None)
        assert "horloge en avance" in str(entry.reason)


def test_other_jobs_under_the_same_clock_do_not_make_it_plausible(cellar: CellarFile) -> None:
    """A run of another job under the same clock does not make the clock plausible."""
    add(cellar, "activity_log", utc_text(NOW))
    context = run_context(cellar)
    claim = claim_manual(context.ledger, "backup", (), FAR)
    record_end(context.ledger, claim, RunResult(state="succeeded"), FAR)
    assert "horloge en avance" in str(clean_up_for_slot(cellar, FAR))


@pytest.mark.parametrize("later", [timedelta(minutes=5), 2 * DAY], ids=["at once", "days later"])
def test_a_run_by_hand_makes_the_clock_plausible(cellar: CellarFile, later: timedelta) -> None:
    """A run by hand deletes rows, also as the resumed failed run; then the clock is plausible."""
    add(cellar, "activity_log", utc_text(NOW))
    clean_up_for_slot(cellar, FAR)
    assert isinstance(clean_up_by_hand(cellar, FAR + later), Outcome)
    assert left(cellar, "activity_log") == []
    add(cellar, "activity_log", utc_text(NOW))
    assert isinstance(clean_up_for_slot(cellar, FAR + 7 * DAY), Outcome)


def test_a_newer_row_makes_the_clock_plausible(cellar: CellarFile) -> None:
    """After years without use, a new row of the application makes the clock plausible."""
    add(cellar, "activity_log", utc_text(NOW))
    clean_up_for_slot(cellar, FAR)
    add(cellar, "activity_log", utc_text(FAR + DAY))
    assert isinstance(clean_up_for_slot(cellar, FAR + 7 * DAY), Outcome)
    assert left(cellar, "activity_log") == [2]


def test_cleanups_that_succeeded_make_the_clock_plausible(cellar: CellarFile) -> None:
    """An application that nobody uses is cleaned up for ever, because each cleanup confirms the clock."""
    add(cellar, "activity_log", "hier")
    add(cellar, "activity_log", utc_text(NOW))
    for day in (1, 300, 600, 900):
        assert isinstance(clean_up_for_slot(cellar, NOW + day * DAY), Outcome)
    assert left(cellar, "activity_log") == [1]


def test_a_row_in_the_future_neither_prevents_nor_allows_a_cleanup(cellar: CellarFile) -> None:
    """A row in the future allows a cleanup under the right clock, and none under a clock far ahead."""
    add(cellar, "activity_log", utc_text(NOW))
    add(cellar, "activity_log", utc_text(FAR + 9_000 * DAY))
    assert isinstance(clean_up_for_slot(cellar, NOW + DAY), Outcome)
    assert "horloge en avance" in str(clean_up_for_slot(cellar, FAR))


def test_a_refused_run_that_is_resumed_under_the_right_clock_uses_that_clock(cellar: CellarFile) -> None:
    """Rows are compared with the clock, not with the slot, which lies years ahead."""
    add(cellar, "activity_log", utc_text(NOW))
    clean_up_for_slot(cellar, FAR)
    context = run_context(cellar)
    claim = claim_resume(context.ledger, "cleanup", NOW + DAY)
    assert isinstance(execute(context, claim, NOW + DAY), Outcome)
    assert left(cellar, "activity_log") == [1]
