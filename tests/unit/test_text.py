"""What a misspelt word was probably meant to be."""

import pytest

from cavecron.text import nearest


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
    """None where none comes near enough; a cutoff of 0 always has an answer."""
    assert nearest(word, ["cleanup", "weekly"], cutoff=cutoff) == meant


def test_a_word_is_nearest_to_nothing_where_there_is_nothing() -> None:
    """Or only what is too long to be compared."""
    assert nearest("a", [], cutoff=0) is None
    assert nearest("a", ["a" * 100_000], cutoff=0) is None
