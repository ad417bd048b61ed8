"""Parsing a cron expression strictly: its five fields become plain lists of numbers.

Pure: it knows neither clocks nor zones. The grammar is Debian's crontab(5) as cronsim reads it. Ambiguous
expressions are refused, and those that croniter would read differently (7.0.0 takes `3-3` for every value and
lets `5-1` wrap), so that croniter never gets them.
"""

import re
from collections.abc import Iterable, Mapping
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
#: Terms of Quartz and similar schedulers: working days, days before the last one, no specific day.
_QUARTZ = re.compile(r"lw|[0-9]*w|w[0-9]+|l-[0-9]+|[0-9]+-l|\?")
_LAST = re.compile(r"([0-9]+)l", re.IGNORECASE)
#: Five fields with complete lists have fewer than 400 characters.
_MAX_LENGTH = 1000
#: A message shows no longer list.
_MOST_LISTED = 7
#: The last days of the months that have fewer than 31.
LAST_DAYS: Mapping[int, int] = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
EVERY_DAY, EVERY_MONTH, EVERY_WEEKDAY = range(1, 32), range(1, 13), range(7)


class ScheduleError(ValueError):
    """The expression is not valid; the French text says what is wrong and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronFields:
    """The numbers in each field of an expression, in order; weekdays from 0 for Sunday to 6.

    `last_day`: the last day of the month matches, as well as `days`. `nth_weekdays` are pairs such as (1, 2),
    the second Monday; (5, 0) is the last Friday; if there are any, `weekdays` is empty. `day_and_weekday`: a
    day has to match both day-of-month and day-of-week (one of them begins with a star), otherwise one of them
    is enough. `fixed_time`: neither minute nor hour begins with a star.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    last_day: bool
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    nth_weekdays: tuple[tuple[int, int], ...]
    day_and_weekday: bool
    fixed_time: bool

    @property
    def possible_days(self) -> tuple[int, ...]:
        """Return those of `days` that exist in at least one of the months: no 31 June."""
        longest = max(LAST_DAYS.get(month, 31) for month in self.months)
        return tuple(day for day in self.days if day <= longest)

    @property
    def every_day_of_month(self) -> bool:
        """Return whether day-of-month excludes no day."""
        return len(self.days) == len(EVERY_DAY)

    @property
    def every_weekday(self) -> bool:
        """Return whether day-of-week excludes no day."""
        return len(self.weekdays) == len(EVERY_WEEKDAY)

    @property
    def every_month(self) -> bool:
        """Return whether no month is excluded."""
        return len(self.months) == len(EVERY_MONTH)

    @property
    def every_day(self) -> bool:
        """Return whether no day of the year is excluded."""
        fields = (self.every_day_of_month, self.every_weekday)
        return self.every_month and (all(fields) if self.day_and_weekday else any(fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """The rules of one field: its range, names for the numbers from `low` on, and its French description."""

    low: int
    high: int
    names: tuple[str, ...] = ()
    expectation: str

    def number(self, text: str, term: str) -> int:
        """Return the number for `text`, a number or a name within `term`."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            raise self.refusal(term)
        return int(text)

    def refusal(self, term: str) -> ScheduleError:
        return ScheduleError(f"{self.expectation}, pas {_quoted(term)}")


_MINUTE = _Field(low=0, high=59, expectation="une minute de 0 à 59 est attendue")
_HOUR = _Field(low=0, high=23, expectation="une heure de 0 à 23 est attendue")
_DAY = _Field(low=1, high=31, expectation="un jour du mois de 1 à 31 (ou L) est attendu")
_MONTH = _Field(low=1, high=12, names=_MONTHS, expectation="un mois de 1 à 12 (ou jan à dec) est attendu")
_WEEKDAY = _Field(
    low=0,
    high=7,
    names=_DAYS,
    expectation="un jour de semaine de 0 à 7 (ou sun à sat, mon#1, 5L) est attendu",
)


def parse_fields(expression: str) -> CronFields:
    """Return the fields of an expression of five fields, or of an alias such as @weekly.

    Raises:
        ScheduleError: it is not valid or ambiguous, or croniter does not support it.

    """
    _require_plain(expression)
    texts = _unaliased(expression.strip()).split()
    if len(texts) != 5:
        hint = " ; sans commentaire (#)" if any(text.startswith("#") for text in texts) else ""
        raise ScheduleError(
            "cinq champs (minute, heure, jour du mois, mois, jour de semaine ; pas de secondes) sont"
            f" attendus, pas {len(texts)}{hint}"
        )
    minute, hour, day, month, weekday = texts
    days, last_day = _days(day)
    weekdays, nth_weekdays = _weekdays(weekday)
    fields = CronFields(
        minutes=_numbers(_MINUTE, minute),
        hours=_numbers(_HOUR, hour),
        days=days,
        last_day=last_day,
        months=_numbers(_MONTH, month),
        weekdays=weekdays,
        nth_weekdays=nth_weekdays,
        day_and_weekday=day.startswith("*") or weekday.startswith("*"),
        fixed_time=not minute.startswith("*") and not hour.startswith("*"),
    )
    if nth_weekdays and not fields.day_and_weekday and not fields.every_day_of_month:
        # In this case croniter requires both to match, crontab(5) one of them.
        raise ScheduleError(
            f"{_quoted(weekday)} demande * comme jour du mois, pas {_quoted(day)} : deux jobs font les deux"
        )
    return fields


def _require_plain(expression: str) -> None:
    """Raise ScheduleError if the text is too long for an expression, or has characters outside ASCII."""
    if len(expression) > _MAX_LENGTH:
        raise ScheduleError(f"une expression cron est attendue, pas {_quoted(expression)}")
    foreign = next((letter for letter in expression if not letter.isascii()), "")
    if foreign:
        raise ScheduleError(
            f"une expression cron est attendue, pas {_quoted(expression)} : {foreign!a} n'est pas une lettre"
            " ou un chiffre ordinaire, retaper l'expression au clavier"
        )


def _unaliased(text: str) -> str:
    alias = text.lower()
    if alias == "@reboot":
        raise ScheduleError("@reboot n'a pas d'heure : une expression cron ou @daily est attendue")
    if alias.startswith("@") and alias not in _ALIASES:
        raise ScheduleError(f"un alias parmi {', '.join(_ALIASES)} est attendu, pas {_quoted(text)}")
    return _ALIASES.get(alias, text)


def _days(text: str) -> tuple[tuple[int, ...], bool]:
    """Return the days of the month, and whether the last day (L) is one of them."""
    terms = text.lower().split(",")
    if unknown := next((term for term in terms if _QUARTZ.fullmatch(term)), ""):
        raise ScheduleError(
            f"{unknown.upper()} n'est pas connu ; un jour de 1 à 31 et L (le dernier jour du mois) le sont,"
            " et 5L dans le jour de semaine (le dernier vendredi)"
        )
    numbers = [_term(_DAY, term) for term in text.split(",") if term.lower() != "l"]
    return _ordered(numbers), "l" in terms


def _weekdays(text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Return the days of the week, and the pairs for terms such as mon#1 and 5L."""
    weekdays: list[Iterable[int]] = []
    nth_weekdays = set()
    for term in text.split(","):
        if match := _LAST.fullmatch(term):
            nth_weekdays.add((_WEEKDAY.number(match[1], term) % 7, 0))
        elif match := _NTH.fullmatch(term):
            if not 1 <= int(match[2]) <= 5:
                raise ScheduleError(f"du premier (#1) au cinquième (#5) du mois, pas {_quoted(term)}")
            nth_weekdays.add((_WEEKDAY.number(match[1], term) % 7, int(match[2])))
        else:
            weekdays.append(number % 7 for number in _term(_WEEKDAY, term))  # 7 is Sunday too
    if weekdays and nth_weekdays:
        raise ScheduleError(
            f"un jour tel que mon#1 ou 5L ne se mêle pas à des jours simples, pas {_quoted(text)} : deux jobs"
            " font les deux"
        )
    return _ordered(weekdays), tuple(sorted(nth_weekdays))


def _numbers(field: _Field, text: str) -> tuple[int, ...]:
    return _ordered(_term(field, term) for term in text.split(","))


def _ordered(groups: Iterable[Iterable[int]]) -> tuple[int, ...]:
    return tuple(sorted({number for group in groups for number in group}))


def _term(field: _Field, term: str) -> range:
    """Return the numbers of `*`, `5` or `5-9`, with or without `/2`; `5/2` extends to the field's end."""
    match = _TERM.fullmatch(term)
    if match is None:
        raise field.refusal(term)
    first, last, step = match.groups()
    low = field.low if first is None else field.number(first, term)
    if last is not None:
        high = _end(field, low, last, term)
    else:
        high = low if first is not None and step is None else field.high
    if step is None:
        return range(low, high + 1)
    return range(low, high + 1, _step(step, range(low, high + 1), term))


def _end(field: _Field, low: int, last: str, term: str) -> int:
    high = field.number(last, term)
    if high < low:
        raise ScheduleError(
            f"une plage va du plus petit au plus grand, pas {_quoted(term)}{_as_list(field, low, high)}"
        )
    return high


def _as_list(field: _Field, low: int, high: int) -> str:
    """Return the hint how to write a range that passes the end of its field, '' if it would be long."""
    if field is _WEEKDAY and high == 0:
        return " (dimanche qui finit une plage s'écrit 7)"
    numbers = [*range(low, field.high + (field is not _WEEKDAY)), *range(field.low, high + 1)]
    names = [field.names[number - field.low] if field.names else str(number) for number in numbers]
    return f" (écrire {','.join(names)})" if len(names) <= _MOST_LISTED else ""


def _step(text: str, numbers: range, term: str) -> int:
    """Return the step; raise ScheduleError for one that selects only the first of the numbers.

    Such a step is misleading: `*/90` does not mean every 90 minutes.
    """
    # int() is slow for thousands of digits, or refuses them.
    step = int(text) if len(text) <= 9 else 10**9
    if step == 0:
        raise ScheduleError(f"un pas d'au moins 1 est attendu, pas {_quoted(term)}")
    if len(numbers) == 1:
        # cronsim and crontab(5) disagree on what this is.
        raise ScheduleError(
            f"un pas demande une plage de plusieurs valeurs, pas {_quoted(term)} : écrire {numbers[0]}"
        )
    if step >= len(numbers):
        raise ScheduleError(
            f"un pas de {len(numbers) - 1} au plus est attendu, pas {_quoted(term)}, qui ne vaut que"
            f" {numbers[0]} : écrire {numbers[0]}, ou un pas plus court"
        )
    return step


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
