"""When something was last written into the application's tables, by the dates in their last rows.

It does not know what the caller concludes from that.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from cavecron.database.columns import missing_columns
from cavecron.database.sqlite import Database
from cavecron.database.timestamps import read_utc

_COLUMNS: Mapping[str, str] = {
    "email_log": "created_at",
    "activity_log": "created_at",
    "api_token_usage": "timestamp",
    "wine": "created_at",
    "wine_insight": "created_at",
    "wine_consumption": "consumed_at",
}
#: The most rows of a table that are read; if none of them has a usable date, the table is ignored.
_MOST_ROWS = 1_000


def last_written(database: Database, *, now: datetime) -> datetime | None:
    """Return the newest date (aware, UTC) of the tables' last rows; None if there is none.

    The last row of a table is the last inserted one whose date can be read and is not after `now` (aware): a
    later date was written with a wrong clock.
    """
    with database.reading() as connection:
        instants = (
            _last(
                connection.execute(
                    f"SELECT {column} FROM {table} ORDER BY rowid DESC LIMIT ?",  # noqa: S608 - constants
                    (_MOST_ROWS,),
                ),
                now,
            )
            for table, column in _COLUMNS.items()
            if not missing_columns(connection, {table: (column,)})
        )
        return max((instant for instant in instants if instant), default=None)


def _last(rows: Iterable[tuple[object]], now: datetime) -> datetime | None:
    """Return the first readable instant that is not after `now`; the rows after it are not read."""
    instants = (read_utc(stored) for (stored,) in rows)
    return next((instant for instant in instants if instant and instant <= now), None)
