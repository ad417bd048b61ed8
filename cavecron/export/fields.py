"""A schedule in the words of other engines: five fields that every cron reads alike, or systemd's calendar.

Pure. What an engine cannot say becomes every day: the call then finds nothing due on the others.
"""

import re
from collections.abc import Iterable, Sequence

from cavecron.schedule import Schedule
from cavecron.schedule.cron import LAST_DAY, Fields

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
#: Numbers, ranges and steps; 7 for Sunday, names, L and # are not understood everywhere.
_PORTABLE = re.compile(r"[0-9*/,-]+")


def expression(schedule: Schedule) -> str:
    """Return five fields of numbers."""
    fields = schedule.fields
    texts = schedule.expression.split()
    if len(texts) != 5:
        texts = [""] * 5
    minute, hour, day, month, weekday = texts
    days = _portable(day, fields.days, range(1, 32))
    weekdays = _portable("" if "7" in weekday else weekday, fields.weekdays, range(7))
    if not exact(schedule):
        days = weekdays = "*"
    return " ".join(
        (
            _portable(minute, fields.minutes, range(60)),
            _portable(hour, fields.hours, range(24)),
            days,
            _portable(month, fields.months, range(1, 13)),
            weekdays,
        )
    )


def exact(schedule: Schedule) -> bool:
    """Return whether `expression` names the schedule's days and no others.

    That a day has to match both fields where one begins with a star (crontab(5)) is not every cron's rule.
    """
    fields = schedule.fields
    both = fields.both_days and not (_full(fields.days, range(1, 32)) or _full(fields.weekdays, range(7)))
    return has_plain_days(schedule) and not both


def has_plain_days(schedule: Schedule) -> bool:
    """Return whether the days are numbers and weekdays: no last day, no second Monday."""
    return not schedule.fields.nth_weekdays and schedule.fields.days < LAST_DAY


def calendar(schedule: Schedule) -> tuple[str, ...]:
    """Return lines for OnCalendar= (systemd.time(7)); each of them names slots."""
    fields = schedule.fields
    time = f"{_list(fields.hours, range(24))}:{_list(fields.minutes, range(60))}:00 {schedule.zone.key}"
    months = _list(fields.months, range(1, 13))
    days = _list(fields.days, range(1, 32)) if has_plain_days(schedule) else "*"
    weekdays = _names(fields) if has_plain_days(schedule) else ""
    if fields.both_days or not weekdays or days == "*":
        return (f"{weekdays} *-{months}-{days} {time}".lstrip(),)
    # Day of the month or weekday, as crontab(5) has it; systemd's own rule is «and».
    return (f"*-{months}-{days} {time}", f"{weekdays} *-{months}-* {time}")


def _names(fields: Fields) -> str:
    names = [name for number, name in enumerate(_WEEKDAYS) if fields.weekdays >> number & 1]
    return "" if len(names) == 7 else ",".join(names)


def _portable(text: str, bits: int, numbers: range) -> str:
    """Return the field as it was written where everybody reads that, else as a list."""
    if _PORTABLE.fullmatch(text):
        return text
    return "*" if _full(bits, numbers) else ",".join(map(str, _chosen(bits, numbers)))


def _list(bits: int, numbers: range) -> str:
    return "*" if _full(bits, numbers) else ",".join(f"{number:02}" for number in _chosen(bits, numbers))


def _full(bits: int, numbers: Iterable[int]) -> bool:
    return all(bits >> number & 1 for number in numbers)


def _chosen(bits: int, numbers: Iterable[int]) -> Sequence[int]:
    return [number for number in numbers if bits >> number & 1]
