"""What a database has that an older copy of it lacks: rows counted by table, a few at a time.

Each statement reads so little that nobody waits for it. Rows are compared by their primary key.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cavecron.database.columns import quoted
from cavecron.database.sqlite import Database

#: Rows that one statement looks at. Where rows say when they were changed, their large values may have to be
#: read through.
_ROWS, _STAMPED_ROWS = 2_000, 100
#: The column that says when a row was changed.
_STAMP = "updated_at"
_FIRST = -(2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifference:
    """How a table differs from its copy: rows `added` since, `changed` since, and `removed` since.

    `changed` counts only where rows say when they were changed.
    """

    table: str
    added: int
    changed: int
    removed: int


def differences(database: Database, copy: Path, *, ignored: str) -> Iterator[TableDifference]:
    """Yield the tables that differ; those whose names begin with `ignored` are left out.

    Raises:
        CavecronError: one of the two cannot be read.

    """
    with database.session() as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("ATTACH ? AS copy", (f"{copy.absolute().as_uri()}?mode=ro&immutable=1",))
        present, former = (_tables(connection, schema, ignored) for schema in ("main", "copy"))
        for table in (*(name for name in former if name not in present), *present):
            if table in present and table in former:
                found = _difference(connection, table)
            else:
                found = _whole(connection, table, is_new=table in present)
            if found.added or found.changed or found.removed:
                yield found


def _difference(connection: sqlite3.Connection, table: str) -> TableDifference:
    present = _count(connection, "main", table)
    added = changed = 0
    for more_added, more_changed in _compared(connection, table):
        added += more_added
        changed += more_changed
    removed = max(0, _count(connection, "copy", table) - (present - added))
    return TableDifference(table=table, added=added, changed=changed, removed=removed)


def _whole(connection: sqlite3.Connection, table: str, *, is_new: bool) -> TableDifference:
    """Return the difference of a table that only one of the two has."""
    rows = _count(connection, "main" if is_new else "copy", table)
    return TableDifference(table=table, added=rows if is_new else 0, changed=0, removed=0 if is_new else rows)


def _compared(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, int]]:
    """Yield how many rows of a few are not in the copy, and how many are and were changed since."""
    columns = _columns(connection, "main", table)
    key = [name for name, position in columns if position] or ["rowid"]
    same = " AND ".join(f"old.{quoted(name)} IS new.{quoted(name)}" for name in key)
    stamped = all(_STAMP in dict(_columns(connection, schema, table)) for schema in ("main", "copy"))
    change = f"old.{_STAMP} IS NOT new.{_STAMP}" if stamped else "0"
    name = quoted(table)
    query = (
        f"SELECT max(place), coalesce(sum(found IS NULL), 0), coalesce(sum(found), 0), count(*) FROM (SELECT"  # noqa: S608
        f" new.rowid AS place, (SELECT {change} FROM copy.{name} AS old WHERE {same}) AS found"
        f" FROM main.{name} AS new WHERE new.rowid > ? ORDER BY new.rowid LIMIT ?)"
    )
    rows, place = _STAMPED_ROWS if stamped else _ROWS, _FIRST
    while True:
        last, added, changed, looked = connection.execute(query, (place, rows)).fetchone()
        yield added, changed
        if looked < rows:
            return
        place = last


def _tables(connection: sqlite3.Connection, schema: str, ignored: str) -> list[str]:
    """Return the tables whose rows have numbers."""
    query = f"SELECT name, sql FROM {schema}.sqlite_master WHERE type = 'table' ORDER BY name"  # noqa: S608
    rows = connection.execute(query)
    return [
        name
        for name, sql in rows
        if not name.startswith(("sqlite_", ignored))
        and not re.match(r"CREATE VIRTUAL", sql, re.IGNORECASE)
        and not re.search(r"WITHOUT\s+ROWID", sql.rpartition(")")[2], re.IGNORECASE)
    ]


def _columns(connection: sqlite3.Connection, schema: str, table: str) -> list[tuple[str, int]]:
    """Return the columns of a table, and the place of each in the primary key, from 1; 0 for none."""
    with closing(connection.execute(f"PRAGMA {schema}.table_info({quoted(table)})")) as rows:
        return [(row[1], row[5]) for row in rows]


def _count(connection: sqlite3.Connection, schema: str, table: str) -> int:
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {schema}.{quoted(table)}")  # noqa: S608
    return int(rows)
