"""One row of a timeline as inline SVG: bands of time, and marks; positions are fractions of 1. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from cavecron.status.marks import Mark
from cavecron.status.markup import safe

_MIDDLE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A hatched period; `kind` is its class in the style sheet, `title` its tooltip."""

    begin: float
    end: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The mark of one slot, or a band from `begin` to `end` for many slots with the same outcome.

    `run_at` is when a late run began.
    """

    begin: float
    end: float
    mark: Mark
    title: str
    run_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One row over the hours of a day; `label` describes it for screen readers.

    `width` is less than 1 on a day with fewer hours than the longest one; `ticks` mark hours.
    """

    label: str
    width: float
    bands: Sequence[Band] = ()
    slots: Sequence[Slots] = ()
    ticks: Sequence[float] = ()


def lane(content: Lane) -> str:
    """Return the SVG of a row, as wide as the page allows."""
    shapes = [f'<rect class="track" x="0" y="4" width="{_percent(content.width)}" height="12" rx="2"/>']
    shapes += [_line("tick", tick, tick) for tick in content.ticks]
    shapes += [_band(band) for band in content.bands]
    shapes += [_slots(slots) for slots in content.slots]
    return f'<svg class="lane" role="img" aria-label="{safe(content.label)}">{"".join(shapes)}</svg>\n'


def swatch(kind: str, words: str) -> str:
    """Return a sample of a hatched band with `words` (markup) beside it, for a legend."""
    return (
        '<span class="badge"><svg class="swatch" aria-hidden="true">'
        f'<rect class="edge {kind}" x="1" y="1" width="26" height="13"/></svg> {words}</span>'
    )


def _band(band: Band) -> str:
    return (
        f'<rect class="edge {band.kind}" x="{_percent(band.begin)}" y="1"'
        f' width="{_percent(max(band.end - band.begin, 0.002))}" height="18">'
        f"<title>{safe(band.title)}</title></rect>"
    )


def _slots(slots: Slots) -> str:
    title = f"<title>{safe(slots.title)}</title>"
    if slots.end > slots.begin:
        return (
            f'<rect class="{slots.mark.name}" x="{_percent(slots.begin)}" y="4"'
            f' width="{_percent(slots.end - slots.begin)}" height="12" rx="3">{title}</rect>'
            + _use(slots.mark, (slots.begin + slots.end) / 2, title)
        )
    if slots.run_at is None:
        return _use(slots.mark, slots.begin, title)
    return (
        f'<circle class="from" cx="{_percent(slots.begin)}" cy="{_MIDDLE}" r="3">{title}</circle>'
        + _line("link", slots.begin, slots.run_at)
        + _use(slots.mark, slots.run_at, title)
    )


def _use(mark: Mark, place: float, title: str) -> str:
    return f'<use href="#{mark.name}" x="{_percent(place)}" y="{_MIDDLE}">{title}</use>'


def _line(kind: str, begin: float, end: float) -> str:
    y1, y2 = (4, 16) if begin == end else (_MIDDLE, _MIDDLE)
    return f'<line class="{kind}" x1="{_percent(begin)}" x2="{_percent(end)}" y1="{y1}" y2="{y2}"/>'


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.5g}%"
