"""The names of the application's users by their ids; it reads no other column."""

from collections.abc import Iterable, Mapping

from cavecron.database.sqlite import Database
from cavecron.report.columns import text


def usernames(database: Database, ids: Iterable[int]) -> Mapping[int, str]:
    """Return the names of the users with these ids; those that do not exist are left out.

    Raises:
        CavecronError: the database cannot be read.

    """
    names = {}
    with database.reading() as connection:
        connection.text_factory = text
        for user in ids:
            row = connection.execute('SELECT username FROM "user" WHERE id = ?', (user,)).fetchone()
            if row is not None:
                names[user] = text(row[0])
    return names
