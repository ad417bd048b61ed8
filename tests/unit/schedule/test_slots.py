"""Slots: they equal cronsim's around clock changes, and are consistent with one another."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cavecron.schedule import Schedule, count_slots, next_slot, none_follows, parse, previous_slot
from tests.support.clock_changes import Change, changes_of
from tests.support.expressions import NO_DEADLINE, PARIS, at, instants, paris, schedules
from tests.support.oracle import DENSE, SPARSE, by_definition, differences


def next_slots(schedule: Schedule, after: str, count: int) -> list[str]:
    """Return the next `count` slots in local time with their offset."""
    slots, slot = [], at(after)
    for _ in range(count):
        following = next_slot(schedule, slot)
        assert following
        slot = following
        slots.append(slot.astimezone(schedule.zone).isoformat(timespec="minutes"))
    return slots


@pytest.mark.parametrize(
    ("expression", "after", "slots"),
    [
        pytest.param(
            "30 2 * * *",
            "2026-03-28T12:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
            id="skipped: the first instant after the gap",
        ),
        pytest.param(
            "0,15,30 2,3 * * *",
            "2026-03-28T12:00",
            ["2026-03-29T03:00+02:00", "2026-03-29T03:15+02:00"],
            id="skipped: once for all, and for the time that the clocks jump to",
        ),
        pytest.param(
            "30 2 * * *",
            "2026-10-24T12:00",
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
            id="repeated: the first occurrence only",
        ),
        pytest.param(
            "*/30 * * * *",
            "2026-03-29T01:00",
            ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00"],
            id="elapsed time: no slot in the skipped hour",
        ),
        pytest.param(
            "30 */2 * * *",
            "2026-10-25T01:00",
            ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", "2026-10-25T04:30+01:00"],
            id="elapsed time: slots in both occurrences of the hour",
        ),
        pytest.param(
            "0 8 1 * mon",
            "2026-08-30T12:00",
            ["2026-08-31T08:00+02:00", "2026-09-01T08:00+02:00"],
            id="day of month or day of week",
        ),
        pytest.param(
            "0 8 15,L 2 *",
            "2028-01-01T00:00",
            ["2028-02-15T08:00+01:00", "2028-02-29T08:00+01:00", "2029-02-15T08:00+01:00"],
            id="the last day of a month besides another one",
        ),
        pytest.param(
            "0 8 31 2 mon",
            "2026-01-01T00:00",
            ["2026-02-02T08:00+01:00", "2026-02-09T08:00+01:00"],
            id="a day that its month lacks, or a day of the week",
        ),
        pytest.param(
            "0 8 1-31 * mon",
            "2026-11-23T12:00",
            ["2026-11-24T08:00+01:00"],
            id="1-31 counts as a restriction: either field",
        ),
        pytest.param(
            "0 8 * * mon#1,5L",
            "2026-11-23T12:00",
            ["2026-11-27T08:00+01:00", "2026-12-07T08:00+01:00", "2026-12-25T08:00+01:00"],
            id="the first Monday and the last Friday",
        ),
        pytest.param(
            "0 8 1-7 * */7",
            "2026-08-30T12:00",
            ["2026-09-06T08:00+02:00"],
            id="a field that begins with a star: both fields",
        ),
    ],
)
def test_local_time_follows_debians_cron(expression: str, after: str, slots: list[str]) -> None:
    """The expected slots were worked out by hand from cron(8)."""
    assert next_slots(paris(expression), after, len(slots)) == slots


def test_slots_equal_cronsims_around_clock_changes() -> None:
    """A random sample of what `python -m tests.model.clock_change_sweep` compares in full."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    generator = random.Random(seed)
    zones, compared = sorted(available_timezones()), 0
    while compared < 40:
        year = generator.randint(2015, 2040)
        for change in changes_of(generator.choice(zones), year, year):
            for expression in (generator.choice(DENSE), *generator.sample(SPARSE, 3)):
                assert not [
                    difference for difference in differences(expression, change) if not difference.reason
                ], seed
                compared += 1


