"""Parts of French sentences in a mail: numbers, nouns, names and quotations, and their longest lengths.

Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cavecron.report.model import Quantity, Vintage
from cavecron.text import plain

_FRENCH_DIGITS = str.maketrans({",": "\u202f", ".": ",", "-": "−"})
#: A larger percentage means that the capacity is wrong.
_HIGHEST_RATE = 9999
#: The most digits of a year, and characters of words in its place.
_LONGEST_YEAR, _LONGEST_VINTAGE = 8, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most cellars and movements in each direction, and the most characters of each text, in a mail."""

    cellars: int
    movements: int
    name: int = 120
    note: int = 240
    comment: int = 2000


#: The limits of nearly all mails, and stricter ones for mails that would be too long.
FULL = Limits(cellars=100, movements=100)
LONG = Limits(cellars=100, movements=40)
SHORT = Limits(cellars=40, movements=20, comment=250)
SHORTEST = Limits(cellars=10, movements=5, name=40, note=200, comment=120)


def counted(number: Quantity, noun: str) -> str:
    """Return '1 bouteille', '0 bouteille' or '2 bouteilles': in French, the plural begins at two."""
    return f"{grouped(number)} {plural(number, noun)}"


def plural(number: Quantity, noun: str) -> str:
    """Return the noun after `number`; in the plural, from two on, each word gets an s."""
    return noun if abs(number) < 2 else " ".join(f"{word}s" for word in noun.split())


def grouped(number: Quantity) -> str:
    """Return the number in French notation: '1 234,5' with a thin space, '−2' with a minus sign."""
    if type(number) is int and 0 <= number < 1000:  # the usual case
        return str(number)
    shown = round(number, 2) + 0  # + 0 turns a rounded "−0" into "0"
    return f"{shown:,}".removesuffix(".0").translate(_FRENCH_DIGITS)


def percent(rate: float) -> str:
    """Return '62,5 %'."""
    if rate > _HIGHEST_RATE:
        return f">\u00a0{grouped(_HIGHEST_RATE)}\u00a0%"
    return f"{grouped(round(rate, 1))}\u00a0%"


def others(hidden: int, noun: str) -> str:
    """Return '… et 7 autres vins', or '' when nothing is hidden."""
    return f"… et {grouped(hidden)} {plural(hidden, f'autre {noun}')}" if hidden > 0 else ""


def vintage(stored: Vintage) -> str:
    """Return the year, or the words stored in its place."""
    if isinstance(stored, int):
        return plain(str(stored), _LONGEST_YEAR)  # what the application stores can have a thousand digits
    return plain(stored, _LONGEST_VINTAGE)


def named(name: str, limits: Limits) -> str:
    """Return the name on one line, 'Sans nom' if it is empty."""
    return plain(name, limits.name) or "Sans nom"


def titled(name: str, stored: Vintage | None, limits: Limits) -> str:
    """Return 'Château Margaux 2015'; the year is not repeated if the name contains it."""
    title = named(name, limits)
    year = "" if stored is None else vintage(stored)
    return title if not year or f" {year} " in f" {title} " else f"{title} {year}"


def cleaned(text: str | None, limit: int) -> str:
    """Return the text on one line of at most `limit` characters, '' if there is none."""
    return plain(text, limit) if text else ""


def in_guillemets(text: str | None, limit: int) -> str:
    """Return '« Avec les voisins »', cut after a word beyond `limit` characters; '' for an empty text."""
    return f"«\u00a0{words}\u00a0»" if (words := cleaned(text, limit)) else ""


def joined(parts: Sequence[str]) -> str:
    """Return the parts that are not empty, with dots between them."""
    # The no-break space before the dot keeps it from starting a line.
    return "\u00a0· ".join(piece for piece in parts if piece)


def listed(clauses: Sequence[str]) -> str:
    """Return 'a, b et c'."""
    return " et ".join(filter(None, (", ".join(clauses[:-1]), clauses[-1])))
