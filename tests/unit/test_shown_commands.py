"""The comparison of the output that a page shows with the output of its commands."""

import pytest

from tests.support.shown_commands import matches


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("", "", True),
        ("a\n", "a\n", True),
        ("a\n", "a\nb\n", False),
        ("a\nb\n", "a\n", False),
        ("", "a\n", False),
        ("x … z\n", "x y z\n", True),
        ("x … z\n", "x \n z\n", False),
        ("a\n…\n", "a\nb\nc\n", True),
        ("…\nc\n", "a\nb\nc\n", True),
        ("…\nb\n", "a\nb\nc\n", False),
        ("a.\n", "ab\n", False),
    ],
)
def test_only_what_is_shown_matches(shown: str, printed: str, *, same: bool) -> None:
    """An ellipsis stands for any text within its line, or for any lines where it stands alone."""
    assert matches(shown, printed) is same
