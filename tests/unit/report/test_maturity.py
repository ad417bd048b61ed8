"""The urgency of a bottle: each rule of appdb/README.md, and values that cannot be read."""

import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cavecron.report.maturity import assess

YEAR = 2026


@pytest.mark.parametrize(
    ("peak", "score", "urgency"),
    [
        (2000, 100, "urgent"),
        (2022, 100, "urgent"),
        (2023, 95, "urgent"),
        (2025, 85, "urgent"),
        (2026, 70, "optimal"),
        (2027, 50, "optimal"),
        (2028, 50, "optimal"),
        (2029, 0, None),
    ],
)
def test_the_peak_decides_first(peak: int, score: int, urgency: str | None) -> None:
    """Rule 2, at each of its limits."""
    maturity = assess(json.dumps({"apogee": peak}), (), YEAR)
    assert (maturity.score, maturity.urgency, maturity.peak) == (score, urgency, peak)


@pytest.mark.parametrize(
    ("vintage", "score"),
    [(2027, 0), (2026, 0), (2022, 0), (2021, 30), (2017, 30), (2016, 50), (2012, 50), (2011, 70), (1900, 70)],
)
def test_the_age_decides_where_nothing_else_is_known(vintage: int, score: int) -> None:
    """Rule 4, at each of its limits."""
    assert assess(json.dumps({"year": vintage}), (), YEAR).score == score


@pytest.mark.parametrize(
    ("vintage", "insight", "score"),
    [
        pytest.param(2021, "Garde de 3 à 5 ans", 100, id="window passed"),
        pytest.param(2022, "Garde de 3 à 5 ans", 75, id="inside the window"),
        pytest.param(2023, "garder 3-5 ans", 50, id="at the window's start"),
        pytest.param(2024, "À conserver 3 à 5 ans", 20, id="before the window"),
        pytest.param(2026, "À conserver 3 à 5 ans", 0, id="of this year"),
        pytest.param(2028, "garde 0 à 3 ans", 0, id="vintage in the future"),
        pytest.param(2026, "garde 0 à 3 ans", 50, id="window that starts at zero years"),
        pytest.param(2021, "garde 5 à 5 ans", 100, id="window of one year, reached"),
        pytest.param(2022, "garde 5 à 5 ans", 24, id="window of one year, ahead"),
        pytest.param(2024, "garde 8 à 3 ans", 7, id="window the wrong way round"),
        pytest.param(None, "garde 3 à 5 ans", 0, id="age not known"),
        pytest.param(2024, "À boire maintenant", 80, id="a word for now"),
        pytest.param(2024, "À BOIRE RAPIDEMENT", 80, id="in capitals"),
        pytest.param(2024, "Apogée proche", 60, id="a word for the peak"),
        pytest.param(2024, "Belle garde", 0, id="a keeping word alone"),
        pytest.param(
            2024, "Boire maintenant, garde 10 à 20 ans", 80, id="a word for now with a later window"
        ),
        pytest.param(2024, "3 à 5 ans, maintenant", 0, id="a window without a keeping word"),
        pytest.param(2006, "Garde indéfinie", 70, id="a keeping word without a window: the age"),
        pytest.param(2021, "Garde 3 à 5 an", 100, id="unit an"),
        pytest.param(2021, "Garde 3 à 5 années", 100, id="unit années"),
        pytest.param(2021, "Garde 3 à 5 annees", 100, id="unit without accents"),
        pytest.param(2021, "Garde 3 à 5ANS", 100, id="unit in capitals, no blank"),
        pytest.param(2021, "Garde 3 à 5 mois", 30, id="no unit of years: the age"),
        pytest.param(2021, "Garde 3\u20135 ans", 100, id="en dash"),
        pytest.param(2021, "Garde 3 \u2013 5 ans", 100, id="en dash with blanks"),
        pytest.param(2021, "Garde 3\u20115 ans", 100, id="non-breaking hyphen"),
        pytest.param(2021, "Garde 3\u20145 ans", 30, id="em dash is none: the age"),
        pytest.param(2021, "Garde 3\u00a0à\u202f5\u00a0ans", 100, id="no-break spaces"),
        pytest.param(2021, "Garde 3à5ans", 100, id="no blanks"),
        pytest.param(2021, "Garde 3 À 5 ANS", 100, id="window in capitals"),
        pytest.param(2023, "Garde 3 à 5 ans, au mieux 1 à 2 ans", 50, id="the first window counts"),
        pytest.param(2022, "Garde 3 à 5 mois puis 2 à 6 ans", 75, id="the first with a unit of years"),
        pytest.param(2016, "Garde 10000 à 20000 ans", 50, id="five digits are read whole: the age"),
        pytest.param(2021, "Boire de 3 à 5 ans", 100, id="boire"),
        pytest.param(2021, "Consommer de 3 à 5 ans", 100, id="consommer"),
        pytest.param(2021, "Vieillissement de 3 à 5 ans", 100, id="vieillissement"),
        pytest.param(2024, "garde, immédiatement", 80, id="immédiatement"),
        pytest.param(2024, "garde, bientôt", 80, id="bientôt"),
        pytest.param(2024, "garde, optimal", 60, id="optimal"),
        pytest.param(2024, "garde, parfait", 60, id="parfait"),
    ],
)
def test_insights_tell_how_long_a_wine_keeps(vintage: int | None, insight: str, score: int) -> None:
    """Rule 3, for windows of years and for single words; a score under 30 has no urgency."""
    maturity = assess(json.dumps({"year": vintage}), (insight,), YEAR)
    assert maturity.score == score
    assert (maturity.urgency is None) == (score < 30)


