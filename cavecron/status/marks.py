"""How an outcome is drawn: a colour and a sign, so that nobody depends on one of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One outcome on a page.

    `name` is its class in the style sheet and its drawing in `drawings`; `path` is the sign, around 0/0;
    `one` and `several` are the French words.
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
_TURN = "M2.8-2.2A3.6 3.6 0 1 0 3.6 .6M3.2-4.4V-1.8H.6"
_PAUSE = "M-1.8-3V3M1.8-3V3"
_DASH = "M-3 0H3"
_DOTS = "M-3.2 0h.4M-.2 0h.4M2.8 0h.4"

SUCCEEDED = Mark(name="ok", one="réussi", several="réussis", path=_TICK)
MADE_UP = Mark(name="late", one="rattrapé", several="rattrapés", path=_TURN)
MISSED = Mark(name="missed", one="manqué", several="manqués", path=_DASH)
FAILED = Mark(name="failed", one="en échec", several="en échec", path=_CROSS)
INTERRUPTED = Mark(name="cut", one="interrompu", several="interrompus", path=_PAUSE)
RUNNING = Mark(name="busy", one="en cours", several="en cours", path=_DOTS)

#: From the worst to the best: of several outcomes in one square the first counts.
MARKS: Sequence[Mark] = (FAILED, INTERRUPTED, MISSED, RUNNING, MADE_UP, SUCCEEDED)

#: Half the width of a mark, in pixels.
HALF = 6.5


def drawings() -> str:
    """Return the hidden SVG in which each mark is drawn once; a page has it before it uses one."""
    drawn = "\n".join(
        f'<g id="{mark.name}"><rect class="{mark.name}" x="-{HALF}" y="-{HALF}" width="{2 * HALF:g}"'
        f' height="{2 * HALF:g}" rx="3"></rect><path class="sign" d="{mark.path}"></path></g>'
        for mark in MARKS
    )
    return f'<svg class="drawings" aria-hidden="true" focusable="false"><defs>{drawn}</defs></svg>\n'


def badge(mark: Mark, words: str) -> str:
    """Return a mark and words (markup) beside it, for a line of text or a cell."""
    return f'<span class="badge">{icon(mark)} {words}</span>'


def icon(mark: Mark) -> str:
    """Return a mark for a line of text; the words beside it say the same."""
    return f'<svg class="icon" aria-hidden="true" focusable="false"><use href="#{mark.name}"></use></svg>'


def legend(entries: Sequence[str]) -> str:
    """Return the list of what signs mean; each entry is markup: a badge, or a drawing with words."""
    items = "".join(f"<li>{entry}</li>" for entry in entries)
    return f'<ul class="legend" aria-label="Légende">{items}</ul>\n'
