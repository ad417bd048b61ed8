"""What a weekly mail says, laid out in sections and worded in French, before it is HTML or text.

Plain values: `wording` makes them of a report, `html` and `text` only render them. So both parts say the same
by construction, and in the same order. Whatever a user typed is one printable line here, but not yet escaped.
"""

from dataclasses import dataclass
from typing import Literal

#: How something is to be seen before it is read; the sign and the words beside it say the same.
Tone = Literal["urgent", "optimal", "soon", "calm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A word with a sign before it: '▲ Urgent', never known by its colour alone."""

    tone: Tone
    sign: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A line on its own; a `hint` says what the reader can do, and stands apart."""

    text: str
    hint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Badges:
    """Several badges in a row: '▲ 2 urgents', '● 5 optimaux'."""

    badges: tuple[Badge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A wine to drink: its name, how urgent it is, what is known of it, and its keeping note."""

    title: str
    badge: Badge
    lines: tuple[str, ...]
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How full a cellar is: `rate` in percent is drawn as a bar; its badge says it, None without capacity."""

    title: str
    rate: float
    badge: Badge | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Bottles that came or went: '2 ×', which ones, what is known of them, and the tasting comment."""

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
    """A title and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole mail, from its name on top to its last line.

    `figures` are numbers and what they count: ('84', 'bouteilles').
    """

    name: str
    period: str
    greeting: str
    lead: str
    figures: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    summary: str
    footer: tuple[str, ...]
