"""A database that records the statements that are executed, and the columns that they use."""

import sqlite3
from dataclasses import dataclass, field

from cavecron.database.sqlite import Database


@dataclass(frozen=True)
class WatchedDatabase(Database):
    """Keeps every statement that is executed, and each (table, column) that one reads or writes."""

    statements: list[str] = field(default_factory=list)
    columns: set[tuple[str, str]] = field(default_factory=set)

    def connect(self) -> sqlite3.Connection:
        """Return a watched connection."""
        connection = super().connect()
        connection.set_trace_callback(self.statements.append)
        connection.set_authorizer(self._allow)
        return connection

    def _allow(self, action: int, table: str | None, column: str | None, *_rest: str | None) -> int:
        if action in (sqlite3.SQLITE_READ, sqlite3.SQLITE_UPDATE) and table and column:
            self.columns.add((table, column))
        return sqlite3.SQLITE_OK
