"""Real Cave à Vin databases for tests: the application's own tables, and the rows that a test needs."""

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cavecron.database.sqlite import Database
from cavecron.database.timestamps import utc_text
from cavecron.demo import schema

#: A Monday, 8 o'clock in Paris.
NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def ago(**parts: float) -> str:
    """Return the instant this long before NOW as the application stores it."""
    return utc_text(NOW - timedelta(**parts))


@cache
def _empty_file() -> bytes:
    """Return an application database without users; it is created once and copied for each test."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.create(connection)
        connection.execute("INSERT INTO cellar_category (name) VALUES ('Cave')")
        connection.execute("INSERT INTO alcohol_category (name) VALUES ('Vin')")
        return connection.serialize()


class CellarFile:
    """A database file being filled; each method adds one row and returns its id. Everything is committed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path, busy_timeout=2.0)
        path.write_bytes(_empty_file())
        self._connection = sqlite3.connect(path, isolation_level=None)
        self.execute("PRAGMA synchronous = OFF")

    def execute(self, statement: str, values: Mapping[str, object] | tuple[object, ...] = ()) -> int:
        """Execute one statement; return the id of the row that it inserted, if any."""
        return self._connection.execute(statement, values).lastrowid or 0

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(query).fetchall()

    def wait_for(self, query: str, *, limit: float = 40.0) -> None:
        """Wait until a query has rows, which another process writes; fail if it never has."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with suppress(sqlite3.OperationalError):
                if self.rows(query):
                    return
            time.sleep(0.02)
        raise AssertionError(f"nothing came for {query}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def user(self, name: str, email: object = "", *, parent: int | None = None) -> int:
        """Add a user, with an address made from the name unless one is given."""
        address = f"{name}@example.org" if email == "" else email
        return self._add(
            '"user"',
            username=name,
            email=address,
            parent_id=parent,
            password="!",
            has_temporary_password=0,
            is_admin=0,
        )

    def cellar(self, user: int, name: str = "Cave", *, floors: object = 4, places: object = 6) -> int:
        """Add a cellar of `floors` times `places`."""
        return self._add(
            "cellar", name=name, floors=floors, bottles_per_floor=places, user_id=user, category_id=1
        )

    def floor(self, cellar: int, level: int, capacity: object) -> int:
        """Add a floor with its own capacity."""
        return self._add("cellar_floor", cellar_id=cellar, level=level, capacity=capacity)

    def wine(self, user: int, cellar: int, name: object = "Margaux", **columns: object) -> int:
        """Add a wine, long ago unless `created_at` is given; `attributes` may be an object or raw text."""
        attributes = columns.pop("attributes", {})
        stored = json.dumps(attributes) if isinstance(attributes, dict) else attributes
        values = {"quantity": 1, "created_at": ago(days=400), "updated_at": ago(days=400), **columns}
        return self._add("wine", name=name, extra_attributes=stored, user_id=user, cellar_id=cellar, **values)

    def insight(self, wine: int, content: object, *, weight: int = 1, created_at: str = "") -> int:
        """Add an insight on a wine."""
        at = created_at or ago(days=300)
        return self._add(
            "wine_insight", wine_id=wine, content=content, weight=weight, created_at=at, updated_at=at
        )

    def exit(self, user: int, wine: int, **columns: object) -> int:
        """Add bottles that were consumed a day ago, unless `consumed_at` is given."""
        values = {"consumed_at": ago(days=1), "quantity": 1, "snapshot_name": "Margaux", **columns}
        return self._add("wine_consumption", user_id=user, wine_id=wine, **values)

    def smtp(self, port: object = 25, **columns: object) -> int:
        """Add an active, plain configuration for a server on loopback, with a short time limit."""
        values = {
            "host": "127.0.0.1",
            "name": "maison",
            "use_tls": 0,
            "use_ssl": 0,
            "sender_email": "cave@example.org",
            "sender_name": "Cave à Vin",
            "timeout": 2,
            "is_active": 1,
            "is_default": 1,
            "created_at": ago(days=1),
            "updated_at": ago(days=1),
        }
        return self._add("smtp_config", port=port, **{**values, **columns})

    def _add(self, table: str, **columns: object) -> int:
        names = ", ".join(columns)
        marks = ", ".join(f":{name}" for name in columns)
        return self.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", columns)
