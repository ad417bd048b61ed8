"""Slots that passed since the last scan: which one is due, and which were missed."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavecron.schedule import GRACE, DueAndMissed, Schedule, SlotRange, count_slots, due_and_missed
from tests.support.expressions import NO_DEADLINE, at, instants, paris, schedules

SECOND, YEAR = timedelta(seconds=1), timedelta(days=365)
MONDAY, EARLIER = at("2026-11-23T08:00"), at("2026-11-16T08:00")
_WEEKLY, _MINUTELY = paris("0 8 * * mon"), paris("* * * * *")
_NOTHING = DueAndMissed(due=None, missed=None)
_MISSED = SlotRange(first=MONDAY, last=MONDAY, count=1)


@pytest.mark.parametrize(
    ("accounted_until", "now", "expected"),
    [
        pytest.param(EARLIER, MONDAY - SECOND, _NOTHING, id="not yet"),
        pytest.param(EARLIER, MONDAY, DueAndMissed(due=MONDAY, missed=None), id="at the slot"),
        pytest.param(
            MONDAY - SECOND, MONDAY + SECOND, DueAndMissed(due=MONDAY, missed=None), id="a second late"
        ),
        pytest.param(
            EARLIER,
            MONDAY + GRACE - timedelta.resolution,
            DueAndMissed(due=MONDAY, missed=None),
            id="just under 3600 s",
        ),
        pytest.param(EARLIER, MONDAY + GRACE, DueAndMissed(due=None, missed=_MISSED), id="3600 s"),
        pytest.param(
            EARLIER, MONDAY + GRACE + SECOND, DueAndMissed(due=None, missed=_MISSED), id="over 3600 s"
        ),
        pytest.param(MONDAY, MONDAY, _NOTHING, id="scanned at the slot itself"),
        pytest.param(MONDAY, MONDAY + GRACE, _NOTHING, id="no slot since"),
        pytest.param(MONDAY + GRACE, EARLIER, _NOTHING, id="a clock that went back"),
        pytest.param(
            EARLIER - SECOND,
            MONDAY,
            DueAndMissed(due=MONDAY, missed=SlotRange(first=EARLIER, last=EARLIER, count=1)),
            id="the latest is due, the one before was missed",
        ),
        pytest.param(
            MONDAY - YEAR,
            MONDAY + timedelta(minutes=5),
            DueAndMissed(due=MONDAY, missed=SlotRange(first=at("2025-11-24T08:00"), last=EARLIER, count=52)),
            id="a year without scans, the latest slot in time",
        ),
        pytest.param(
            MONDAY - YEAR,
            MONDAY + timedelta(days=2),
            DueAndMissed(due=None, missed=SlotRange(first=at("2025-11-24T08:00"), last=MONDAY, count=53)),
            id="a year without scans, all slots too late",
        ),
    ],
)
def test_of_all_slots_that_passed_the_latest_counts(
    accounted_until: datetime, now: datetime, expected: DueAndMissed
) -> None:
    """Promise 3: the latest slot is due if it is less than an hour late; all others were missed."""
    assert due_and_missed(_WEEKLY, accounted_until, now) == expected


def test_many_slots_missed_in_a_row_are_one_gap() -> None:
    """A year of slots, one each minute, is one range with its count."""
    result = due_and_missed(_MINUTELY, MONDAY - YEAR, MONDAY)
    minute = timedelta(minutes=1)
    assert result.due == MONDAY
    assert result.missed == SlotRange(
        first=MONDAY - YEAR + minute, last=MONDAY - minute, count=365 * 1440 - 1
    )


@NO_DEADLINE
@given(schedules, instants, st.timedeltas(timedelta(0), timedelta(days=2)))
def test_every_slot_that_passed_is_accounted_for(
    schedule: Schedule, accounted_until: datetime, absence: timedelta
) -> None:
    """Promise 1: due and missed slots together are all slots, and the due one is less than an hour late."""
    result, now = (
        due_and_missed(schedule, accounted_until, accounted_until + absence),
        accounted_until + absence,
    )
    missed = result.missed.count if result.missed else 0
    assert missed + bool(result.due) == count_slots(schedule, accounted_until, now)
    assert result.due is None or timedelta(0) <= now - result.due < GRACE
    assert result.missed is None or accounted_until < result.missed.first <= result.missed.last <= now
    assert result.due is None or result.missed is None or result.missed.last < result.due
