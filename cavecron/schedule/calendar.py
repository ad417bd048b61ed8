"""The local times that match five cron fields: the next, the previous, and how many.

croniter computes them; it is called only here, always with plain lists of numbers and naive local times.
Pure, and without zones: a local time is a number of minutes since 1970-01-01 00:00 on the wall clock.
"""

import copy
import struct
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from cavecron.lazy import lazy_module
from cavecron.schedule.cron import EVERY_MONTH, EVERY_WEEKDAY, CronFields


def _import_without_process(name: str) -> ModuleType:
    """Import a module that calls `platform.architecture`, which would start the program `file`."""
    import platform  # noqa: PLC0415 - only croniter needs it

    architecture = platform.architecture
    platform.architecture = lambda: (f"{8 * struct.calcsize('P')}bit", "")  # type: ignore[assignment,misc]
    try:
        return import_module(name)
    finally:
        platform.architecture = architecture


if TYPE_CHECKING:
    import croniter
else:
    croniter = lazy_module("croniter", load=_import_without_process)  # only for computing a slot

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times have no zone here
_MINUTE, _MINUTES_A_DAY = timedelta(minutes=1), 24 * 60
#: croniter searches 50 years ahead, so that nearer to an end of the calendar it may raise an error.
_FIRST_YEAR, _LAST_YEAR = date.min.year + 51, date.max.year - 51


def first(fields: CronFields, minute: int) -> int | None:
    """Return the first local time at or after `minute`; None at the end of the calendar."""
    return _nearest(fields, minute - 1, forward=True)


def last(fields: CronFields, minute: int) -> int | None:
    """Return the last local time at or before `minute`; None at the beginning of the calendar."""
    return _nearest(fields, minute + 1, forward=False)


def count(fields: CronFields, start: int, end: int) -> int:
    """Return how many local times lie from `start` up to, but not including, `end`."""
    # Matching days × times of a day, without a loop over half a million minutes.
    if end <= start:
        return 0
    (first_day, head), (last_day, tail) = divmod(start, _MINUTES_A_DAY), divmod(end, _MINUTES_A_DAY)
    whole_days = _count_days(fields, first_day, last_day) * len(fields.hours) * len(fields.minutes)
    return whole_days - _times_before(fields, first_day, head) + _times_before(fields, last_day, tail)


def ever(fields: CronFields) -> bool:
    """Return whether any day ever matches: 31 February does not exist."""
    if not fields.day_and_weekday:
        return True  # a matching day of the week is enough
    if not fields.nth_weekdays or fields.every_day_of_month:
        return bool(fields.possible_days) or fields.last_day
    try:
        return first(fields, 0) is not None
    except croniter.CroniterBadDateError:
        return False


def _times(fields: CronFields) -> str:
    """Return five fields for croniter of stars and lists of numbers, which it cannot misread."""
    minutes, hours = _numbers(fields.minutes, range(60)), _numbers(fields.hours, range(24))
    return f"{minutes} {hours} {_days(fields)}"


def _days(fields: CronFields) -> str:
    """Return the last three of the five fields."""
    days, weekdays = _days_of_month(fields), _weekdays(fields)
    if not fields.day_and_weekday:
        if "*" in (days, weekdays):
            days = weekdays = "*"  # either of them is enough, and one matches every day
        days = days or "*"  # croniter would search 50 years for 31 February, at each call
    return f"{days} {_numbers(fields.months, EVERY_MONTH)} {weekdays}"


def _days_of_month(fields: CronFields) -> str:
    if fields.every_day_of_month:
        return "*"
    return ",".join([*map(str, fields.possible_days), *(["l"] if fields.last_day else [])])


def _weekdays(fields: CronFields) -> str:
    if not fields.nth_weekdays:
        return _numbers(fields.weekdays, EVERY_WEEKDAY)
    return ",".join(f"{weekday}#{nth}" if nth else f"l{weekday}" for weekday, nth in fields.nth_weekdays)


def _numbers(numbers: tuple[int, ...], all_numbers: range) -> str:
    return "*" if len(numbers) == len(all_numbers) else ",".join(map(str, numbers))


@lru_cache(maxsize=256)  # calls are repeated, and many schedules are equal
def _nearest(fields: CronFields, minute: int, *, forward: bool) -> int | None:
    """Return the nearest local time strictly after or before `minute`; None at the end of the calendar."""
    time = _step(_at(_times(fields), minute, both=fields.day_and_weekday), forward=forward)
    return None if time is None else (time - _EPOCH) // _MINUTE


def _at(expression: str, minute: int, *, both: bool) -> "croniter.croniter[datetime]":
    """Return a croniter for an expression, positioned at a local time."""
    times = copy.copy(_croniter(expression, both=both))  # a copy: threads share the cached one
    times.set_current(_EPOCH + minute * _MINUTE)
    return times


@lru_cache(maxsize=256)  # parsing an expression takes four times as long as computing a time
def _croniter(expression: str, *, both: bool) -> "croniter.croniter[datetime]":
    return croniter.croniter(expression, _EPOCH, ret_type=datetime, day_or=not both)


def _step(times: "croniter.croniter[datetime]", *, forward: bool) -> datetime | None:
    """Move to the next or previous local time and return it; None at the end of the calendar."""
    year = times.get_current(datetime).year
    try:
        time = times.get_next() if forward else times.get_prev()
    except (ValueError, OverflowError):
        if _FIRST_YEAR < year < _LAST_YEAR:
            raise
        return None
    return time


def _count_days(fields: CronFields, start: int, end: int) -> int:
    """Return how many days match from `start` up to, but not including, `end`, in days since 1970."""
    if fields.every_day:
        return end - start
    midnights = _at(f"0 0 {_days(fields)}", start * _MINUTES_A_DAY - 1, both=fields.day_and_weekday)
    limit, counted = _EPOCH + timedelta(days=end), 0
    day = _step(midnights, forward=True)
    while day is not None and day < limit:
        day, counted = _step(midnights, forward=True), counted + 1
    return counted


def _times_before(fields: CronFields, day: int, time: int) -> int:
    """Return how many local times of this day are before `time`, in minutes after midnight."""
    if not time or not _count_days(fields, day, day + 1):
        return 0
    hour, minute = divmod(time, 60)
    whole_hours = sum(one < hour for one in fields.hours) * len(fields.minutes)
    return whole_hours + (hour in fields.hours) * sum(one < minute for one in fields.minutes)
