"""The list of those who want no report, as the environment writes it."""

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
def test_who_wants_no_report_is_a_list_of_names(text: str, names: tuple[str, ...]) -> None:
    """Commas part them, so that a name may hold blanks; each name is looked for when there is a database."""
    name = "SCHEDULER_WEEKLY_REPORT_EXCLUDE"
    for environ in ({name: text}, {f"{name}_FILE": "/run/secrets/exclude"}):
        assert load(environ, lambda _path: text).report_exclude == names