def test_the_last_insight_on_keeping_is_the_note() -> None:
    """A later insight does not lower the score, and one without a keeping word is no note."""
    insights = ("À boire maintenant", "Garde moyenne", "Robe rubis")
    maturity = assess('{"year": 2025}', insights, YEAR)
    assert (maturity.note, maturity.score) == ("Garde moyenne", 80)


def test_a_window_already_passed_sets_the_score_to_100() -> None:
    """The score is 100 also if an earlier insight gave 80."""
    assert assess('{"year": 2000}', ("Boire maintenant", "Garde 3 à 5 ans"), YEAR).score == 100


def test_insights_are_ignored_where_the_peak_gave_50() -> None:
    """Rule 3 applies only to a lower score; then there is no note either."""
    maturity = assess('{"apogee": 2027}', ("Boire maintenant",), YEAR)
    assert (maturity.score, maturity.note) == (50, None)


@pytest.mark.parametrize("stored", ["2015", " 2012 ", 2015, 2015.9, "2_015", "٢٠١٥"])
def test_a_value_that_int_reads_is_a_year(stored: object) -> None:
    """Numbers and strings are read like Python's int() reads them."""
    assert assess(json.dumps({"year": stored}), (), YEAR).vintage == int(stored)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        *((None, None), (0, None), ("0", None), ("", None), (" ", None), ([], None), ({}, None)),
        *(("2015.0", "2015.0"), (" NV ", "NV"), ("2015-2016", "2015-2016"), ("vers 2010", "vers 2010")),
        pytest.param("1" * 5000, "1" * 5000, id="5000 digits"),
        pytest.param("\ud83c NV", "? NV", id="a lone surrogate"),
    ],
)
def test_a_value_that_int_refuses_is_shown_but_has_no_age(stored: object, expected: str | None) -> None:
    """Words such as "NV" tell their owner something, but give neither an age nor a peak."""
    maturity = assess(json.dumps({"year": stored, "apogee": stored}), (), YEAR)
    assert (maturity.vintage, maturity.peak, maturity.score) == (expected, None, 0)


@pytest.mark.parametrize(
    ("attributes", "insight", "basis"),
    [
        ({"apogee": 2020, "year": 1990}, "À boire maintenant", "peak"),
        ({"apogee": 2040, "year": 1990}, "À boire maintenant", "note"),
        ({"apogee": 2040, "year": 1990}, "Belle garde", "age"),
        ({"year": 1990}, "Robe rubis, maintenant", "age"),
        ({"year": "NV"}, "garde, optimal", "note"),
        ({"year": 2025}, "Belle garde", None),
        ({}, "Robe rubis", None),
    ],
)
def test_the_basis_is_what_gave_the_score(
    attributes: dict[str, object], insight: str, basis: str | None
) -> None:
    """The basis is the peak, a keeping note or the age, and None if the score is 0."""
    assert assess(json.dumps(attributes), (insight,), YEAR).basis == basis


@pytest.mark.parametrize(
    ("attributes", "insight", "assessed"),
    [
        ({"year": "NV"}, "Robe rubis", False),
        ({"year": 0, "apogee": "bientôt"}, "", False),
        ({"year": 2025}, "", True),
        ({"apogee": "2050"}, "", True),
        ({"year": "NV"}, "Belle garde", True),
    ],
)
def test_a_wine_is_assessed_by_a_year_a_peak_or_a_keeping_note(
    attributes: dict[str, object], insight: str, assessed: bool
) -> None:
    """A vintage in words does not count, because it gives no age."""
    assert assess(json.dumps(attributes), (insight,), YEAR).is_assessed is assessed


