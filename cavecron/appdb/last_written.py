"""When something was last written into the application's tables, by the dates in their rows.

It reads a few rows of each table, the last ones first, and judges nothing.
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
#: Rows of a table that are read at most; if none has a usable date, the table says nothing.
_MOST_ROWS = 1_000


def last_written(database: Database, *, now: datetime) -> datetime | None:
    """Return the newest of the instants (aware, UTC) that the tables' last rows bear; None without any.

    In each table the last row counts whose date can be read and is not after `now` (aware): what is dated
    later was written by a clock that was wrong. By order of the rows, not of the dates, so that such a row
    is left behind by the next one whose date is right.
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
    """Return the first readable instant that is not after `now`; no row behind it is read."""
    instants = (read_utc(stored) for (stored,) in rows)
    return next((instant for instant in instants if instant and instant <= now), None)