@pytest.mark.parametrize(
    ("key", "year"),
    [
        ("Australia/Lord_Howe", 2026),
        ("Pacific/Chatham", 2026),
        ("America/Santiago", 2026),
        ("America/Nuuk", 2026),
        ("Africa/Casablanca", 2026),
        ("Antarctica/Casey", 2020),
        ("Asia/Pyongyang", 2015),
        ("America/Caracas", 2016),
    ],
)
def test_unusual_clock_changes_equal_cronsims(key: str, year: int) -> None:
    """Changes by half an hour, at midnight, at a minute after midnight, and for only a month."""
    (change, *_) = changes_of(key, year, year)
    for expression in ("30 2 * * *", "0,30 0-4 * * *", "*/10 * * * *", "*/15 0 * * *", "30 23 * * sat"):
        assert not [difference for difference in differences(expression, change) if not difference.reason]


def test_a_day_that_a_zone_skips_has_one_slot_at_its_end() -> None:
    """Samoa had no 30 December 2011, so its fixed times come once, at the end of the gap."""
    apia = ZoneInfo("Pacific/Apia")
    start, end = at("2011-12-28T00:00Z"), at("2012-01-02T00:00Z")
    for expression in ("0 8 * * *", "0 */6 * * *", "0 8 30 12 *"):
        slots, slot = [], next_slot(parse(expression, apia), start)
        while slot and slot <= end:
            slots.append(slot)
            slot = next_slot(parse(expression, apia), slot)
        assert slots == by_definition(expression, apia, start, end)
    assert next_slots(parse("0 8 30 12 *", apia), "2011-12-28T00:00Z", 1) == ["2011-12-31T00:00+14:00"]


@NO_DEADLINE
@given(schedules, instants)
@example(parse("59 2 * * *", PARIS), at("2026-10-25T01:30Z"))
@example(parse("* 2 25 10 *", PARIS), at("2026-10-25T00:59Z"))
@example(parse("30 2 29 3 *", PARIS), at("2026-03-29T01:00Z"))
def test_forward_and_backward_agree(schedule: Schedule, instant: datetime) -> None:
    """Next and previous slot of an instant are neighbours, seen from either of them."""
    following, preceding = next_slot(schedule, instant), previous_slot(schedule, instant)
    assert following
    assert preceding
    assert preceding <= instant < following
    assert previous_slot(schedule, following) == following
    assert previous_slot(schedule, following - timedelta.resolution) == preceding
    assert next_slot(schedule, preceding) == following
    assert next_slot(schedule, preceding - timedelta.resolution) == preceding


@NO_DEADLINE
@given(schedules, instants, st.timedeltas(timedelta(0), timedelta(days=1)))
@example(parse("0,15,30 2,3 * * *", PARIS), at("2026-03-29T01:00Z"), timedelta(hours=1))
def test_a_count_equals_the_number_of_enumerated_slots(
    schedule: Schedule, after: datetime, length: timedelta
) -> None:
    """The start is excluded and the end is included."""
    slots, slot = 0, next_slot(schedule, after)
    while slot and slot <= after + length:
        slots, slot = slots + 1, next_slot(schedule, slot)
    assert count_slots(schedule, after, after + length) == slots


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        pytest.param("* * * * *", 3653 * 1440, id="each minute"),
        pytest.param("30 2 * * *", 3653, id="each day"),
        pytest.param("30 2 * * sun", 522, id="each week, with all clock changes"),
        pytest.param("0 0 29 2 *", 3, id="each leap year"),
    ],
)
def test_ten_years_are_counted(expression: str, count: int) -> None:
    """The hours that spring skips and autumn repeats cancel each other over whole years."""
    assert count_slots(paris(expression), at("2020-01-01T00:00"), at("2030-01-01T00:00")) == count


