"""Random valid cron expressions, and schedules and instants for tests."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

from cavecron.schedule import Schedule, ScheduleError, parse
from tests.support.oracle import UTC_ZONE

#: A busy machine is no reason to fail.
NO_DEADLINE = settings(deadline=None)
PARIS = ZoneInfo("Europe/Paris")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _number(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


def _steps(low: int, high: int) -> st.SearchStrategy[str]:
    """Return stars, beginnings and ranges with a step that leads to a second number."""
    spans = st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True).map(sorted)
    return spans.flatmap(
        lambda span: st.builds(
            "{}/{}".format,
            st.sampled_from([f"{span[0]}-{span[1]}", f"{span[0]}", "*"]),
            st.integers(1, span[1] - span[0]),
        )
    )


def _field(low: int, high: int, *more: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return lists of stars, numbers and ranges, with and without a step."""
    ranges = st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True).map(
        lambda ends: f"{min(ends)}-{max(ends)}"
    )
    term = st.one_of(st.just("*"), _number(low, high), ranges, _steps(low, high), *more)
    return st.just("*") | st.lists(term, min_size=1, max_size=3).map(",".join)


def expressions() -> st.SearchStrategy[str]:
    """Return expressions of five fields that fire."""
    weekday = _number(0, 7) | st.sampled_from(_DAYS)
    nth_weekday = st.just("5L") | st.tuples(weekday, _number(1, 5)).map("#".join)
    days = _field(1, 31, st.sampled_from(["l", "L"]))
    plain_days = st.tuples(days, _months(), _field(0, 7, st.sampled_from([*_DAYS, "MON", "mon-fri"])))
    starred_days = st.just("*") | st.tuples(st.just("*/2"), days).map(",".join) | st.just("1-31")
    nth_weekdays = st.lists(nth_weekday, min_size=1, max_size=3).map(",".join)
    days_fields = plain_days | st.tuples(starred_days, _months(), nth_weekdays)
    return st.tuples(_field(0, 59), _field(0, 23), days_fields.map(" ".join)).map(" ".join).filter(_fires)


def _months() -> st.SearchStrategy[str]:
    return st.just("*") | _field(1, 12, st.sampled_from(_MONTHS), st.just("mar-oct"))


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
