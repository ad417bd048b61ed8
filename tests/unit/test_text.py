"""Escapes for characters that control a terminal, text as JSON, and suggestions for misspelt words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavecron.text import harmless, nearest, to_json

#: C0 and C1 controls, and characters that change the direction of text.
_CONTROL_CHARACTERS = [
    *map(chr, (0, 7, 8, 0x0D, 0x1B, 0x7F, 0x85, 0x9B, 0x9D, 0x9F)),
    *"\u061c\u200e\u200f\u202a\u202e\u2066\u2069\u2028",
]


@pytest.mark.parametrize("control", _CONTROL_CHARACTERS, ids=ascii)
def test_a_control_character_is_shown_as_an_escape(control: str) -> None:
    """Plain text shows an escape; so does JSON, and its readers get the character itself back."""
    assert (
        harmless(f"Château{control}31m\n\tété")
        == f"Château{control.encode('unicode_escape').decode()}31m\n\tété"
    )
    written = to_json({control: [f"é{control}"]})
    assert control not in written
    assert "é" in written
    assert json.loads(written) == {control: [f"é{control}"]}


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_lacks_is_null(number: float) -> None:
    """Most JSON readers refuse `Infinity`, which SQLite returns for a number that is too large."""
    written = to_json({"a": [1, (number, 2.5)], "b": {"c": number}})
    assert json.loads(written, parse_constant=pytest.fail) == {"a": [1, [None, 2.5]], "b": {"c": None}}


def test_a_lone_surrogate_is_replaced_in_json() -> None:
    """A lone surrogate is replaced, because UTF-8 cannot encode it and readers differ (RFC 8259, 8.2)."""
    assert to_json("a\udcffb").encode() == '"a\ufffdb"'.encode()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_gives_back_each_text(text: str) -> None:
    """Escapes in JSON do not change a text for its readers."""
    assert json.loads(to_json(text)) == text


@pytest.mark.parametrize(
    ("word", "cutoff", "meant"),
    [
        ("clean", 0.0, "cleanup"),
        ("CLEANUP", 0.9, "cleanup"),
        ("cleenup", 0.8, "cleanup"),
        ("zzz", 0.0, "weekly"),
        ("zzz", 0.5, None),
        ("", 0.5, None),
        ("c" * 100_000, 0.5, None),
    ],
)
def test_the_nearest_word_is_found_whatever_its_case(word: str, cutoff: float, meant: str | None) -> None:
    """The result is None where no word is near enough; with a cutoff of 0 there is always a result."""
    assert nearest(word, ["cleanup", "weekly"], cutoff=cutoff) == meant


def test_there_is_no_nearest_word_without_candidates() -> None:
    """The result is None without words, and with only words that are too long to be compared."""
    assert nearest("a", [], cutoff=0) is None
    assert nearest("a", ["a" * 100_000], cutoff=0) is None
