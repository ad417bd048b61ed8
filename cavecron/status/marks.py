"""The mark of each outcome on a page: a colour and a sign, either of which is enough to tell it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The mark of one outcome.

    `name` is its class in the style sheet and its id in `drawings`, `path` the SVG path of its sign, centred
    on 0/0; `one` and `several` are the French words, singular and plural.
    """

    name: str
    one: str
    several: str
    path: str

    def count(self, number: int) -> str:
        """Return '1 réussi' or '3 réussis'."""
        return f"{number} {self.several if number > 1 else self.one}"


_TICK = "M-3.5 .5-1 3 3.5-3"
_CROSS = "M-3-3 3 3M3-3-3 3"
_CIRCULAR_ARROW = "M2.8-2.2A3.6 3.6 0 1 0 3.6 .6M3.2-4.4V-1.8H.6"
_PAUSE_BARS = "M-1.8-3V3M1.8-3V3"
_DASH = "M-3 0H3"
_DOTS = "M-3.2 0h.4M-.2 0h.4M2.8 0h.4"

SUCCEEDED = Mark(name="ok", one="réussi", several="réussis", path=_TICK)
MADE_UP = Mark(name="late", one="rattrapé", several="rattrapés", path=_CIRCULAR_ARROW)
MISSED = Mark(name="missed", one="manqué", several="manqués", path=_DASH)
FAILED = Mark(name="failed", one="en échec", several="en échec", path=_CROSS)
INTERRUPTED = Mark(name="cut", one="interrompu", several="interrompus", path=_PAUSE_BARS)
RUNNING = Mark(name="busy", one="en cours", several="en cours", path=_DOTS)

#: From the worst to the best; a square with several outcomes shows the worst one.
MARKS: Sequence[Mark] = (FAILED, INTERRUPTED, MISSED, RUNNING, MADE_UP, SUCCEEDED)

#: Fill patterns of bands and bars by their class in the style sheet: the colour, and the path of the lines.
_HATCHES: Mapping[str, tuple[str, str]] = {
    "down": ("failed", "M0 0 8 8M-2 6 2 10M6-2 10 2"),
    "asleep": ("late", "M0 4H8"),
    "jump": ("cut", "M4 0V8"),
}
_BY_STATE = {
    "succeeded": SUCCEEDED,
    "failed": FAILED,
    "interrupted": INTERRUPTED,
    "missed": MISSED,
    "running": RUNNING,
}
#: In pixels: half the width of a mark, and the distance from one square of a calendar to the next.
_HALF, PITCH = 6.5, 15.5


def mark_of(state: str, trigger: str = "slot") -> Mark:
    """Return the mark of a run or a slot by its state and its trigger in the ledger."""
    if (state, trigger) == ("succeeded", "replay"):
        return MADE_UP
    return _BY_STATE.get(state, RUNNING)


def drawings() -> str:
    """Return the hidden SVG that defines each mark and pattern; it stands before all that use them."""
    definitions = "\n".join(
        f'<g id="{mark.name}"><rect class="{mark.name}" x="-{_HALF}" y="-{_HALF}" width="{2 * _HALF:g}"'
        f' height="{2 * _HALF:g}" rx="3"/><path class="sign" d="{mark.path}"/></g>'
        for mark in MARKS
    )
    middle = PITCH / 2
    hole = f'<rect class="empty" x="{middle - 3}" y="{middle - 3}" width="6" height="6"/>'
    plain = f'<use href="#{SUCCEEDED.name}" x="{middle}" y="{middle}"/>'
    patterns = _squares("holes", hole) + _squares("plain", plain)
    patterns += "".join(_hatch(name, *drawing) for name, drawing in _HATCHES.items())
    return f'<svg class="drawings" aria-hidden="true"><defs>{definitions}{patterns}</defs></svg>\n'


def _squares(name: str, content: str) -> str:
    """Return a pattern that fills many squares of a calendar at once; one element for each is far longer."""
    size = f'width="{PITCH}" height="{PITCH}" patternUnits="userSpaceOnUse"'
    return f'<pattern id="{name}" {size}>{content}</pattern>'


def _hatch(name: str, colour: str, path: str) -> str:
    return (
        f'<pattern id="hatch-{name}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<path d="{path}" style="stroke:var(--{colour});stroke-width:2"/></pattern>'
    )


def badge(mark: Mark, words: str) -> str:
    """Return a mark with `words` (markup) beside it, for a line of text or a cell."""
    return f'<span class="badge">{icon(mark)} {words}</span>'


def icon(mark: Mark) -> str:
    """Return a mark for a line of text, hidden from screen readers: the words beside it say the same."""
    return f'<svg class="icon" aria-hidden="true"><use href="#{mark.name}"/></svg>'


def legend(entries: Sequence[str]) -> str:
    """Return the legend; each entry is markup, a badge or a swatch."""
    items = "".join(f"<li>{entry}</li>" for entry in entries)
    return f'<ul class="legend" aria-label="Légende">{items}</ul>\n'
