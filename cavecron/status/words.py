"""Instants and durations in French, for pages. Pure."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from cavecron import french


def local_moment(instant: datetime, zone: ZoneInfo) -> str:
    """Return an aware instant in `zone` as 'lundi 23 novembre 2026 à 08:00'."""
    return french.moment(instant.astimezone(zone))


def short_moment(instant: datetime, zone: ZoneInfo) -> str:
    """Return an aware instant in `zone` as 'lun. 23/11/2026 08:00', with seconds unless they are 0."""
    local = instant.astimezone(zone)
    return f"{short_date(local)} {short_time(local)}"


def short_date(day: date) -> str:
    """Return a date as 'lun. 23/11/2026'."""
    return f"{french.WEEKDAYS[day.weekday()][:3]}. {day:%d/%m/%Y}"


def short_time(local: datetime) -> str:
    """Return a local time as '08:00', or '08:00:07' if it has seconds."""
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def span(length: timedelta) -> str:
    """Return a duration under ten seconds as '0,4 s', a longer one as `french.duration` does."""
    seconds = length.total_seconds()
    return french.duration(length) if seconds >= 10 else f"{seconds:.1f} s".replace(".", ",")
