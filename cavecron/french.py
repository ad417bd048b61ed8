"""Dates and durations in French.

Pure.
"""

from datetime import datetime, timedelta

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
