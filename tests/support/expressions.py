"""Cron expressions by chance, all of them right; and schedules and instants, by hand or by chance."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

from cavecron.schedule import Schedule, ScheduleError, parse
from tests.support.oracle import UTC_ZONE

#: A busy machine is no reason to fail.
PATIENT = settings(deadline=None)
PARIS = ZoneInfo("Europe/Paris")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _number(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


def _field(low: int, high: int, *more: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return lists of stars, numbers and ranges, with and without a step."""
    ranges = st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True).map(
        lambda ends: f"{min(ends)}-{max(ends)}"
    )
    steps = st.tuples(st.just("*") | _number(low, high) | ranges, _number(1, high + 2)).map("/".join)
    term = st.one_of(st.just("*"), _number(low, high), ranges, steps, *more)
    return st.just("*") | st.lists(term, min_size=1, max_size=3).map(",".join)


def expressions() -> st.SearchStrategy[str]:
    """Return expressions of five fields that fire."""
    weekday = _number(0, 7) | st.sampled_from(_DAYS)
    return (
        st.tuples(
            _field(0, 59),
            _field(0, 23),
            _field(1, 31, st.sampled_from(["l", "L", "LW"])),
            st.just("*") | _field(1, 12, st.sampled_from(_MONTHS), st.just("mar-oct")),
            _field(
                0,
                7,
                st.sampled_from([*_DAYS, "MON", "mon-fri", "5L"]),
                st.tuples(weekday, _number(1, 5)).map("#".join),
            ),
        )
        .map(" ".join)
        .filter(_fires)
    )


def _fires(expression: str) -> bool:
    try:
        parse(expression, UTC_ZONE)
    except ScheduleError as error:
        if "jamais" in str(error):
            return False
        raise
    return True


#: Zones whose clock changes are out of the ordinary: by half an hour or two, at midnight, a whole day.
_ZONES = (
    *(
        "Europe/Paris",
        "UTC",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "Antarctica/Troll",
        "Africa/Casablanca",
    ),
    *("America/Santiago", "America/Nuuk", "Asia/Beirut", "Europe/Dublin", "Pacific/Apia", "Asia/Kathmandu"),
)
schedules = st.builds(parse, expressions(), st.sampled_from(_ZONES).map(ZoneInfo))
instants = st.timedeltas(timedelta(0), timedelta(days=40 * 365)).map(
    lambda later: datetime(2005, 1, 1, tzinfo=UTC) + later
)


def at(text: str) -> datetime:
    """Return an instant from local time in Paris, or in UTC where it ends in Z."""
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=PARIS).astimezone(UTC)


def paris(expression: str) -> Schedule:
    """Return a schedule in Paris."""
    return parse(expression, PARIS)
