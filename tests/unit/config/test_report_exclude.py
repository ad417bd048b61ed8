"""The list of users who want no report, as it is read from the environment."""

import pytest

from cavecron.config.settings import load


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        (" , ,", ()),
        ("marie", ("marie",)),
        (" Jean Noël ,2,\tmarie\n,", ("Jean Noël", "2", "marie")),
    ],
)
def test_excluded_users_are_a_list_of_names(text: str, names: tuple[str, ...]) -> None:
    """Names are separated by commas, so they may contain blanks; it is not checked that a user exists."""
    name = "SCHEDULER_WEEKLY_REPORT_EXCLUDE"
    for environ in ({name: text}, {f"{name}_FILE": "/run/secrets/exclude"}):
        assert load(environ, lambda _path: text).report_exclude == names
