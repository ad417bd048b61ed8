"""The users whom SCHEDULER_WEEKLY_REPORT_EXCLUDE excludes from reports.

Pure: it takes the application's users as rows, and does not check their addresses.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cavecron.config.parsing import QUOTES
from cavecron.report.columns import text
from cavecron.text import nearest, plain, suggestion

_VARIABLE = "SCHEDULER_WEEKLY_REPORT_EXCLUDE"
_MOST_SENTENCES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """The ids of the excluded `users`, and French sentences about names in the list.

    A warning is about a name that no user has, a notice about a user who gets no report anyway.
    """

    users: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def read_exclusions(names: Sequence[str], users: Sequence[tuple[object, ...]]) -> Exclusions:
    """Return the exclusions for `names` (user names, else ids).

    `users` are rows of id, name, address and parent.
    """
    if not names:
        return Exclusions()
    by_id = {str(user[0]): user for user in users}
    by_name = {_comparable(text(user[1])): user for user in reversed(users)}
    excluded: set[int] = set()
    unknown: list[str] = []
    sub_accounts: list[str] = []
    for name in dict.fromkeys(names):
        user = by_name.get(_comparable(name)) or by_id.get(name)
        if user is None:
            unknown.append(name)
        elif user[3] is not None:
            sub_accounts.append(name)
        elif isinstance(user[0], int):
            excluded.add(user[0])
    return Exclusions(
        users=frozenset(excluded),
        warnings=tuple(_unknown(unknown, {text(user[1]): user[0] for user in reversed(users)})),
        notices=tuple(
            f"{_VARIABLE} : {plain(name, 80)!r} est un sous-compte, sans rapport de toute façon"
            for name in sub_accounts[:_MOST_SENTENCES]
        ),
    )


def _comparable(name: str) -> str:
    """Return a name in the form for comparison, in which an accent is always part of its letter."""
    return unicodedata.normalize("NFC", name.strip())


def _unknown(names: Sequence[str], ids: Mapping[str, object]) -> Iterator[str]:
    """Yield a French sentence for each unknown name, with a similar one; `ids` are the user ids by name."""
    for name in names[:_MOST_SENTENCES]:
        similar = nearest(name, ids)
        hint = suggestion(_how_to_write(similar, ids) if similar else None)
        yield f"{_VARIABLE} : utilisateur inconnu {plain(name, 80)!r}{hint}"
    if len(names) > _MOST_SENTENCES:
        yield f"{_VARIABLE} : et {len(names) - _MOST_SENTENCES} autres utilisateurs inconnus"


def _how_to_write(name: str, ids: Mapping[str, object]) -> str:
    """Return a user's name for the variable, and the id if the variable cannot contain the name."""
    printable = plain(name, 80)
    if _comparable(printable) == _comparable(name) and "," not in name and not name.startswith(QUOTES):
        return repr(printable)
    return f"{printable!r}, à désigner par son numéro {ids[name]}"
