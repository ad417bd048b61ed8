"""Charts as inline SVG: a calendar of days, and bars.

Each chart has a title that sums it up in words; the caller adds a table with all values. Lengths are pixels
where a shape must not be distorted, and percent where it follows the width of the page. Pure.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cavecron.french import MONTHS
from cavecron.status.marks import MARKS, PITCH, SUCCEEDED, Mark
from cavecron.status.markup import safe

#: In pixels: the height of the highest bar, and the y coordinate of the lower end of all bars.
_MAX_HEIGHT, _BASELINE = 78, 94
#: The fewest columns into which the width is divided, so that a few bars do not become very wide.
_MIN_COLUMNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A day in the calendar: its mark, and its tooltip."""

    mark: Mark
    title: str = ""


#: The square of a day on which everything succeeded; without a tooltip of its own it shows the month's.
PLAIN = Square(mark=SUCCEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its value, in any unit, and its tooltip.

    `hatched` is the part of the value that went wrong; it is drawn hatched, at the upper end.
    """

    value: float
    title: str
    hatched: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Bars from left to right; `label` sums them up for screen readers.

    `top` is the text above them (the greatest value), `first` and `last` are the texts below the first and
    the last bar.
    """

    label: str
    top: str
    first: str
    last: str
    bars: Sequence[Bar]


def calendar(label: str, days: Mapping[date, Square], first: date, last: date) -> str:
    """Return a small calendar for each month from `first` to `last`, one square a day.

    `label` says for screen readers what is shown.
    """
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
    of_month = {day: days[day] for day in dates if day in days}
    plain = [day for day in of_month if of_month[day] == PLAIN]
    squares = "".join(
        _square(square, *_middle(weekday, day)) for day, square in of_month.items() if square != PLAIN
    )
    name = f"{MONTHS[month - 1]} {year}"
    return (
        f'<li><span aria-hidden="true">{name}</span><svg role="img" viewBox="0 0 110 94">'
        f"<title>{name} : {_totals(of_month)}</title>"
        f'<path class="holes" d="{_area(weekday, dates)}"/><path class="plain" d="{_area(weekday, plain)}"/>'
        f"{squares}</svg></li>"
    )


def _square(square: Square, x: float, y: float) -> str:
    title = f"<title>{safe(square.title)}</title>" if square.title else ""
    return f'<use href="#{square.mark.name}" x="{x:g}" y="{y:g}">{title}</use>'


def _middle(weekday: int, day: date) -> tuple[float, float]:
    """Return x and y of the middle of a day's square, in pixels; columns go from Monday to Sunday."""
    row, column = divmod(weekday + day.day - 1, 7)
    return (column + 0.5) * PITCH, (row + 0.5) * PITCH


def _area(weekday: int, days: Sequence[date]) -> str:
    """Return the SVG path around the squares of some days of a month, to be filled with a pattern."""
    rows: list[list[tuple[int, int]]] = []
    for row, column in (divmod(weekday + day.day - 1, 7) for day in days):
        if rows and rows[-1][-1] == (row, column - 1):
            rows[-1].append((row, column))
        else:
            rows.append([(row, column)])
    return "".join(_strip(part[0], len(part) * PITCH) for part in rows)


def _strip(first: tuple[int, int], width: float) -> str:
    """Return the SVG path around adjacent squares, from the `first` (row, column), `width` pixels long."""
    row, column = first
    return f"M{column * PITCH:g} {row * PITCH:g}h{width:g}v{PITCH}h-{width:g}z"


def _totals(days: Mapping[date, Square]) -> str:
    """Return in French how many days have which mark."""
    counts = Counter(square.mark for square in days.values())
    return ", ".join(mark.count(counts[mark]) for mark in MARKS[::-1] if mark in counts) or "aucun créneau"


def bars(chart: BarChart) -> str:
    """Return a bar chart as wide as the page allows; the greatest value has the full height."""
    greatest = max((bar.value for bar in chart.bars), default=0) or 1
    step = 100 / max(len(chart.bars), _MIN_COLUMNS)
    rectangles = "".join(_bar(bar, place * step, step, greatest) for place, bar in enumerate(chart.bars))
    return (
        f'<svg class="bars" role="img"><title>{safe(chart.label)}</title>'
        f'<text x="0" y="11" aria-hidden="true">{safe(chart.top)}</text>'
        f'<line class="axis" x1="0" x2="100%" y1="16" y2="16"/>{rectangles}'
        f'<line class="axis" x1="0" x2="100%" y1="{_BASELINE}" y2="{_BASELINE}"/></svg>\n'
        f'<div class="ends" aria-hidden="true">{_ends(chart)}</div>\n'
    )


def _ends(chart: BarChart) -> str:
    """Return the texts below the bars; both at the left if the bars do not reach the right end."""
    if len(chart.bars) < _MIN_COLUMNS:
        return f"<span>{safe(chart.first)} → {safe(chart.last)}</span>"
    return f"<span>{safe(chart.first)}</span><span>{safe(chart.last)}</span>"


def _bar(bar: Bar, x: float, step: float, greatest: float) -> str:
    """Draw one bar, at least two pixels high; `x` and `step` are percent of the width."""
    height = max(2.0, bar.value / greatest * _MAX_HEIGHT)
    place = f'x="{x:.4g}%" width="{step * 0.72:.2g}%"'
    title = f"<title>{safe(bar.title)}</title>"
    svg = f'<rect {place} y="{_BASELINE - height:.3g}" height="{height:.3g}">{title}</rect>'
    if bar.hatched:
        part = max(4.0, bar.hatched / greatest * _MAX_HEIGHT)
        shape = f'{place} y="{_BASELINE - height:.3g}" height="{part:.3g}"'
        svg += f'<rect class="ground" {shape}/><rect class="edge down" {shape}>{title}</rect>'
    return svg
