"""How urgently a bottle ought to be drunk: the rules of `shared/cave-a-vin.md`, "Wines to drink".

Pure: text and numbers in, a score from 0 to 100 out; bad values count as missing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: What an insight on keeping has in it; no other insight counts.
KEEPING = ("garde", "conserver", "vieillissement", "apogée", "apogee", "boire", "consommer")
_SOON = ("maintenant", "immédiatement", "rapidement", "bientôt")
_AT_BEST = ("apogée", "optimal", "parfait")
_WINDOW = re.compile(r"(\d{1,4})\s*(?:à|-)\s*(\d{1,4})\s*ans")
#: What json.loads does, without the half of its time that it spends on blanks and options.
_decode = json.JSONDecoder().raw_decode
_JSON_BLANKS = " \t\n\r"
#: (years of age, score) for a wine of which nothing but the vintage is known.
_BY_AGE = ((15, 70), (10, 50), (5, 30))


class Maturity(NamedTuple):
    """What is known of a wine's age; `urgency` is None under a score of 30.

    A tuple, because one is made for every wine: a frozen dataclass takes three times as long.
    """

    vintage: int | None
    peak: int | None
    score: int
    note: str | None

    @property
    def urgency(self) -> str | None:
        """Return urgent, optimal or bientôt, None where the wine can wait."""
        if self.score >= 80:
            return "urgent"
        if self.score >= 50:
            return "optimal"
        return "bientôt" if self.score >= 30 else None


def assess(extra_attributes: object, insights: Sequence[str], year: int) -> Maturity:
    """Return the maturity of a wine in the calendar year `year`.

    `extra_attributes` is the stored JSON text; `insights` come by weight, then age, both descending.
    """
    attributes = _attributes(extra_attributes)
    vintage, peak = _year(attributes.get("year")), _year(attributes.get("apogee"))
    age = year - vintage if vintage is not None else None
    score, note = _from_peak(peak, year), None
    if score < 50:
        for content in insights:
            lowered = content.lower()
            if _has(lowered, KEEPING):
                note = content
                score = _from_note(lowered, age, score)
    if score == 0 and age is not None:
        score = _from_age(age)
    return Maturity(vintage, peak, score, note)


def _attributes(stored: object) -> Mapping[str, object]:
    if not isinstance(stored, str):
        return {}
    trimmed = stored.strip(_JSON_BLANKS)
    try:
        attributes, end = _decode(trimmed)
    except (ValueError, RecursionError):
        return {}
    return attributes if isinstance(attributes, dict) and end == len(trimmed) else {}


def _year(value: object) -> int | None:
    """Return a year, None for what Python's int() refuses and for 0: both mean "not known"."""
    if type(value) is int:  # nearly all of them
        return value or None
    if not isinstance(value, str | int | float):
        return None
    try:
        return int(value) or None
    except (ValueError, OverflowError):
        return None


def _from_peak(peak: int | None, year: int) -> int:
    if peak is None:
        return 0
    past = year - peak
    if past > 0:
        return min(100, 80 + 5 * past)
    return 70 if past == 0 else 50 if past >= -2 else 0


def _from_age(age: int) -> int:
    for years, points in _BY_AGE:
        if age >= years:
            return points
    return 0


def _from_note(text: str, age: int | None, score: int) -> int:
    window = _WINDOW.search(text) if age is not None and "ans" in text else None
    if window and age is not None:
        score = _from_window(int(window[1]), int(window[2]), age, score)
    if _has(text, _SOON):
        score = max(score, 80)
    if _has(text, _AT_BEST):
        score = max(score, 60)
    return score


def _has(text: str, words: Sequence[str]) -> bool:
    for word in words:  # noqa: SIM110 - half the time that any() takes, for each insight of each wine
        if word in text:
            return True
    return False


def _from_window(first: int, last: int, age: int, score: int) -> int:
    if age >= last:
        return 100
    if age >= first:
        return max(score, 50 + 50 * (age - first) // (last - first))
    return max(score, 30 * age // first) if age > 0 else score
