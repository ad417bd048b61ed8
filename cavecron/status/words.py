"""Instants and spans of time in words, for pages. Pure."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from cavecron import french


def local_moment(instant: datetime, zone: ZoneInfo) -> str:
    """Return 'lundi 23 novembre 2026 à 08:00' for an aware instant."""
    return french.moment(instant.astimezone(zone))


def short_moment(instant: datetime, zone: ZoneInfo) -> str:
    """Return 'lun. 23/11/2026 08:00' for an aware instant, with seconds where it has some."""
    local = instant.astimezone(zone)
    return f"{short_date(local)} {short_time(local)}"


def short_date(day: date) -> str:
    """Return 'lun. 23/11/2026'."""
    return f"{french.WEEKDAYS[day.weekday()][:3]}. {day:%d/%m/%Y}"


def short_time(local: datetime) -> str:
    """Return '08:00', or '08:00:07' where there are seconds."""
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def span(length: timedelta) -> str:
    """Return '0,4 s', or as `french.duration` does from ten seconds on."""
    seconds = length.total_seconds()
    return french.duration(length) if seconds >= 10 else f"{seconds:.1f} s".replace(".", ",")
