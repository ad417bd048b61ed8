"""A schedule as other engines write it: five fields that every cron reads alike, or systemd's calendar. Pure.

Days that an engine cannot express become every day; on the other days the call finds nothing due.
"""

import re
from collections.abc import Sequence

from cavecron.schedule import Schedule
from cavecron.schedule.cron import EVERY_DAY, EVERY_MONTH, EVERY_WEEKDAY, CronFields

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
#: Numbers, ranges and steps; 7 for Sunday, names, L and # are not understood everywhere.
_PORTABLE = re.compile(r"[0-9*/,-]+")


def expression(schedule: Schedule) -> str:
    """Return five fields that every cron reads alike; the days are `*` unless `is_exact`."""
    fields = schedule.fields
    texts = schedule.expression.split()
    if len(texts) != 5:
        texts = [""] * 5
    minute, hour, day, month, weekday = texts
    days = _portable(day, fields.days, EVERY_DAY)
    weekdays = _portable("" if "7" in weekday else weekday, fields.weekdays, EVERY_WEEKDAY)
    if not is_exact(schedule):
        days = weekdays = "*"
    return " ".join(
        (
            _portable(minute, fields.minutes, range(60)),
            _portable(hour, fields.hours, range(24)),
            days,
            _portable(month, fields.months, EVERY_MONTH),
            weekdays,
        )
    )


def is_exact(schedule: Schedule) -> bool:
    """Return whether `expression` names exactly the days of the schedule.

    It cannot if a day has to match both day fields, which is so if one begins with a star (crontab(5)): other
    crons have other rules.
    """
    fields = schedule.fields
    both = fields.day_and_weekday and not (fields.every_day_of_month or fields.every_weekday)
    return has_plain_days(schedule) and not both


def has_plain_days(schedule: Schedule) -> bool:
    """Return whether the days are numbers and weekdays: no last day, no second Monday."""
    return not schedule.fields.nth_weekdays and not schedule.fields.last_day


def calendar(schedule: Schedule) -> tuple[str, ...]:
    """Return the values of OnCalendar= (systemd.time(7)); together they name the slots."""
    fields = schedule.fields
    time = f"{_list(fields.hours, range(24))}:{_list(fields.minutes, range(60))}:00 {schedule.zone.key}"
    months = _list(fields.months, EVERY_MONTH)
    days = _list(fields.days, EVERY_DAY) if has_plain_days(schedule) else "*"
    weekdays = _names(fields) if has_plain_days(schedule) else ""
    if fields.day_and_weekday or not weekdays or days == "*":
        return (f"{weekdays} *-{months}-{days} {time}".lstrip(),)
    # Day of the month or weekday, as crontab(5) has it; systemd's own rule is «and».
    return (f"*-{months}-{days} {time}", f"{weekdays} *-{months}-* {time}")


def _names(fields: CronFields) -> str:
    return "" if fields.every_weekday else ",".join(_WEEKDAYS[number] for number in fields.weekdays)


def _portable(text: str, numbers: Sequence[int], all_numbers: range) -> str:
    """Return the field as it was written if every cron reads it alike, else as `*` or a list of numbers."""
    if _PORTABLE.fullmatch(text):
        return text
    return "*" if len(numbers) == len(all_numbers) else ",".join(map(str, numbers))


def _list(numbers: Sequence[int], all_numbers: range) -> str:
    if len(numbers) == len(all_numbers):
        return "*"
    return ",".join(f"{number:02}" for number in numbers)
