"""The phrases of the French mail: numbers, names and shortened texts."""

import pytest

from cavecron.report import phrases
from cavecron.report.phrases import FULL
from cavecron.text import plain


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 bouteille"),
        (1, "1 bouteille"),
        (1.5, "1,5 bouteille"),
        (2, "2 bouteilles"),
        (2.0, "2 bouteilles"),
        (-1, "−1 bouteille"),
        (-2, "−2 bouteilles"),
        (-0.001, "0 bouteille"),
        (0.1 + 0.2, "0,3 bouteille"),
        (1234567, "1\u202f234\u202f567 bouteilles"),
    ],
)
def test_things_are_counted_as_french_does(number: float, expected: str) -> None:
    """The plural begins at two; there is a decimal comma, a thin space for thousands, and a minus sign."""
    assert phrases.counted(number, "bouteille") == expected


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.0, "0\u00a0%"),
        (62.5, "62,5\u00a0%"),
        (100.0, "100\u00a0%"),
        (-12.5, "−12,5\u00a0%"),
        (1234.5, "1\u202f234,5\u00a0%"),
        (float("inf"), ">\u00a09\u202f999\u00a0%"),
    ],
)
def test_a_rate_is_written_as_french_does(rate: float, expected: str) -> None:
    """There is a no-break space before the percent sign."""
    assert phrases.percent(rate) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a\tb\r\nc  ", "a b c"),
        ("a\x00\u202eb", "a b"),
        ("a\u200fb\u200ec\u061cd", "a b c d"),
        ("\u2066a\u2069", "a"),
        ("x" * 121, "x" * 119 + "…"),
        ("mot " * 40, " ".join(["mot"] * 30) + "…"),
        ("Une phrase. " * 20, " ".join(["Une phrase."] * 9) + " Une phrase…"),
    ],
    ids=["blanks", "unprintable", "marks of direction", "isolates", "endless word", "words", "sentences"],
)
def test_a_text_of_a_user_becomes_one_line(text: str, line: str) -> None:
    """It has only printable characters, and a long text is cut at the end of a word."""
    assert plain(text) == line


@pytest.mark.parametrize(
    ("name", "vintage", "title"),
    [
        ("Château Margaux", 2012, "Château Margaux 2012"),
        ("Château Margaux 2012", 2012, "Château Margaux 2012"),
        ("Cuvée 20120", 2012, "Cuvée 20120 2012"),
        ("Brut", "NV", "Brut NV"),
        ("Brut NV", "NV", "Brut NV"),
        ("Solera vers 2010", "vers 2010", "Solera vers 2010"),
        ("Porto", "2015-2016", "Porto 2015-2016"),
        ("Porto", " \u202e ", "Porto"),
        ("Porto", "très " * 30, "Porto très très très très très très très très…"),
        ("Porto", 10**1000, "Porto 1000000…"),
        (" \t", 2015, "Sans nom 2015"),
        ("Porto", None, "Porto"),
    ],
)
def test_a_wine_is_called_by_its_name_and_vintage(name: str, vintage: int | str | None, title: str) -> None:
    """The vintage is shown as it is stored, but not twice, because many users write it into the name."""
    assert phrases.titled(name, vintage, FULL) == title


@pytest.mark.parametrize(
    ("clauses", "sentence"), [(["a"], "a"), (["a", "b"], "a et b"), (["a", "b", "c"], "a, b et c")]
)
def test_clauses_are_listed_as_french_does(clauses: list[str], sentence: str) -> None:
    """Clauses are separated by commas, and the last one by "et"."""
    assert phrases.listed(clauses) == sentence
