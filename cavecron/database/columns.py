"""Which columns of a SQLite file are missing; it reads no row."""

import sqlite3
from collections.abc import Iterable, Mapping


def missing_columns(connection: sqlite3.Connection, needed: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return what the file lacks of `needed`, columns by table: a table's name, or `table.column`."""
    missing: list[str] = []
    for table, columns in needed.items():
        present = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        absent = sorted(set(columns) - present)
        missing += [f"{table}.{column}" for column in absent] if present else [table]
    return tuple(missing)
