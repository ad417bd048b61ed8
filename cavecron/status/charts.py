"""Charts as inline SVG: a calendar of days, and bars. Each says in words what it shows, a table the rest.

Lengths are pixels where they must keep their shape, and percent where they follow the width of the page.
Pure.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cavecron.french import MONTHS
from cavecron.status.marks import HALF, MARKS, Mark
from cavecron.status.markup import safe

#: Pixels from one square of the calendar to the next, and of the height of bars.
_PITCH = 15.5
_TALL = 78
_BOTTOM = 94


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A day in the calendar: its mark, and what is said when someone points at it."""

    mark: Mark
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its value, in whatever unit, and what is said when someone points at it.

    `mark` is there where its outcome has to be seen; a plain bar has none.
    """

    value: float
    title: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Bars from left to right; `label` says what they show, `top` is the greatest value in words."""

    label: str
    top: str
    first: str
    last: str
    bars: Sequence[Bar]


def calendar(label: str, days: Mapping[date, Square], first: date, last: date) -> str:
    """Return a small sheet for each month from `first` to `last`, one square a day; `label` says of what."""
    months = "\n".join(
        _month(days, year, month)
        for year in range(first.year, last.year + 1)
        for month in range(1, 13)
        if (first.year, first.month) <= (year, month) <= (last.year, last.month)
    )
    return f'<ul class="months" aria-label="{safe(label)}">\n{months}\n</ul>\n'


def _month(days: Mapping[date, Square], year: int, month: int) -> str:
    weekday, length = monthrange(year, month)
    dates = [date(year, month, day) for day in range(1, length + 1)]
    drawn = {day: days[day] for day in dates if day in days}
    empty = "".join(_hole(weekday, day) for day in dates if day not in drawn)
    squares = "".join(
        f'<use href="#{square.mark.name}" x="{x:g}" y="{y:g}"><title>{safe(square.title)}</title></use>'
        for day, square in drawn.items()
        for x, y in (_place(weekday, day),)
    )
    name = f"{MONTHS[month - 1]} {year}"
    return (
        f'<li><span aria-hidden="true">{name}</span><svg role="img" aria-label="{name} : {_counted(drawn)}">'
        f'<path class="empty" d="{empty}"></path>{squares}</svg></li>'
    )


def _place(weekday: int, day: date) -> tuple[float, float]:
    """Return the middle of a day's square: columns from Monday to Sunday."""
    row, column = divmod(weekday + day.day - 1, 7)
    return column * _PITCH + HALF + 1, row * _PITCH + HALF + 0.5


def _hole(weekday: int, day: date) -> str:
    x, y = _place(weekday, day)
    return f"M{x - 3:g} {y - 3:g}h6v6h-6z"


def _counted(days: Mapping[date, Square]) -> str:
    counts = Counter(square.mark for square in days.values())
    return ", ".join(mark.count(counts[mark]) for mark in MARKS if mark in counts) or "aucun créneau"


def bars(chart: BarChart) -> str:
    """Return a chart of bars, as wide as the page lets it; the greatest value is as high as it gets."""
    most = max((bar.value for bar in chart.bars), default=0) or 1
    step = 100 / max(len(chart.bars), 12)
    drawn = "".join(_bar(bar, place * step, step, most) for place, bar in enumerate(chart.bars))
    return (
        f'<svg class="bars" role="img" aria-label="{safe(chart.label)}">'
        f'<text x="0" y="11" aria-hidden="true">{safe(chart.top)}</text>'
        f'<line class="axis" x1="0" x2="100%" y1="16" y2="16"></line>{drawn}'
        f'<line class="axis" x1="0" x2="100%" y1="{_BOTTOM}" y2="{_BOTTOM}"></line></svg>\n'
        f'<div class="ends" aria-hidden="true"><span>{safe(chart.first)}</span>'
        f"<span>{safe(chart.last)}</span></div>\n"
    )


def _bar(bar: Bar, left: float, step: float, most: float) -> str:
    """Draw one bar, at least two pixels high; one with a mark has it at its foot."""
    high = max(2.0, bar.value / most * _TALL)
    kind = bar.mark.name if bar.mark else "bar"
    return (
        f'<rect class="{kind}" x="{left:.4g}%" y="{_BOTTOM - high:.4g}" width="{step * 0.72:.3g}%"'
        f' height="{high:.4g}" rx="1"><title>{safe(bar.title)}</title></rect>'
    )
