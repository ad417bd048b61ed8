"""Values of the application's columns, checked: SQLite and JSON can hold anything anywhere.

Pure: it knows no rule of a report, only how a stored value is read.
"""

import json
from collections.abc import Mapping
from math import isfinite

from cavecron.report.model import Quantity, Vintage

#: Numbers beyond this are slips: they count as no bottle at all, and no sum of them overflows.
MOST_BOTTLES = 10**12
#: What json.loads does, without the half of its time that it spends on blanks and options.
_decode = json.JSONDecoder().raw_decode
_JSON_BLANKS = " \t\n\r"


def quantity(stored: object) -> Quantity:
    """Return a stored number, whole where it is; whatever is no number of things counts as 0."""
    if type(stored) is int and 0 <= stored <= MOST_BOTTLES:  # nearly all of them
        return stored
    if not isinstance(stored, int | float) or not isfinite(stored) or abs(stored) > MOST_BOTTLES:
        return 0
    return int(stored) if stored == int(stored) else stored


def text(stored: object) -> str:
    """Return what is stored as text; what SQLite hands out as text can be encoded."""
    if type(stored) is str:  # nearly all of it
        return stored
    if isinstance(stored, bytes):
        return stored.decode("utf-8", "replace")
    return "" if stored is None else str(stored)


def optional_text(stored: object) -> str | None:
    """Return what is stored as text without the blanks around it, None where nothing else is there."""
    return text(stored).strip() or None


def attributes(stored: object) -> Mapping[str, object]:
    """Return the members of a stored JSON object, none where it is anything else."""
    if not isinstance(stored, str):
        return {}
    trimmed = stored.strip(_JSON_BLANKS)
    try:
        members, end = _decode(trimmed)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) and end == len(trimmed) else {}


def vintage(stored: object) -> Vintage | None:
    """Return a year where Python's int() reads one, else the words; None where nothing is known, as by 0."""
    if type(stored) is int:  # nearly all of them
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
    read = vintage(stored)
    return read if isinstance(read, int) else None


def region(stored: object) -> str | None:
    """Return a region as it is shown: words, or a number such as that of a French department."""
    if isinstance(stored, bool) or not isinstance(stored, str | int | float):
        return None
    if isinstance(stored, float):
        if not isfinite(stored):
            return None
        stored = int(stored) if stored == int(stored) else stored
    return optional_text(_encodable(str(stored)))


def _encodable(words: str) -> str:
    """Return the words without lone surrogates: JSON can hold them, and no mail can."""
    return words.encode("utf-8", "replace").decode()
