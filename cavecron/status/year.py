"""The section of the page on a job's slots in the last year: a calendar, and the same in tables. Pure."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from cavecron import french
from cavecron.french import short_date, short_moment
from cavecron.ledger.states import State
from cavecron.status import marks
from cavecron.status.charts import PLAIN, Square, calendar
from cavecron.status.facts import Calendar, CalendarDay
from cavecron.status.marks import mark_of
from cavecron.status.markup import Table, folded, safe, table

#: Days in the table of a job, and letters in the tooltip of a square, at most.
_MOST_DAYS, _MOST_LETTERS = 40, 90


def year_part(job: str, content: Calendar, zone: ZoneInfo) -> str:
    """Return the calendar of the slots of `job`, and the same in tables."""
    squares = {day.day: _square(day, zone) for day in content.days}
    used_marks = {square.mark for square in squares.values()}
    unit = "un carré par créneau" if content.one_a_day else "un carré par jour, dans la couleur du pire"
    label = f"Créneaux de {job}, mois par mois"
    return (
        f"<h3>Depuis le {short_date(content.since)} : {unit}</h3>\n"
        + marks.legend([marks.badge(mark, mark.one) for mark in marks.MARKS[::-1] if mark in used_marks])
        + calendar(label, squares, content.since, content.until)
        + folded("Le calendrier en tableaux", _months_table(content) + _bad_days_table(content, zone))
    )


def _square(day: CalendarDay, zone: ZoneInfo) -> Square:
    mark = mark_of(day.worst)
    if mark is marks.SUCCEEDED:
        return PLAIN
    reason = f", {day.reason}" if day.reason else ""
    return Square(mark=mark, title=f"{_day_words(day, zone)} : {_counts(day.counts)}{reason}"[:_MOST_LETTERS])


def _day_words(day: CalendarDay, zone: ZoneInfo) -> str:
    return short_moment(day.slot, zone) if day.slot else short_date(day.day)


def _counts(counts: Mapping[State, int]) -> str:
    """Return in French how many slots of a day had which outcome; only the outcome if there was one slot."""
    if sum(counts.values()) == 1:
        return next(mark_of(state).one for state, number in counts.items() if number)
    return ", ".join(_counted(counts))


def _counted(counts: Mapping[State, int]) -> list[str]:
    return [mark_of(state).count(counts[state]) for state in _STATES if counts.get(state)]


_STATES: Sequence[State] = ("succeeded", "failed", "interrupted", "missed", "running")


def _months_table(content: Calendar) -> str:
    """Return a table of how many slots of each month had which outcome."""
    months: dict[tuple[int, int], dict[State, int]] = {}
    for day in content.days:
        counts = months.setdefault((day.day.year, day.day.month), dict.fromkeys(_STATES, 0))
        for state, number in day.counts.items():
            counts[state] += number
    rows = [
        (f"{french.MONTHS[month - 1]} {year}", ", ".join(_counted(counts)))
        for (year, month), counts in months.items()
    ]
    return table(Table(caption="Créneaux par mois", columns=("Mois", "Créneaux"), rows=rows))


def _bad_days_table(content: Calendar, zone: ZoneInfo) -> str:
    bad = [day for day in content.days if day.worst != "succeeded"][::-1]
    if not bad:
        return "<p>Tous les autres créneaux ont réussi.</p>\n"
    rows = [
        (
            _day_words(day, zone),
            marks.badge(mark_of(day.worst), _counts(day.counts)),
            safe(day.reason or "–"),
        )
        for day in bad[:_MOST_DAYS]
    ]
    more = len(bad) - len(rows)
    caption = "Ce qui n’a pas réussi, le plus récent d’abord" + (f" ({more} jours de plus)" if more else "")
    return table(Table(caption=caption, columns=("Quand", "Résultat", "Pourquoi"), rows=rows, stacked=True))
