"""What a cron expression says: five fields read into sets of numbers.

Pure: it knows neither clocks nor zones. A set of numbers is an int whose bit n stands for n, as cron
itself keeps them. The grammar is Debian's crontab(5) as cronsim reads it. croniter is not asked: it
reads `3-3` as every value, lets `5-1` wrap and takes 0 for the first of the month.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ALIASES: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_VALUE = r"([0-9]+|[a-z]{3})"
_TERM = re.compile(rf"(?:\*|{_VALUE}(?:-{_VALUE})?)(?:/([0-9]+))?", re.IGNORECASE)
_NTH = re.compile(rf"{_VALUE}#([0-9]+)", re.IGNORECASE)
_LAST = re.compile(r"([0-9]+)l", re.IGNORECASE)
#: All five fields written out as lists have fewer than 400 characters.
_LONGEST = 1000
#: Bits of `Fields.days` above those of the 31 days.
LAST_DAY, LAST_WORKDAY = 1 << 32, 1 << 33


class ScheduleError(ValueError):
    """An expression is none; the text is a French fragment that says what is wrong and wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Sets of numbers as bits; weekdays from 0 for Sunday to 6.

    `nth_weekdays` are pairs such as (1, 2), the second Monday; (5, 0) is the last Friday.
    `both_days`: a day has to match day-of-month and day-of-week, otherwise one of them is enough.
    `fixed`: neither minute nor hour begins with a star.
    """

    minutes: int
    hours: int
    days: int
    months: int
    weekdays: int
    nth_weekdays: frozenset[tuple[int, int]]
    both_days: bool
    fixed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One of the five: its numbers, its names from `low` on, and how French speaks of it."""

    low: int
    high: int
    names: tuple[str, ...] = ()
    wanted: str

    def number(self, text: str, term: str) -> int:
        """Return the number that `text`, a part of `term`, stands for."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            raise self.refusal(term)
        return int(text)

    def refusal(self, term: str) -> ScheduleError:
        return ScheduleError(f"{self.wanted}, pas {_shown(term)}")


_MINUTE = _Field(low=0, high=59, wanted="une minute de 0 à 59 est attendue")
_HOUR = _Field(low=0, high=23, wanted="une heure de 0 à 23 est attendue")
_DAY = _Field(low=1, high=31, wanted="un jour du mois de 1 à 31 (ou L, LW) est attendu")
_MONTH = _Field(low=1, high=12, names=_MONTHS, wanted="un mois de 1 à 12 (ou jan à dec) est attendu")
_WEEKDAY = _Field(
    low=0, high=7, names=_DAYS, wanted="un jour de semaine de 0 à 7 (ou sun à sat, mon#1, 5L) est attendu"
)


def read(expression: str) -> Fields:
    """Return the fields of an expression of five fields, or an alias such as @weekly.

    Raises:
        ScheduleError: it is none, or never fires.

    """
    if not expression.isascii() or len(expression) > _LONGEST:
        raise ScheduleError(f"une expression cron est attendue, pas {_shown(expression)}")
    texts = _unaliased(expression.strip()).split()
    if len(texts) != 5:
        raise ScheduleError(
            "cinq champs (minute, heure, jour du mois, mois, jour de semaine ; pas de secondes) sont"
            f" attendus, pas {len(texts)}"
        )
    minute, hour, day, month, weekday = texts
    weekdays, nth_weekdays = _weekdays(weekday)
    return Fields(
        minutes=_numbers(_MINUTE, minute),
        hours=_numbers(_HOUR, hour),
        days=_days(day),
        months=_numbers(_MONTH, month),
        weekdays=weekdays,
        nth_weekdays=nth_weekdays,
        both_days=day.startswith("*") or weekday.startswith("*"),
        fixed=not minute.startswith("*") and not hour.startswith("*"),
    )


def _unaliased(text: str) -> str:
    alias = text.lower()
    if alias == "@reboot":
        raise ScheduleError("@reboot n'a pas d'heure : une expression cron ou @daily est attendue")
    if alias.startswith("@") and alias not in _ALIASES:
        raise ScheduleError(f"un alias parmi {', '.join(_ALIASES)} est attendu, pas {_shown(text)}")
    return _ALIASES.get(alias, text)


def _days(text: str) -> int:
    ends = {"l": LAST_DAY, "lw": LAST_WORKDAY}
    days = 0
    for term in text.split(","):
        days |= ends.get(term.lower()) or _term(_DAY, term)
    return days


def _weekdays(text: str) -> tuple[int, frozenset[tuple[int, int]]]:
    weekdays, nth_weekdays = 0, set()
    for term in text.split(","):
        if match := _LAST.fullmatch(term):
            nth_weekdays.add((_WEEKDAY.number(match[1], term) % 7, 0))
        elif match := _NTH.fullmatch(term):
            if not 1 <= int(match[2]) <= 5:
                raise ScheduleError(f"du premier (#1) au cinquième (#5) du mois, pas {_shown(term)}")
            nth_weekdays.add((_WEEKDAY.number(match[1], term) % 7, int(match[2])))
        else:
            weekdays |= _term(_WEEKDAY, term)
    # 7 is Sunday too.
    return (weekdays | weekdays >> 7) & 0x7F, frozenset(nth_weekdays)


def _numbers(field: _Field, text: str) -> int:
    numbers = 0
    for term in text.split(","):
        numbers |= _term(field, term)
    return numbers


def _term(field: _Field, term: str) -> int:
    """Return the numbers of `*`, `5`, `5-9`, each perhaps with `/2`; `5/2` goes on to the field's end."""
    match = _TERM.fullmatch(term)
    if match is None:
        raise field.refusal(term)
    first, last, every = match.groups()
    step = int(every or 1)
    if step == 0:
        raise ScheduleError(f"un pas d'au moins 1 est attendu, pas {_shown(term)}")
    low = field.low if first is None else field.number(first, term)
    if last is not None:
        high = _end(field, low, last, term)
        if every and low == high:
            # cronsim and crontab(5) disagree on what this is.
            raise ScheduleError(f"un pas demande une plage de plusieurs valeurs, pas {_shown(term)}")
    else:
        high = low if first is not None and every is None else field.high
    return sum(1 << number for number in range(low, high + 1, step))


def _end(field: _Field, low: int, last: str, term: str) -> int:
    high = field.number(last, term)
    if high < low:
        hint = " (dimanche qui finit une plage s'écrit 7)" if field is _WEEKDAY and high == 0 else ""
        raise ScheduleError(f"une plage va du plus petit au plus grand, pas {_shown(term)}{hint}")
    return high


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
