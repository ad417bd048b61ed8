"""Dates, instants and durations in French.

Pure.
"""

from datetime import date as calendar_date
from datetime import datetime, timedelta, tzinfo

WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def day(local: datetime) -> str:
    """Return 'lundi 23' or 'mardi 1er' for a local datetime."""
    return f"{WEEKDAYS[local.weekday()]} {'1er' if local.day == 1 else local.day}"


def date(local: datetime) -> str:
    """Return 'lundi 23 novembre 2026' for a local datetime."""
    return f"{day(local)} {MONTHS[local.month - 1]} {local.year}"


def moment(local: datetime) -> str:
    """Return 'lundi 23 novembre 2026 à 08:00' for a local datetime."""
    return f"{date(local)} à {local:%H:%M}"


def local_moment(instant: datetime, zone: tzinfo) -> str:
    """Return an aware instant in `zone` as 'lundi 23 novembre 2026 à 08:00'."""
    return moment(instant.astimezone(zone))


def local_minute(instant: datetime, zone: tzinfo) -> str:
    """Return an aware instant in `zone` as '2026-11-23 08:00', for a terminal."""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"


def short_moment(instant: datetime, zone: tzinfo) -> str:
    """Return an aware instant in `zone` as 'lun. 23/11/2026 08:00', with seconds unless they are 0."""
    local = instant.astimezone(zone)
    return f"{short_date(local)} {short_time(local)}"


def short_weekday(day: calendar_date) -> str:
    """Return 'lun.' for a date."""
    return f"{WEEKDAYS[day.weekday()][:3]}."


def short_date(day: calendar_date) -> str:
    """Return a date as 'lun. 23/11/2026'."""
    return f"{short_weekday(day)} {day:%d/%m/%Y}"


def short_time(local: datetime) -> str:
    """Return a local time as '08:00', or '08:00:07' if it has seconds."""
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def exact_duration(span: timedelta) -> str:
    """Return a duration under ten seconds as '0,4 s', a longer one as `duration` does."""
    seconds = span.total_seconds()
    return duration(span) if seconds >= 10 else f"{seconds:.1f} s".replace(".", ",")


def duration(span: timedelta) -> str:
    """Return '3 s', '12 min', '2 h 05 min' or '3 j 4 h': at most the two largest units."""
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if minutes < 5 and seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} j {hours} h" if hours else f"{days} j"
