"""A schedule in French words, and why a clock change moves or doubles one of its slots. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cavecron.french import MONTHS, WEEKDAYS
from cavecron.schedule import calendar
from cavecron.schedule.cron import LAST_DAY, LAST_WORKDAY, Fields
from cavecron.schedule.slots import Schedule
from cavecron.schedule.zones import EPOCH, stretch

_NTH = ("dernier", "premier", "deuxième", "troisième", "quatrième", "cinquième")
#: A list of more than this is told by the expression itself.
_MOST = 4


def describe(schedule: Schedule) -> str:
    """Return French words for the schedule, or its expression where words would be long or mislead."""
    days, time = _days(schedule.fields), _time(schedule.fields)
    if days is None or time is None:
        return schedule.expression
    if time.startswith("à "):
        return f"{days} {time}"
    return time if days == "chaque jour" else f"{time}, {days}"


def clock_note(schedule: Schedule, slot: datetime) -> str:
    """Return in French what a clock change does to this slot, '' where it does nothing."""
    at = (slot - EPOCH) // timedelta(seconds=1)
    around = stretch(schedule.zone, at)
    wall = at + around.offset
    if at == around.begin and schedule.fields.fixed and around.wall_before < wall:
        skipped = calendar.first(schedule.fields, -(-around.wall_before // 60))
        if skipped is not None and skipped * 60 < wall:
            summer = _summer_time(schedule, at) > _summer_time(schedule, at - 1)
            cause = "l'heure de printemps" if summer else "le changement d'heure"
            return f"{cause} saute {_local(skipped, wall // 60)} : à {_local(wall // 60, wall // 60)}"
    if wall < around.wall_before:
        return f"{_local(wall // 60, wall // 60)} a lieu deux fois : la seconde"
    if wall >= around.end + stretch(schedule.zone, around.end).offset:
        return f"{_local(wall // 60, wall // 60)} a lieu deux fois : la première"
    return ""


def _summer_time(schedule: Schedule, at: int) -> timedelta:
    return (EPOCH + timedelta(seconds=at)).astimezone(schedule.zone).dst() or timedelta(0)


def _local(minute: int, seen_from: int) -> str:
    """Return a local time; with its date where that is another one."""
    moment = EPOCH + timedelta(minutes=minute)
    return f"{moment:%H:%M}" if minute // 1440 == seen_from // 1440 else f"{moment:le %d/%m à %H:%M}"


def _time(fields: Fields) -> str | None:
    hours, minutes = _members(fields.hours), _members(fields.minutes)
    if len(hours) * len(minutes) <= _MOST:
        return f"à {_listed([f'{hour:02}:{minute:02}' for hour in hours for minute in minutes])}"
    if len(hours) == 24 and len(minutes) > 1:
        step = _step(minutes, 60)
        return {None: None, 1: "chaque minute"}.get(step, f"toutes les {step} minutes")
    step = _step(hours, 24)
    if step is None or len(minutes) > 1:
        return None
    often = "toutes les heures" if step == 1 else f"toutes les {step} heures"
    return often if minutes == (0,) else f"{often} à la minute {minutes[0]}"


def _days(fields: Fields) -> str | None:
    every_day, every_weekday = fields.days & 0xFFFF_FFFE == 0xFFFF_FFFE, fields.weekdays == 0x7F
    if not fields.both_days or not (every_day or every_weekday):
        return None
    if not every_day:
        return _days_of_month(fields)
    days = "chaque jour" if every_weekday else _weekdays(fields)
    if days is None or _every_month(fields):
        return days if days is None or not fields.nth_weekdays else f"{days} de chaque mois"
    return f"{days} {_of(_months(fields))}" if fields.nth_weekdays else f"{days} en {_months(fields)}"


def _weekdays(fields: Fields) -> str | None:
    if fields.nth_weekdays:
        if fields.weekdays or len(fields.nth_weekdays) > 1:
            return None
        ((weekday, nth),) = fields.nth_weekdays
        return f"le {_NTH[nth]} {WEEKDAYS[weekday - 1]}"
    places = [place for place in range(7) if fields.weekdays >> (place + 1) % 7 & 1]  # from Monday
    names = [WEEKDAYS[place] for place in places]
    if len(names) > 2 and places[-1] - places[0] == len(places) - 1:
        return f"du {names[0]} au {names[-1]}"
    return f"chaque {_listed(names)}"


def _days_of_month(fields: Fields) -> str | None:
    if fields.days in (LAST_DAY, LAST_WORKDAY):
        name = "le dernier jour" if fields.days == LAST_DAY else "le dernier jour ouvré"
        return f"{name} {_of('chaque mois' if _every_month(fields) else _months(fields))}"
    days = _members(fields.days)
    if len(days) > _MOST or not all(days[-1] <= _length(fields, month) for month in _members(fields.months)):
        return None
    names = [f"{day}er" if day == 1 else str(day) for day in days]
    listed = f"les {_listed(names)}" if len(names) > 1 else f"le {names[0]}"
    if _every_month(fields):
        return f"{listed} de chaque mois"
    one_month = fields.months.bit_count() == 1
    return f"{listed} {_months(fields)}" if one_month else f"{listed} {_of(_months(fields))}"


def _of(name: str) -> str:
    """Return 'de mars', or 'd'avril' as French elides it."""
    return f"d'{name}" if name[0] in "ao" else f"de {name}"


def _length(fields: Fields, month: int) -> int:
    """Return the last day of this month that words may name: 29 February is plain, 29 of each month not."""
    if month == 2:
        return 28 if _every_month(fields) else 29
    return 30 if month in (4, 6, 9, 11) else 31


def _every_month(fields: Fields) -> bool:
    return fields.months.bit_count() == 12


def _months(fields: Fields) -> str:
    return _listed([MONTHS[month - 1] for month in _members(fields.months)])


def _members(numbers: int) -> tuple[int, ...]:
    return tuple(number for number in range(numbers.bit_length()) if numbers >> number & 1)


def _step(numbers: Sequence[int], size: int) -> int | None:
    """Return n if these are every nth of `size` numbers, without a shorter or longer pause anywhere."""
    step = size // len(numbers)
    return step if tuple(numbers) == tuple(range(0, size, step)) and size % step == 0 else None


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} et {last}" if others else last
