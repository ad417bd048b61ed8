"""How urgently a wine should be drunk, by its peak, else by its keeping notes, else by its age.

Pure: it computes a score from 0 to 100 from text and numbers; bad values count as missing. The rules are in
appdb/README.md, Wines to drink.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from cavecron.report import columns
from cavecron.report.model import Basis, Vintage

#: Words of which an insight on keeping contains at least one; other insights do not count.
KEEPING = ("garde", "garder", "conserver", "vieillissement", "apogée", "apogee", "boire", "consommer")
#: Those of them that have to be searched: a text with "garder" also contains "garde".
_KEEPING_PARTS = tuple(
    word for word in KEEPING if not any(other != word and other in word for other in KEEPING)
)
_SOON = ("maintenant", "immédiatement", "rapidement", "bientôt")
_AT_BEST = ("apogée", "optimal", "parfait")
#: "3 à 5 ans", "3-5 ans", "1 – 2 an", "3 à 5 années": the unit is any word that begins with "an". The pattern
#: never backtracks (possessive, no start within a number), so that 100 kB of digits or blanks take no time.
_WINDOW = re.compile(r"(?<!\d)(\d++)\s*+(?:à|[-\u2011\u2013])\s*+(\d++)\s*+an")
#: A number with more digits is beyond the age of any wine.
_MOST_DIGITS = 9
#: (age in years, score) for a wine of which only the vintage is known.
_BY_AGE = ((15, 70), (10, 50), (5, 30))


class Maturity(NamedTuple):
    """A wine's vintage and peak, and how urgently it should be drunk; `basis` is the source of the score.

    It is a tuple because one is made for every wine, and a frozen dataclass takes three times as long.
    """

    vintage: Vintage | None
    peak: int | None
    score: int
    basis: Basis | None
    note: str | None

    @property
    def urgency(self) -> str | None:
        """Return urgent, optimal or bientôt, None if the wine can wait."""
        if self.score >= 80:
            return "urgent"
        if self.score >= 50:
            return "optimal"
        return "bientôt" if self.score >= 30 else None

    @property
    def is_assessed(self) -> bool:
        """Return whether the wine has a vintage that is a year, a peak, or a keeping note."""
        return self.peak is not None or self.note is not None or isinstance(self.vintage, int)


def assess(extra_attributes: object, insights: Sequence[str], year: int) -> Maturity:
    """Return the maturity of a wine in the calendar year `year`.

    `extra_attributes` is the stored JSON text; `insights` are ordered by weight, then date, both descending.
    """
    attributes = columns.attributes(extra_attributes)
    vintage, peak = columns.vintage(attributes.get("year")), columns.year(attributes.get("apogee"))
    age = year - vintage if isinstance(vintage, int) else None
    score, note = _from_peak(peak, year), None
    basis: Basis = "peak"
    if score < 50:
        for content in insights:
            lowered = content.lower()
            if _has(lowered, _KEEPING_PARTS):
                basis, note = "note", content
                score = _from_note(lowered, age, score)
    if score == 0 and age is not None:
        basis, score = "age", _from_age(age)
    return Maturity(vintage, peak, score, basis if score else None, note)


def _from_peak(peak: int | None, year: int) -> int:
    if peak is None:
        return 0
    years_past_peak = year - peak
    if years_past_peak > 0:
        return min(100, 80 + 5 * years_past_peak)
    return 70 if years_past_peak == 0 else 50 if years_past_peak >= -2 else 0


def _from_age(age: int) -> int:
    for years, points in _BY_AGE:
        if age >= years:
            return points
    return 0


def _from_note(text: str, age: int | None, score: int) -> int:
    window = _WINDOW.search(text) if age is not None else None
    if window and age is not None:
        score = _from_window(_years(window[1]), _years(window[2]), age, score)
    if _has(text, _SOON):
        score = max(score, 80)
    if _has(text, _AT_BEST):
        score = max(score, 60)
    return score


def _has(text: str, words: Sequence[str]) -> bool:
    for word in words:  # noqa: SIM110 - twice as fast as any(), for each insight of each wine
        if word in text:
            return True
    return False


def _years(digits: str) -> int:
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _from_window(first: int, last: int, age: int, score: int) -> int:
    if age >= last:
        return 100
    if age >= first:
        return max(score, 50 + 50 * (age - first) // (last - first))
    return max(score, 30 * age // first) if age > 0 else score
