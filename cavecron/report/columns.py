"""Reading values of the application's columns, in which SQLite and JSON can store any type.

Pure: it knows no rule of a report, only how a stored value is read.
"""

import json
from collections.abc import Mapping
from math import isfinite

from cavecron.report.model import Quantity, Vintage

#: Larger numbers are typing errors: they count as 0, so that no sum overflows.
MOST_BOTTLES = 10**12
#: Does what json.loads does, in half the time, because it handles no blanks and options.
_decode = json.JSONDecoder().raw_decode
_JSON_BLANKS = " \t\n\r"


def quantity(stored: object) -> Quantity:
    """Return a stored number, as int if it is whole; 0 for anything that is not a valid count."""
    if type(stored) is int and 0 <= stored <= MOST_BOTTLES:  # the usual case
        return stored
    if not isinstance(stored, int | float) or not isfinite(stored) or abs(stored) > MOST_BOTTLES:
        return 0
    return int(stored) if stored == int(stored) else stored


def text(stored: object) -> str:
    """Return a stored value as text; text from SQLite can always be encoded."""
    if type(stored) is str:  # the usual case
        return stored
    if isinstance(stored, bytes):
        return stored.decode("utf-8", "replace")
    return "" if stored is None else str(stored)


def optional_text(stored: object) -> str | None:
    """Return a stored value as text without surrounding blanks, None if nothing is left."""
    return text(stored).strip() or None


def attributes(stored: object) -> Mapping[str, object]:
    """Return the members of a stored JSON object, an empty mapping for any other value."""
    if not isinstance(stored, str):
        return {}
    trimmed = stored.strip(_JSON_BLANKS)
    try:
        members, end = _decode(trimmed)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) and end == len(trimmed) else {}


def vintage(stored: object) -> Vintage | None:
    """Return the year that Python's int() reads, else the stored words; None for 0, blanks, other types."""
    if type(stored) is int:  # the usual case
        return stored or None
    value = text(stored) if isinstance(stored, bytes) else stored
    if not isinstance(value, str | int | float):
        return None
    try:
        return int(value) or None
    except (ValueError, OverflowError):
        return _encodable(value).strip() or None if isinstance(value, str) else None


def year(stored: object) -> int | None:
    """Return a year, None for what Python's int() refuses and for 0: both mean "not known"."""
    value = vintage(stored)
    return value if isinstance(value, int) else None


def region(stored: object) -> str | None:
    """Return a region as text: a name, or a number such as that of a department; None for other types."""
    if isinstance(stored, bool) or not isinstance(stored, str | int | float):
        return None
    if isinstance(stored, float):
        if not isfinite(stored):
            return None
        stored = int(stored) if stored == int(stored) else stored
    return optional_text(_encodable(str(stored)))


def _encodable(words: str) -> str:
    """Return the text without lone surrogates, which JSON can contain but a mail cannot."""
    return words.encode("utf-8", "replace").decode()
