"""How urgent a bottle is: each rule of the facts page, and what bad values cost."""

import json

import pytest
from hypothesis import given
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
    """Rule 2, at each of its borders."""
    found = assess(json.dumps({"apogee": peak}), (), YEAR)
    assert (found.score, found.urgency, found.peak) == (score, urgency, peak)


@pytest.mark.parametrize(
    ("vintage", "score"),
    [(2027, 0), (2026, 0), (2022, 0), (2021, 30), (2017, 30), (2016, 50), (2012, 50), (2011, 70), (1900, 70)],
)
def test_the_age_decides_where_nothing_else_is_known(vintage: int, score: int) -> None:
    """Rule 4, at each of its borders."""
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
        pytest.param(2026, "garde 0 à 3 ans", 50, id="window from zero"),
        pytest.param(2021, "garde 5 à 5 ans", 100, id="window of one year, reached"),
        pytest.param(2022, "garde 5 à 5 ans", 24, id="window of one year, ahead"),
        pytest.param(2024, "garde 8 à 3 ans", 7, id="window the wrong way round"),
        pytest.param(None, "garde 3 à 5 ans", 0, id="age not known"),
        pytest.param(2024, "À boire maintenant", 80, id="now"),
        pytest.param(2024, "À BOIRE RAPIDEMENT", 80, id="capitals"),
        pytest.param(2024, "Apogée proche", 60, id="at its best"),
        pytest.param(2024, "Belle garde", 0, id="keeping word alone"),
        pytest.param(2024, "Boire maintenant, garde 10 à 20 ans", 80, id="never lowered"),
        pytest.param(2024, "3 à 5 ans, maintenant", 0, id="no keeping word"),
        pytest.param(2006, "Garde indéfinie", 70, id="then the age"),
    ],
)
def test_insights_tell_how_long_a_wine_keeps(vintage: int | None, insight: str, score: int) -> None:
    """Rule 3; scores under 30 are kept in the value, their urgency is None."""
    found = assess(json.dumps({"year": vintage}), (insight,), YEAR)
    assert found.score == score
    assert (found.urgency is None) == (score < 30)


def test_the_last_insight_on_keeping_is_the_note() -> None:
    """A later one never lowers the score, and one without a keeping word is no note."""
    insights = ("À boire maintenant", "Garde moyenne", "Robe rubis")
    found = assess('{"year": 2025}', insights, YEAR)
    assert (found.note, found.score) == ("Garde moyenne", 80)


def test_a_window_already_passed_sets_the_score_to_100() -> None:
    """Even where an earlier insight had said 80."""
    assert assess('{"year": 2000}', ("Boire maintenant", "Garde 3 à 5 ans"), YEAR).score == 100


def test_insights_are_not_asked_where_the_peak_gave_50() -> None:
    """Rule 3 only adds to what the peak left open; there is no note then."""
    found = assess('{"apogee": 2027}', ("Boire maintenant",), YEAR)
    assert (found.score, found.note) == (50, None)


@pytest.mark.parametrize("stored", ["2015", " 2012 ", 2015, 2015.9, "2_015", "٢٠١٥"])
def test_what_int_takes_is_a_year(stored: object) -> None:
    """Numbers and strings alike, as Python's int() reads them."""
    assert assess(json.dumps({"year": stored}), (), YEAR).vintage == int(stored)  # type: ignore[call-overload]


@pytest.mark.parametrize("stored", [None, 0, "", " ", "2015.0", "NV", "deux mille", [], {}, "1" * 5000])
def test_what_int_refuses_counts_as_missing(stored: object) -> None:
    """A bad vintage costs the wine its age, not the report."""
    found = assess(json.dumps({"year": stored, "apogee": stored}), (), YEAR)
    assert (found.vintage, found.peak, found.score) == (None, None, 0)


@pytest.mark.parametrize(
    "stored", ["", "{", "[]", "7", "null", '"x"', "[" * 100_000, '{"year": Infinity}', None, 5, b"{}"]
)
def test_attributes_that_are_no_object_tell_nothing(stored: object) -> None:
    """Malformed, empty or hostile JSON."""
    assert assess(stored, (), YEAR).score == 0


@given(
    st.one_of(st.text(), st.dictionaries(st.sampled_from(["year", "apogee"]), st.integers()).map(json.dumps)),
    st.lists(st.from_regex(r"\A(garde )?\d{1,5} ?[à-] ?\d{1,5} ans( maintenant)?\Z"), max_size=3),
)
def test_a_score_is_always_between_0_and_100(attributes: str, insights: list[str]) -> None:
    """Whatever is stored."""
    assert 0 <= assess(attributes, insights, YEAR).score <= 100
