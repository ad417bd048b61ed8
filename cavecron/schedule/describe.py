"""The description of a schedule in French, and how a clock change affects one of its slots. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cavecron.french import MONTHS, WEEKDAYS
from cavecron.schedule import calendar
from cavecron.schedule.cron import LAST_DAYS, CronFields
from cavecron.schedule.slots import Schedule
from cavecron.schedule.zones import EPOCH, offset_period

_NTH = ("dernier", "premier", "deuxième", "troisième", "quatrième", "cinquième")
#: The longest list in a description; with a longer one, the expression itself is shown.
_LONGEST_LIST = 4


def describe(schedule: Schedule) -> str:
    """Return the schedule in French, or its expression if a description would be long or misleading."""
    days, time = _days(schedule.fields), _time(schedule.fields)
    if days is None or time is None:
        return schedule.expression
    if time.startswith("à "):
        return f"{days} {time}"
    return time if days == "chaque jour" else f"{time}, {days}"


def clock_note(schedule: Schedule, slot: datetime) -> str:
    """Return in French how a clock change affects this slot (aware), '' if none does."""
    at = (slot - EPOCH) // timedelta(seconds=1)
    around = offset_period(schedule.zone, at)
    wall = at + around.offset
    if at == around.begin and schedule.fields.fixed_time and around.wall_clock_before < wall:
        skipped = calendar.first(schedule.fields, -(-around.wall_clock_before // 60))
        if skipped is not None and skipped * 60 < wall:
            summer = _summer_time(schedule, at) > _summer_time(schedule, at - 1)
            cause = "l'heure de printemps" if summer else "le changement d'heure"
            return f"{cause} saute {_local(skipped, wall // 60)} : à {_local(wall // 60, wall // 60)}"
    if wall < around.wall_clock_before:
        return f"{_local(wall // 60, wall // 60)} a lieu deux fois : la seconde"
    if wall >= around.end + offset_period(schedule.zone, around.end).offset:
        return f"{_local(wall // 60, wall // 60)} a lieu deux fois : la première"
    return ""


def _summer_time(schedule: Schedule, at: int) -> timedelta:
    return (EPOCH + timedelta(seconds=at)).astimezone(schedule.zone).dst() or timedelta(0)


def _local(minute: int, seen_from: int) -> str:
    """Return a local time, with its date if that differs from the date of `seen_from`; both in minutes."""
    moment = EPOCH + timedelta(minutes=minute)
    return f"{moment:%H:%M}" if minute // 1440 == seen_from // 1440 else f"{moment:le %d/%m à %H:%M}"


def _time(fields: CronFields) -> str | None:
    hours, minutes = fields.hours, fields.minutes
    if len(hours) * len(minutes) <= _LONGEST_LIST:
        return f"à {_listed([f'{hour:02}:{minute:02}' for hour in hours for minute in minutes])}"
    if len(hours) == 24 and len(minutes) > 1:
        step = _step(minutes, 60)
        return {None: None, 1: "chaque minute"}.get(step, f"toutes les {step} minutes")
    step = _step(hours, 24)
    if step is None or len(minutes) > 1:
        return None
    often = "toutes les heures" if step == 1 else f"toutes les {step} heures"
    return often if minutes == (0,) else f"{often} à la minute {minutes[0]}"


def _days(fields: CronFields) -> str | None:
    if not fields.day_and_weekday or not (fields.every_day_of_month or fields.every_weekday):
        return None
    if not fields.every_day_of_month:
        return _days_of_month(fields)
    days = "chaque jour" if fields.every_weekday else _weekdays(fields)
    if days is None or fields.every_month:
        return days if days is None or not fields.nth_weekdays else f"{days} de chaque mois"
    return f"{days} {_of(_months(fields))}" if fields.nth_weekdays else f"{days} en {_months(fields)}"


def _weekdays(fields: CronFields) -> str | None:
    if fields.nth_weekdays:
        if len(fields.nth_weekdays) > 1:
            return None
        ((weekday, nth),) = fields.nth_weekdays
        return f"le {_NTH[nth]} {WEEKDAYS[weekday - 1]}"
    places = [place for place in range(7) if (place + 1) % 7 in fields.weekdays]  # from Monday
    names = [WEEKDAYS[place] for place in places]
    if len(names) > 2 and places[-1] - places[0] == len(places) - 1:
        return f"du {names[0]} au {names[-1]}"
    return f"chaque {_listed(names)}"


def _days_of_month(fields: CronFields) -> str | None:
    if fields.last_day:
        months = "chaque mois" if fields.every_month else _months(fields)
        return None if fields.days else f"le dernier jour {_of(months)}"
    days = fields.days
    if len(days) > _LONGEST_LIST or not all(days[-1] <= _length(fields, month) for month in fields.months):
        return None
    names = [f"{day}er" if day == 1 else str(day) for day in days]
    listed = f"les {_listed(names)}" if len(names) > 1 else f"le {names[0]}"
    if fields.every_month:
        return f"{listed} de chaque mois"
    return f"{listed} {_months(fields)}" if len(fields.months) == 1 else f"{listed} {_of(_months(fields))}"


def _of(name: str) -> str:
    """Return 'de mars', or 'd'avril' before a vowel."""
    return f"d'{name}" if name[0] in "ao" else f"de {name}"


def _length(fields: CronFields, month: int) -> int:
    """Return the last day of this month that a description may use: 29 only if February is named."""
    return 28 if month == 2 and fields.every_month else LAST_DAYS.get(month, 31)


def _months(fields: CronFields) -> str:
    return _listed([MONTHS[month - 1] for month in fields.months])


def _step(numbers: Sequence[int], size: int) -> int | None:
    """Return n if these are every nth of `size` numbers, all at equal distances, else None."""
    step = size // len(numbers)
    return step if tuple(numbers) == tuple(range(0, size, step)) and size % step == 0 else None


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} et {last}" if others else last
