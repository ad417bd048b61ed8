"""The contents of a weekly mail as sections of French text, independent of HTML and plain text. Pure.

`wording` makes a page from a report; `html` and `text` only render it, so that both parts have the same
contents in the same order. Text of users is one printable line here, but not yet escaped.
"""

from dataclasses import dataclass
from typing import Literal

#: The colour of an element; a sign and words beside it say the same.
Tone = Literal["urgent", "optimal", "soon", "calm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A word with a sign before it, such as '▲ Urgent', so that colour is not the only mark."""

    tone: Tone
    sign: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A separate line; a `hint` says what the reader can do, and is set off."""

    text: str
    hint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Badges:
    """Several badges in a row: '▲ 2 urgents', '● 5 optimaux'."""

    badges: tuple[Badge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A wine to drink: its name, its urgency, lines of details, and its keeping note."""

    title: str
    badge: Badge
    lines: tuple[str, ...]
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How full a cellar is: a bar for `rate` in percent, and the rate as a badge, None without a capacity."""

    title: str
    rate: float
    badge: Badge | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Bottles that came in or went out: '2 ×', their name, lines of details, and the tasting comment."""

    amount: str
    title: str
    lines: tuple[str, ...]
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The title of a part of a section."""

    text: str


Block = Sentence | Badges | Card | Meter | Row | Heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A title and the blocks below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole mail, from the application's name at the top to the footer.

    `figures` are pairs of a number and a noun: ('84', 'bouteilles').
    """

    name: str
    period: str
    greeting: str
    lead: str
    figures: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    summary: str
    footer: tuple[str, ...]