@pytest.mark.parametrize(
    ("expression", "slot", "until", "expected"),
    [
        pytest.param("0 8 * * mon", "2026-11-23T08:00", "2026-11-29T23:00", True, id="weekly, on Sunday"),
        pytest.param("0 8 * * mon", "2026-11-23T08:00", "2026-11-30T08:00", False, id="weekly, a week later"),
        pytest.param("0 3 * * *", "2026-11-23T03:00", "2026-11-23T22:00", True, id="daily, in the evening"),
        pytest.param("0 3 * * *", "2026-11-23T03:00", "2026-11-24T03:00", False, id="daily, a day later"),
        pytest.param(
            "0 3 1 * *",
            "2026-11-23T03:00",
            "2026-11-23T22:00",
            True,
            id="a day without a slot, at the time of one",
        ),
        pytest.param(
            "0 8 1 * mon", "2026-11-30T08:00", "2026-12-01T09:00", False, id="the first or a Monday"
        ),
        pytest.param("0 8 * * mon", "2026-11-24T08:00", "2026-11-24T09:00", False, id="another day"),
        pytest.param("0 8 * * mon", "2026-11-23T09:00", "2026-11-23T09:30", False, id="another time"),
        pytest.param("0 8,9 * * *", "2026-11-23T08:00", "2026-11-23T09:30", False, id="twice a day"),
        pytest.param("0 8 * * mon,tue", "2026-11-23T08:00", "2026-11-24T09:00", False, id="two weekdays"),
    ],
)
def test_none_follows_decides_simple_schedules(
    expression: str, slot: str, until: str, expected: bool
) -> None:
    """It compares numbers of the fields alone, and is False where these are not enough."""
    assert none_follows(paris(expression), at(slot), at(until)) is expected


@NO_DEADLINE
@given(
    schedules,
    st.timedeltas(timedelta(0), timedelta(days=10 * 365)),
    st.timedeltas(timedelta(0), timedelta(days=8)),
)
def test_none_follows_is_never_wrong(schedule: Schedule, later: timedelta, span: timedelta) -> None:
    """If it is True, no slot follows, whatever clock changes the zone has."""
    slot = next_slot(schedule, datetime(2012, 1, 1, tzinfo=UTC) + later)
    assert slot
    following = next_slot(schedule, slot)
    assert following
    assert not (none_follows(schedule, slot, slot + span) and following <= slot + span)


@pytest.mark.parametrize("expression", ["0 8 * * mon", "* * * * *", "0 0 29 2 *"])
def test_the_ends_of_the_calendar_raise_no_error(expression: str) -> None:
    """Before the first and after the last year there is no slot; a wrong clock can show any year."""
    schedule = paris(expression)
    first, last = (edge.replace(tzinfo=UTC) for edge in (datetime.min, datetime.max))  # noqa: DTZ901 - with UTC
    assert (previous_slot(schedule, first), next_slot(schedule, last)) == (None, None)
    earliest, latest = next_slot(schedule, first), previous_slot(schedule, last)
    assert earliest
    assert latest
    assert (earliest.year, latest.year) in {(1, 9999), (4, 9996)}
    assert next_slot(schedule, latest) is None
    assert count_slots(schedule, latest, last) == 0
    assert previous_slot(paris("0 0 29 2 *"), datetime(4, 2, 1, tzinfo=UTC)) is None


def test_an_instant_in_another_zone_is_the_same_instant() -> None:
    """The zone of the argument does not matter, and slots are in UTC."""
    tokyo = at("2026-11-20T00:00Z").astimezone(ZoneInfo("Asia/Tokyo"))
    slot = next_slot(paris("0 8 * * mon"), tokyo)
    assert slot == at("2026-11-23T08:00")
    assert slot.tzinfo is UTC


def test_a_clock_that_shows_1970_has_slots() -> None:
    """A machine without a battery starts with such a clock."""
    assert next_slot(paris("0 8 * * mon"), datetime(1970, 1, 1, tzinfo=UTC)) == at("1970-01-05T07:00Z")


def test_a_schedule_is_identified_by_its_expression_and_zone() -> None:
    """The ledger stores the fingerprint to notice a changed schedule."""
    assert paris(" 0  8 * * MON ").fingerprint == "0 8 * * MON Europe/Paris"
    assert paris("0 8 * * mon") == paris("0  8 * * mon")
    assert paris("0 8 * * mon") != parse("0 8 * * mon", ZoneInfo("UTC"))
    assert (
        repr(paris("@weekly")) == "Schedule(expression='@weekly', zone=zoneinfo.ZoneInfo(key='Europe/Paris'))"
    )


def test_the_oracle_knows_the_clock_changes_of_paris() -> None:
    """The instants and offsets of 2026 are those of the law."""
    spring, autumn = changes_of("Europe/Paris", 2026, 2026)
    hour = timedelta(hours=1)
    assert spring == Change(at=at("2026-03-29T01:00Z"), before=hour, after=2 * hour, key="Europe/Paris")
    assert autumn.at == at("2026-10-25T01:00Z")
