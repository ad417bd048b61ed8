"""Text of users: on one line and printable, harmless on a terminal, as JSON; and what a misspelt word meant.

Pure.
"""

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

#: A text is read up to so many times the length that is shown: it may have long runs of blanks.
_BLANKS = 20
#: Longer names are not compared: the time grows with the product of both lengths.
_LONGEST_NAME = 200


# Controls, lone surrogates, what changes the direction of text, and non-characters: HTML refuses them, or
# they disguise text.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)

#: What moves a terminal's cursor or disguises text (Unicode, UAX #9), as the inside of a class of a regular
#: expression: not what ends a line, nor a tab.
HARMFUL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
_HARMFUL = re.compile(f"[{HARMFUL}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ADDRESS = re.compile(r"""[^\s<>"'(),;:]+@[^\s<>"'(),;:]+""")
#: How a run says for whom its job failed: after the number come people, each with the reason.
_FAILURES = re.compile(r"(\d+ échecs?) : .*", re.DOTALL)


def harmless(text: str) -> str:
    """Return `text` with what would act on a terminal, or disguise text, as escapes; lines stay lines."""
    if text.isprintable():
        return text
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def to_json(value: object, *, indent: int | None = None) -> str:
    """Return `value` as JSON that every reader takes (RFC 8259), letters beyond ASCII as they are.

    Controls, and what changes the direction of text, are escaped; a number that JSON lacks is null, and half
    of a surrogate pair U+FFFD.
    """
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text = encoder.encode(value)
    except ValueError:
        text = encoder.encode(_finite(value))
    return _SURROGATE.sub("\ufffd", _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _finite(value: object) -> object:
    """Return `value` with None for each number that is infinite or none."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, (list, tuple)) else value


def plain(text: str, limit: int = 120) -> str:
    """Return `text` on one line, printable, and cut after a word where it exceeds `limit` characters."""
    if len(text) <= limit and text.isprintable() and "  " not in text and text.strip() == text:
        return text  # nearly all of them, in a fifth of the time
    line = " ".join(_UNPRINTABLE.sub(" ", text[: limit * _BLANKS]).split())
    if len(line) <= limit:
        return line
    words, blank, _rest = line[:limit].rpartition(" ")
    cut = words if blank and len(words) > limit * 3 // 4 else line[: limit - 1]
    return cut.rstrip(" .,;:") + "…"


def without_people(text: str) -> str:
    """Return a text without mail addresses, and without the list of those for whom a job failed."""
    return _ADDRESS.sub("(adresse)", _FAILURES.sub(r"\1", text))


def as_utf8(text: str) -> str:
    """Return a text of the environment or the command line in UTF-8, whatever the locale is (PEP 383).

    Not for paths: the system wants their octets as they came.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def nearest(word: str, candidates: Iterable[str], *, cutoff: float = 0.5) -> str | None:
    """Return the candidate that `word` was probably meant to be, whatever its case; None without one.

    `cutoff` is the least similarity, from 0 (any will do) to 1, by the measure of `difflib`.
    """
    folded = {name.casefold(): name for name in candidates if len(name) <= _LONGEST_NAME}
    matches = difflib.get_close_matches(word[:_LONGEST_NAME].casefold(), folded, n=1, cutoff=cutoff)
    return folded[matches[0]] if matches else None
