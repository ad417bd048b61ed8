"""How urgently a bottle ought to be drunk: the rules of `shared/cave-a-vin.md`, "Wines to drink".

Pure: text and numbers in, a score from 0 to 100 out; bad values count as missing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_KEEPING = ("garde", "garder", "conserver", "vieillissement", "apogée", "apogee", "boire", "consommer")
_SOON = ("maintenant", "immédiatement", "rapidement", "bientôt")
_AT_BEST = ("apogée", "optimal", "parfait")
_WINDOW = re.compile(r"(\d{1,4})\s*(?:à|-)\s*(\d{1,4})\s*ans")
#: (years of age, score) for a wine of which nothing but the vintage is known.
_BY_AGE = ((15, 70), (10, 50), (5, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Maturity:
    """What is known of a wine's age; `urgency` is None under a score of 30."""

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
            if any(word in content.lower() for word in _KEEPING):
                note = content
                score = _from_note(content.lower(), age, score)
    if score == 0 and age is not None and age > 0:
        score = next((points for years, points in _BY_AGE if age >= years), 0)
    return Maturity(vintage=vintage, peak=peak, score=score, note=note)


def _attributes(stored: object) -> Mapping[str, object]:
    if not isinstance(stored, str):
        return {}
    try:
        attributes = json.loads(stored)
    except (ValueError, RecursionError):
        return {}
    return attributes if isinstance(attributes, dict) else {}


def _year(value: object) -> int | None:
    """Return a year, None for what Python's int() refuses and for 0: both mean "not known"."""
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


def _from_note(text: str, age: int | None, score: int) -> int:
    window = _WINDOW.search(text)
    if window and age is not None:
        score = _from_window(int(window[1]), int(window[2]), age, score)
    if any(word in text for word in _SOON):
        score = max(score, 80)
    if any(word in text for word in _AT_BEST):
        score = max(score, 60)
    return score


def _from_window(first: int, last: int, age: int, score: int) -> int:
    if age >= last:
        return 100
    if age >= first:
        return max(score, 50 + 50 * (age - first) // (last - first))
    return max(score, 30 * age // first) if age > 0 else score
