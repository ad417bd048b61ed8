"""Making text safe to show: printable, one line, no names, JSON; and finding what a typo meant. Pure."""

import re
from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING

from cavecron.lazy import lazy_module

if TYPE_CHECKING:
    import difflib
    import json
else:
    json = lazy_module("json")  # only for output as JSON
    difflib = lazy_module("difflib")  # only for a misspelt word

#: How many times the shown length is read of a long text, because it may contain many blanks in a row.
_LENGTHS_READ = 20
#: Longer names are not compared, because the time grows with the product of both lengths.
_LONGEST_NAME = 200


# Control characters, lone surrogates, characters that change the direction of text, and non-characters: they
# are not allowed in HTML, or they disguise text.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)

#: Characters that act on a terminal or disguise text (Unicode, UAX #9), except line ends and tabs, written
#: for use inside [] in a regular expression.
HARMFUL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
_HARMFUL = re.compile(f"[{HARMFUL}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Its first part may have an apostrophe in it, or be anything between quotation marks (RFC 5321, 4.1.2).
_ADDRESS = re.compile(r"""(?:"[^"\n]*"|(?<![^\s<>"'(),;:])[^\s<>"'(),;:][^\s<>"(),;:]*)@[^\s<>"'(),;:]+""")
#: The summary of a run that failed for some people: after their number come their names, with the reasons.
_FAILURES = re.compile(r"(\d+ échecs?) : .*", re.DOTALL)


def harmless(text: str) -> str:
    """Return `text` with an escape for each character that acts on a terminal or disguises text.

    Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return _HARMFUL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def to_json(value: object, *, indent: int | None = None) -> str:
    """Return `value` as valid JSON (RFC 8259); letters outside ASCII are not escaped.

    Control characters, and those that change the direction of text, are escaped. Infinity and NaN become
    null, a lone surrogate U+FFFD.
    """
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text = encoder.encode(value)
    except ValueError:
        text = encoder.encode(_finite(value))
    return _SURROGATE.sub("\ufffd", _HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _finite(value: object) -> object:
    """Return `value` with None in place of each infinity and NaN."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, (list, tuple)) else value


def plain(text: str, limit: int = 120) -> str:
    """Return `text` on one line, printable, and cut after a word where it exceeds `limit` characters."""
    if len(text) <= limit and text.isprintable() and "  " not in text and text.strip() == text:
        return text  # true of nearly all texts, and five times as fast
    line = " ".join(_UNPRINTABLE.sub(" ", text[: limit * _LENGTHS_READ]).split())
    if len(line) <= limit:
        return line
    words, blank, _rest = line[:limit].rpartition(" ")
    cut = words if blank and len(words) > limit * 3 // 4 else line[: limit - 1]
    return cut.rstrip(" .,;:") + "…"


def without_people(text: str) -> str:
    """Return `text` without mail addresses, and without the names of those for whom a job failed."""
    return without_addresses(_FAILURES.sub(r"\1", text))


def without_addresses(text: str) -> str:
    """Return `text` with a word in place of each mail address."""
    return _ADDRESS.sub("(adresse)", text)


def as_utf8(text: str) -> str:
    """Return a text from the environment or the command line decoded as UTF-8 in any locale (PEP 383).

    Not to be used for paths, whose bytes must reach the system unchanged.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def nearest(word: str, candidates: Iterable[str], *, cutoff: float = 0.5) -> str | None:
    """Return the candidate most similar to `word`, ignoring case; None if none is similar enough.

    `cutoff` is the least similarity, from 0 (any candidate) to 1 (equal), as `difflib` measures it.
    """
    folded = {name.casefold(): name for name in candidates if len(name) <= _LONGEST_NAME}
    matches = difflib.get_close_matches(word[:_LONGEST_NAME].casefold(), folded, n=1, cutoff=cutoff)
    return folded[matches[0]] if matches else None


def suggestion(word: str | None) -> str:
    """Return the end of an error in French that suggests `word` instead of a typo; '' for None."""
    return f" (vouliez-vous dire {word} ?)" if word else ""
