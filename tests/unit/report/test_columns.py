"""Reading stored values: the columns can contain any type."""

import pytest

from cavecron.report.columns import attributes, optional_text, quantity, region, vintage, year


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        *((7, 7), (-3, -3), (1.5, 1.5), (2.0, 2), (None, 0), ("7", 0), (b"7", 0), (float("nan"), 0)),
        *((float("inf"), 0), (10**12, 10**12), (10**12 + 1, 0), (-(2**63), 0), (2**62, 0)),
    ],
)
def test_a_quantity_is_a_number_of_things(stored: object, expected: float) -> None:
    """A whole number becomes an int; typing errors and words count as 0."""
    assert quantity(stored) == expected
    assert type(quantity(stored)) is type(expected)


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        *(("Loire", "Loire"), (" Loire\u00a0", "Loire"), ("", None), (" ", None), (None, None)),
        *((33, "33"), (33.0, "33"), (2.5, "2.5"), (float("inf"), None), (float("nan"), None)),
        *((True, None), (["Loire"], None), ({}, None), ("\ud83c", "?")),
    ],
)
def test_a_region_is_words_or_a_number(stored: object, text: str | None) -> None:
    """A number is valid, because French departments have one."""
    assert region(stored) == text


@pytest.mark.parametrize(
    ("stored", "expected", "as_year"),
    [
        *((2015, 2015, 2015), (" 2012 ", 2012, 2012), (2015.9, 2015, 2015), (b"2015", 2015, 2015)),
        *(("NV", "NV", None), (" vers 2010 ", "vers 2010", None), (b"NV\xff", "NV\ufffd", None)),
        *((0, None, None), ("0", None, None), (0.5, None, None), (" ", None, None), (None, None, None)),
        *((float("inf"), None, None), (float("nan"), None, None), ([2015], None, None)),
    ],
)
def test_a_vintage_is_a_year_or_else_its_words(
    stored: object, expected: int | str | None, as_year: int | None
) -> None:
    """Only a year can be used to compute an age."""
    assert (vintage(stored), year(stored)) == (expected, as_year)


def test_blanks_around_a_text_are_not_shown() -> None:
    """All kinds of blanks at both ends are removed, and blanks inside are kept."""
    assert optional_text("\t Très bon \u00a0\n") == "Très bon"
    assert optional_text(" \u202f") is None


@pytest.mark.parametrize("stored", ["[1]", "1", "null", '{"a": 1} x', "{", "", "[" * 100_000, None, b"{}"])
def test_a_value_that_is_no_json_object_has_no_members(stored: object) -> None:
    """Malformed JSON, JSON of another type and hostile JSON give an empty mapping."""
    assert attributes(stored) == {}


def test_json_is_read_with_the_blanks_around_it() -> None:
    """json.loads allows the same blanks."""
    assert attributes(' \n{"year": 2015}\t') == {"year": 2015}
