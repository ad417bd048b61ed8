"""Users without a report: names and ids as a person writes them into SCHEDULER_WEEKLY_REPORT_EXCLUDE."""

import time

import pytest

from cavecron.appdb.exclusions import read_exclusions
from cavecron.appdb.recipients import recipients
from tests.support.app_database import CellarFile

USERS = [
    (1, "marie", "marie@example.org", None),
    (2, "Jean Noël", "jean@example.org", None),
    (3, "7", "sept@example.org", None),
    (4, "lucas", None, 1),
    (7, "zoe\u0301", None, None),
]
_PREFIX = "SCHEDULER_WEEKLY_REPORT_EXCLUDE : "


@pytest.mark.parametrize(
    ("names", "excluded"),
    [
        pytest.param((), set(), id="nobody"),
        pytest.param(("marie", "Jean Noël"), {1, 2}, id="names"),
        pytest.param(("1", "2"), {1, 2}, id="ids"),
        pytest.param(("7",), {3}, id="a name takes precedence over an id"),
        pytest.param(("zoé",), {7}, id="a combining accent in the stored name"),
        pytest.param(("Jean Noe\u0308l",), {2}, id="a combining accent in the setting"),
        pytest.param(("marie", "marie", "1"), {1}, id="twice"),
    ],
)
def test_users_are_named_by_name_or_id(names: tuple[str, ...], excluded: set[int]) -> None:
    """Known names and ids exclude their users without warnings and notices."""
    exclusions = read_exclusions(names, USERS)
    assert (set(exclusions.users), *exclusions.warnings, *exclusions.notices) == (excluded,)


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("mraie", "utilisateur inconnu 'mraie' (vouliez-vous dire 'marie' ?)"),
        ("MARIE", "utilisateur inconnu 'MARIE' (vouliez-vous dire 'marie' ?)"),
        ("Jean  Noel", "utilisateur inconnu 'Jean Noel' (vouliez-vous dire 'Jean Noël' ?)"),
        ("01", "utilisateur inconnu '01'"),
        ("9", "utilisateur inconnu '9'"),
        ("-1", "utilisateur inconnu '-1'"),
        ("１", "utilisateur inconnu '１'"),
        ("x\n2026 - cavecron - INFO", "utilisateur inconnu 'x 2026 - cavecron - INFO'"),
    ],
)
def test_an_unknown_name_is_a_warning_with_the_nearest_one(name: str, warning: str) -> None:
    """An unknown name excludes nobody; its warning suggests the nearest name and cannot forge a log line."""
    exclusions = read_exclusions((name,), USERS)
    assert (list(exclusions.users), *exclusions.warnings) == ([], _PREFIX + warning)


@pytest.mark.parametrize(
    ("name", "user", "hint"),
    [
        pytest.param("Dupont", "Dupont, Marie", "'Dupont, Marie', à désigner par son numéro 12", id="comma"),
        pytest.param("Jean Noel", "Jean  Noel", "'Jean Noel', à désigner par son numéro 12", id="blanks"),
        pytest.param("zoe", '"zoe"', "'\"zoe\"', à désigner par son numéro 12", id="quotes"),
    ],
)
def test_a_name_that_the_variable_cannot_contain_is_suggested_by_its_id(
    name: str, user: str, hint: str
) -> None:
    """The suggestion is the id, because writing the name as shown would cause the same warning."""
    users = [(12, user, "x@example.org", None)]
    (warning,) = read_exclusions((name,), users).warnings
    assert warning.endswith(f"(vouliez-vous dire {hint} ?)")
    assert read_exclusions(("12",), users).users == {12}


def test_a_sub_account_is_a_notice() -> None:
    """A sub-account gets no report anyway, so there is only a notice, and its parent gets one."""
    exclusions = read_exclusions(("lucas",), USERS)
    assert (list(exclusions.users), *exclusions.warnings) == ([],)
    assert exclusions.notices == (f"{_PREFIX}'lucas' est un sous-compte, sans rapport de toute façon",)


def test_a_huge_list_causes_few_warnings_in_little_time() -> None:
    """A list of 64 kB with a very long name against 5,000 users takes little time and few warnings."""
    users = [(number, f"utilisateur {number}", None, None) for number in range(5_000)]
    names = ("x" * 60_000, *(f"utilisateur n{number}" for number in range(4_000)))
    started = time.process_time()
    exclusions = read_exclusions(names, users)
    assert time.process_time() - started < 5
    assert len(exclusions.warnings) == 6
    assert exclusions.warnings[-1] == f"{_PREFIX}et 3996 autres utilisateurs inconnus"
    assert max(map(len, exclusions.warnings)) < 300


def test_the_excluded_are_counted_with_or_without_address(cellar: CellarFile) -> None:
    """An excluded user without an address is counted as excluded only."""
    for name, email in (("marie", ""), ("paul", None), ("luc", None), ("zoé", "")):
        cellar.user(name, email)
    selection = recipients(cellar.database, exclude=("marie", "paul"))
    assert [user.username for user in selection.recipients] == ["zoé"]
    assert (selection.excluded, selection.without_address, selection.asked_for) == (2, 1, ())


def test_a_user_who_is_asked_for_by_name_is_not_excluded(cellar: CellarFile) -> None:
    """The list has no effect on users that `--user` names."""
    for name in ("marie", "paul"):
        cellar.user(name)
    selection = recipients(cellar.database, ("1", "marie"), exclude=("marie", "paul"))
    assert [user.username for user in selection.recipients] == ["marie"]
    assert (selection.excluded, selection.asked_for) == (0, ("marie",))