_UNITS = ("an", "ans", "années", "annees", "ANS", "ANNÉES", "mois", "")
_BLANKS = ("", " ", "  ", "\u00a0", "\u202f", "\n")
_DASHES = ("à", "À", "-", "\u2013", "\u2011", "\u2014", "et")
_WORDS = (
    "",
    "garde",
    "À GARDER",
    "Conserver",
    "Apogée",
    "BOIRE",
    "maintenant",
    "Rapidement",
    "PARFAIT",
    "Robe",
    "dans",
)
#: The text of a window, and its two numbers if it counts as one.
_Window = tuple[str, tuple[int, int] | None]


@st.composite
def _windows(draw: st.DrawFn) -> _Window:
    first, last = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    dash, unit = draw(st.sampled_from(_DASHES)), draw(st.sampled_from(_UNITS))
    blanks = [draw(st.sampled_from(_BLANKS)) for _ in range(3)]
    text = f"{first}{blanks[0]}{dash}{blanks[1]}{last}{blanks[2]}{unit}"
    counts = unit not in ("mois", "") and dash not in ("\u2014", "et")
    return text, (first, last) if counts else None


#: Words and windows in any order; commas separate them.
_NOTES = st.lists(st.sampled_from(_WORDS).map(lambda word: (word, None)) | _windows(), min_size=1, max_size=6)


def _expected(age: int | None, notes: Sequence[Sequence[_Window]]) -> int:
    """Return the score of notes by the rules, computed from their parts and not from their text."""
    score = 0
    for note in notes:
        words = {text.lower() for text, _window in note}
        if not words & {"garde", "à garder", "conserver", "apogée", "boire"}:
            continue
        window = next((window for _spelt, window in note if window), None)
        if window and age is not None:
            low, high = window
            if age >= high:
                score = 100
            elif age >= low:
                score = max(score, 50 + (50 * (age - low)) // (high - low))
            elif age > 0:
                score = max(score, (30 * age) // low)
        score = max(score, 80 if words & {"maintenant", "rapidement"} else 0)
        score = max(score, 60 if words & {"apogée", "parfait"} else 0)
    by_age = next((points for least, points in ((15, 70), (10, 50), (5, 30)) if (age or 0) >= least), 0)
    return score or by_age


@given(st.none() | st.integers(-3, 45), st.lists(_NOTES, max_size=4))
@example(5, [[("garde", None), ("3\u20135 années", (3, 5))]])
def test_keeping_notes_mean_the_same_however_they_are_worded(
    age: int | None, notes: list[list[_Window]]
) -> None:
    """Units, dashes, blanks, capitals and the number of windows and notes do not matter."""
    attributes = json.dumps({"year": None if age is None else YEAR - age})
    contents = [", ".join(text for text, _window in note) for note in notes]
    assert assess(attributes, contents, YEAR).score == _expected(age, notes)


@pytest.mark.parametrize(
    "filler",
    ["9" * 100_000, "3 " * 50_000, "3 à " * 25_000, "3à" + " " * 100_000, "3" + "\u00a0" * 100_000],
    ids=["digits", "numbers", "windows without an end", "blanks at the end", "no-break spaces"],
)
def test_a_note_of_100_kb_is_read_in_one_pass(filler: str) -> None:
    """Quadratic time would take minutes; the window at the end of the note still counts."""
    started = time.monotonic()
    assert assess('{"year": 2021}', (f"garde {filler}; 3 à 5 ans",), YEAR).score == 100
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "stored", ["", "{", "[]", "7", "null", '"x"', "[" * 100_000, '{"year": Infinity}', None, 5, b"{}"]
)
def test_attributes_that_are_no_object_count_as_missing(stored: object) -> None:
    """Malformed, empty or hostile JSON gives the score 0."""
    assert assess(stored, (), YEAR).score == 0


@given(
    st.one_of(st.text(), st.dictionaries(st.sampled_from(["year", "apogee"]), st.integers()).map(json.dumps)),
    st.lists(st.from_regex(r"\A(garde )?\d{1,5} ?[à-] ?\d{1,5} ans( maintenant)?\Z"), max_size=3),
)
def test_a_score_is_always_between_0_and_100(attributes: str, insights: list[str]) -> None:
    """No attributes and no insights give another score."""
    assert 0 <= assess(attributes, insights, YEAR).score <= 100
