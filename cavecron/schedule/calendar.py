"""The local times that five fields name: which is the first from here on, the last, and how many.

Pure, and blind to zones: a local time is a number of minutes since 1970-01-01 00:00 on the wall; a day
is a number of days since then.
"""

import calendar
from datetime import date

from cavecron.schedule.cron import LAST_DAY, LAST_WORKDAY, Fields

_DAY = 24 * 60
_EPOCH = date(1970, 1, 1).toordinal()
_EVERY_WEEKDAY = 0x7F
_WEEKS = sum(1 << 7 * week for week in range(5))


def ever(fields: Fields) -> bool:
    """Return whether there is any day that matches, in the 400 years after which the calendar repeats."""
    lengths = {2: (28, 29), 4: (30,), 6: (30,), 9: (30,), 11: (30,)}
    return any(
        _matching(fields, first, length)
        for month in range(1, 13)
        if fields.months >> month & 1
        for length in lengths.get(month, (31,))
        for first in range(7)
    )


def first(fields: Fields, minute: int) -> int | None:
    """Return the first local time at or after `minute`; None where the calendar ends."""
    day, time = divmod(minute, _DAY)
    found = _first_day(fields, day)
    if found == day:
        later = _first_time(fields, time)
        if later is not None:
            return day * _DAY + later
        found = _first_day(fields, day + 1)
    if found is None:
        return None
    return found * _DAY + _lowest(fields.hours) * 60 + _lowest(fields.minutes)


def last(fields: Fields, minute: int) -> int | None:
    """Return the last local time at or before `minute`; None where the calendar begins."""
    day, time = divmod(minute, _DAY)
    found = _last_day(fields, day)
    if found == day:
        earlier = _last_time(fields, time)
        if earlier is not None:
            return day * _DAY + earlier
        found = _last_day(fields, day - 1)
    if found is None:
        return None
    return found * _DAY + _highest(fields.hours) * 60 + _highest(fields.minutes)


def count(fields: Fields, start: int, end: int) -> int:
    """Return how many local times lie from `start` up to, but not at, `end`."""
    if end <= start:
        return 0
    (first_day, head), (last_day, tail) = divmod(start, _DAY), divmod(end, _DAY)
    whole_days = (
        _count_days(fields, first_day, last_day) * fields.hours.bit_count() * fields.minutes.bit_count()
    )
    return whole_days - _times_before(fields, first_day, head) + _times_before(fields, last_day, tail)


def _times_before(fields: Fields, day: int, time: int) -> int:
    """Return how many local times of this day come before `time`."""
    if not _count_days(fields, day, day + 1):
        return 0
    hour, minute = divmod(time, 60)
    hours = (fields.hours & (1 << hour) - 1).bit_count() * fields.minutes.bit_count()
    return hours + (fields.hours >> hour & 1) * (fields.minutes & (1 << minute) - 1).bit_count()


def _first_time(fields: Fields, time: int) -> int | None:
    hour, minute = divmod(time, 60)
    if fields.hours >> hour & 1 and fields.minutes >> minute:
        return time + _lowest(fields.minutes >> minute)
    hours = fields.hours >> hour + 1
    return (hour + 1 + _lowest(hours)) * 60 + _lowest(fields.minutes) if hours else None


def _last_time(fields: Fields, time: int) -> int | None:
    hour, minute = divmod(time, 60)
    minutes = fields.minutes & (2 << minute) - 1
    if fields.hours >> hour & 1 and minutes:
        return hour * 60 + _highest(minutes)
    hours = fields.hours & (1 << hour) - 1
    return _highest(hours) * 60 + _highest(fields.minutes) if hours else None


def _first_day(fields: Fields, day: int) -> int | None:
    start = date.fromordinal(_EPOCH + day)
    year, month, skipped = start.year, start.month, start.day
    while True:
        days = _days(fields, year, month) >> skipped
        if days:
            return date(year, month, skipped + _lowest(days)).toordinal() - _EPOCH
        skipped = 0
        later = fields.months >> month + 1
        month = month + 1 + _lowest(later) if later else _lowest(fields.months)
        if not later:
            year += 1
            if year > date.max.year:
                return None


def _last_day(fields: Fields, day: int) -> int | None:
    start = date.fromordinal(_EPOCH + day)
    year, month, kept = start.year, start.month, (2 << start.day) - 1
    while True:
        days = _days(fields, year, month) & kept
        if days:
            return date(year, month, _highest(days)).toordinal() - _EPOCH
        kept = -1
        earlier = fields.months & (1 << month) - 1
        month = _highest(earlier or fields.months)
        if not earlier:
            year -= 1
            if year < date.min.year:
                return None


def _count_days(fields: Fields, start: int, end: int) -> int:
    """Return how many days match from `start` up to, but not at, `end`: month by month."""
    if start >= end:
        return 0
    first_day, last_day = date.fromordinal(_EPOCH + start), date.fromordinal(_EPOCH + end - 1)
    months = range(first_day.year * 12 + first_day.month - 1, last_day.year * 12 + last_day.month)
    found = sum(_days(fields, month // 12, month % 12 + 1).bit_count() for month in months)
    head = _days(fields, first_day.year, first_day.month) & (1 << first_day.day) - 1
    tail = _days(fields, last_day.year, last_day.month) >> last_day.day + 1
    return found - head.bit_count() - tail.bit_count()


def _days(fields: Fields, year: int, month: int) -> int:
    """Return the days of this month that match, as bits."""
    if not fields.months >> month & 1:
        return 0
    weekday, length = calendar.monthrange(year, month)
    return _matching(fields, (weekday + 1) % 7, length)


def _matching(fields: Fields, first_weekday: int, length: int) -> int:
    """Return the matching days of a month with `length` days that begins with this day of the week."""
    every = (2 << length) - 2
    days = fields.days & every
    if fields.days & LAST_DAY:
        days |= 1 << length
    if fields.days & LAST_WORKDAY:
        days |= 1 << _last_workday(first_weekday, length)
    weekdays = every if fields.weekdays == _EVERY_WEEKDAY else 0
    if not weekdays:
        for weekday in range(7):
            if fields.weekdays >> weekday & 1:
                weekdays |= _WEEKS << 1 + (weekday - first_weekday) % 7
        for weekday, nth in fields.nth_weekdays:
            earliest = 1 + (weekday - first_weekday) % 7
            weekdays |= 1 << earliest + 7 * ((nth or (length - earliest) // 7 + 1) - 1)
    return (days & weekdays if fields.both_days else days | weekdays) & every


def _last_workday(first_weekday: int, length: int) -> int:
    weekday = (first_weekday + length - 1) % 7
    return length - {0: 2, 6: 1}.get(weekday, 0)


def _lowest(numbers: int) -> int:
    return (numbers & -numbers).bit_length() - 1


def _highest(numbers: int) -> int:
    return numbers.bit_length() - 1
