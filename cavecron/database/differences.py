"""Differences between a database and an older copy of it: the number of changed rows in each table.

Each statement reads few rows, so that writers do not have to wait. Rows are compared by their primary key.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cavecron.database.columns import quoted_name
from cavecron.database.sqlite import Database

#: Rows that one statement reads: few, because SQLite may have to read large values.
_BATCH_ROWS = 100
#: The column with the time of the last change of a row; in tables without it, all columns are compared.
_STAMP = "updated_at"
_FIRST = -(2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifference:
    """The number of rows of a table that were `added`, `changed` and `removed` since the copy was made."""

    table: str
    added: int
    changed: int
    removed: int


def differences(database: Database, copy: Path, *, ignored: str) -> Iterator[TableDifference]:
    """Yield the differences of tables, except for names that begin with `ignored`.

    Raises:
        CavecronError: the database or the copy cannot be read.

    """
    with database.session() as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("ATTACH ? AS copy", (f"{copy.absolute().as_uri()}?mode=ro&immutable=1",))
        present, former = (_tables(connection, schema, ignored) for schema in ("main", "copy"))
        for table in (*(name for name in former if name not in present), *present):
            if table in present and table in former:
                difference = _difference(connection, table)
            else:
                difference = _whole_table(connection, table, is_new=table in present)
            if difference.added or difference.changed or difference.removed:
                yield difference


def _difference(connection: sqlite3.Connection, table: str) -> TableDifference:
    present = _count(connection, "main", table)
    added = changed = 0
    for more_added, more_changed in _compare_rows(connection, table):
        added += more_added
        changed += more_changed
    removed = max(0, _count(connection, "copy", table) - (present - added))
    return TableDifference(table=table, added=added, changed=changed, removed=removed)


def _whole_table(connection: sqlite3.Connection, table: str, *, is_new: bool) -> TableDifference:
    """Return the difference of a table that exists only in one of the two files."""
    rows = _count(connection, "main" if is_new else "copy", table)
    return TableDifference(table=table, added=rows if is_new else 0, changed=0, removed=0 if is_new else rows)


def _compare_rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, int]]:
    """Yield for each batch of rows how many are not in the copy, and how many differ from it."""
    columns, former = (dict(_columns(connection, schema, table)) for schema in ("main", "copy"))
    key = [name for name, position in columns.items() if position] or ["rowid"]
    same = " AND ".join(f"old.{quoted_name(name)} IS new.{quoted_name(name)}" for name in key)
    both = [name for name in columns if name in former and name not in key]
    compared = [_STAMP] if _STAMP in both else both
    change = (
        " OR ".join(f"old.{quoted_name(name)} IS NOT new.{quoted_name(name)}" for name in compared) or "0"
    )
    name = quoted_name(table)
    query = (
        "SELECT max(place), coalesce(sum(differs IS NULL), 0), coalesce(sum(differs), 0), count(*)"  # noqa: S608
        f" FROM (SELECT new.rowid AS place, (SELECT {change} FROM copy.{name} AS old WHERE {same}) AS differs"
        f" FROM main.{name} AS new WHERE new.rowid > ? ORDER BY new.rowid LIMIT ?)"
    )
    place = _FIRST
    while True:
        last, added, changed, count = connection.execute(query, (place, _BATCH_ROWS)).fetchone()
        yield added, changed
        if count < _BATCH_ROWS:
            return
        place = last


def _tables(connection: sqlite3.Connection, schema: str, ignored: str) -> list[str]:
    """Return the tables with a rowid, without virtual ones."""
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
    """Return the columns of a table, each with its position in the primary key from 1, or 0."""
    with closing(connection.execute(f"PRAGMA {schema}.table_info({quoted_name(table)})")) as rows:
        return [(row[1], row[5]) for row in rows]


def _count(connection: sqlite3.Connection, schema: str, table: str) -> int:
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {schema}.{quoted_name(table)}")  # noqa: S608
    return int(rows)
