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
from cavecron.status.marks import MARKS, PITCH, SUCCEEDED, Mark
from cavecron.status.markup import safe

#: Of the bars, in pixels: how high the highest is, and where they stand.
_TALL, _FOOT = 78, 94
#: Fewer bars are not made wider than this many would be.
_LEAST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A day in the calendar: its mark, and what is said when someone points at it."""

    mark: Mark
    title: str = ""


#: The square of a day of which there is nothing to say; someone who points at it is told of the month.
PLAIN = Square(mark=SUCCEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its value, in whatever unit, and what is said when someone points at it.

    `hatched` is the part of the value that went wrong; it is on top.
    """

    value: float
    title: str
    hatched: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Bars from left to right; `label` says what they show, `top` is the greatest value in words.

    `first` and `last` stand below the first and the last bar.
    """

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
    plain = [day for day in drawn if drawn[day] == PLAIN]
    squares = "".join(
        _square(square, *_middle(weekday, day)) for day, square in drawn.items() if square != PLAIN
    )
    name = f"{MONTHS[month - 1]} {year}"
    return (
        f'<li><span aria-hidden="true">{name}</span><svg role="img" viewBox="0 0 110 94">'
        f"<title>{name} : {_counted(drawn)}</title>"
        f'<path class="holes" d="{_area(weekday, dates)}"/><path class="plain" d="{_area(weekday, plain)}"/>'
        f"{squares}</svg></li>"
    )


def _square(square: Square, x: float, y: float) -> str:
    title = f"<title>{safe(square.title)}</title>" if square.title else ""
    return f'<use href="#{square.mark.name}" x="{x:g}" y="{y:g}">{title}</use>'


def _middle(weekday: int, day: date) -> tuple[float, float]:
    """Return the middle of a day's square: columns from Monday to Sunday."""
    row, column = divmod(weekday + day.day - 1, 7)
    return (column + 0.5) * PITCH, (row + 0.5) * PITCH


def _area(weekday: int, days: Sequence[date]) -> str:
    """Return the path around the squares of some days of a month; a pattern fills them."""
    rows: list[list[tuple[int, int]]] = []
    for row, column in (divmod(weekday + day.day - 1, 7) for day in days):
        if rows and rows[-1][-1] == (row, column - 1):
            rows[-1].append((row, column))
        else:
            rows.append([(row, column)])
    return "".join(_strip(part[0], len(part) * PITCH) for part in rows)


def _strip(first: tuple[int, int], width: float) -> str:
    """Return the path around squares of one row, from the `first` (row, column) on."""
    row, column = first
    return f"M{column * PITCH:g} {row * PITCH:g}h{width:g}v{PITCH}h-{width:g}z"


def _counted(days: Mapping[date, Square]) -> str:
    counts = Counter(square.mark for square in days.values())
    return ", ".join(mark.count(counts[mark]) for mark in MARKS[::-1] if mark in counts) or "aucun créneau"


def bars(chart: BarChart) -> str:
    """Return a chart of bars, as wide as the page lets it; the greatest value is as high as it gets."""
    most = max((bar.value for bar in chart.bars), default=0) or 1
    step = 100 / max(len(chart.bars), _LEAST)
    drawn = "".join(_bar(bar, place * step, step, most) for place, bar in enumerate(chart.bars))
    return (
        f'<svg class="bars" role="img"><title>{safe(chart.label)}</title>'
        f'<text x="0" y="11" aria-hidden="true">{safe(chart.top)}</text>'
        f'<line class="axis" x1="0" x2="100%" y1="16" y2="16"/>{drawn}'
        f'<line class="axis" x1="0" x2="100%" y1="{_FOOT}" y2="{_FOOT}"/></svg>\n'
        f'<div class="ends" aria-hidden="true">{_ends(chart)}</div>\n'
    )


def _ends(chart: BarChart) -> str:
    """Return what stands below the first and the last bar; both at the left where the bars end there."""
    if len(chart.bars) < _LEAST:
        return f"<span>{safe(chart.first)} → {safe(chart.last)}</span>"
    return f"<span>{safe(chart.first)}</span><span>{safe(chart.last)}</span>"


def _bar(bar: Bar, left: float, step: float, most: float) -> str:
    """Draw one bar, at least two pixels high."""
    high = max(2.0, bar.value / most * _TALL)
    place = f'x="{left:.4g}%" width="{step * 0.72:.2g}%"'
    title = f"<title>{safe(bar.title)}</title>"
    drawn = f'<rect {place} y="{_FOOT - high:.3g}" height="{high:.3g}">{title}</rect>'
    if bar.hatched:
        part = max(4.0, bar.hatched / most * _TALL)
        shape = f'{place} y="{_FOOT - high:.3g}" height="{part:.3g}"'
        drawn += f'<rect class="ground" {shape}/><rect class="edge down" {shape}>{title}</rect>'
    return drawn
