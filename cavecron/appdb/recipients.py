"""The recipients of weekly reports: the application's users without those who are excluded.

The rule is in appdb/README.md, Who gets a weekly report. It knows nothing of the contents of a report.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cavecron.appdb.exclusions import Exclusions, read_exclusions
from cavecron.database.sqlite import Database
from cavecron.errors import UsageError
from cavecron.report.columns import text
from cavecron.report.model import Recipient
from cavecron.text import nearest, suggestion

_USERS = 'SELECT id, username, email, parent_id FROM "user" ORDER BY id'


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientList:
    """The recipients in order of id, and how many users were left out, without an address or excluded.

    `asked_for` are users in `exclusions` who get a report all the same, because they were requested by name.
    """

    recipients: tuple[Recipient, ...]
    without_address: int
    excluded: int = 0
    asked_for: tuple[str, ...] = ()
    exclusions: Exclusions = field(default_factory=Exclusions)


def recipients(
    database: Database, names: Sequence[str] = (), *, exclude: Sequence[str] = ()
) -> RecipientList:
    """Return all users without a parent, or only those in `names` (user names or ids), who get a report.

    Users in `exclude` get none, unless they are in `names`.

    Raises:
        UsageError: a name is unknown, or that user cannot get a report.
        CavecronError: the database cannot be read.

    """
    with database.reading() as connection:
        connection.text_factory = text
        users = connection.execute(_USERS).fetchall()
    exclusions = read_exclusions(exclude, users)
    if names:
        users = [_named(name, users) for name in dict.fromkeys(names)]
    owners = [(key, text(name), text(email)) for key, name, email, parent in users if parent is None]
    excluded = [name for key, name, _email in owners if key in exclusions.users]
    selected = [owner for owner in owners if names or owner[0] not in exclusions.users]
    addressed = [
        Recipient(id=key, username=name, email=email) for key, name, email in selected if email.strip()
    ]
    unique = {recipient.id: recipient for recipient in addressed}
    return RecipientList(
        recipients=tuple(unique.values()),
        without_address=len(selected) - len(addressed),
        excluded=0 if names else len(excluded),
        asked_for=tuple(dict.fromkeys(excluded)) if names else (),
        exclusions=exclusions,
    )


def _named(name: str, users: Sequence[tuple[object, ...]]) -> tuple[object, ...]:
    """Return the row of the user with this name, else of the one with this id."""
    matches = [user for user in users if text(user[1]) == name] or [
        user for user in users if str(user[0]) == name
    ]
    if not matches:
        similar = nearest(name, [text(user[1]) for user in users])
        raise UsageError(f"utilisateur inconnu : {name!r}{suggestion(repr(similar) if similar else None)}")
    _id, _username, email, parent = matches[0]
    if parent is not None:
        raise UsageError(f"{name!r} est un sous-compte : son rapport est celui de son compte principal")
    if not text(email).strip():
        raise UsageError(f"{name!r} n'a pas d'adresse e-mail : l'enregistrer dans l'application")
    return matches[0]
