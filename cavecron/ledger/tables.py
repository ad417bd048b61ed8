"""The ledger's tables: created on first use, and refused if their version or columns are unknown.

It knows neither the meaning of the rows nor who writes them.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from cavecron.database.columns import missing_columns
from cavecron.database.sqlite import transaction
from cavecron.errors import CavecronError

VERSION = 1

_COLUMNS: Mapping[str, str] = {
    # One row for each job: its schedule (expression and zone; '' while disabled), and until when its slots
    # are accounted for.
    "cavecron_job": "name TEXT PRIMARY KEY, schedule TEXT NOT NULL, looked_until DATETIME NOT NULL",
    # One row for each run, and one for each group of consecutive missed slots: `slots` of them, from `slot`
    # to `last_slot`. The `slot` of a run by hand is the instant of the request. A greater id came later.
    "cavecron_run": (
        "id INTEGER PRIMARY KEY, job TEXT NOT NULL, slot DATETIME NOT NULL, last_slot DATETIME NOT NULL,"
        " slots INTEGER NOT NULL, trigger TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL,"
        " failures INTEGER NOT NULL, owner TEXT, lease_until DATETIME, retry_at DATETIME, started DATETIME,"
        " finished DATETIME, summary TEXT, reason TEXT, users TEXT"
    ),
    # One row for each run and recipient; `repeats` counts how often the mail was sent again because its
    # result was unknown, `mail` is the id of its row in the application's log.
    "cavecron_delivery": (
        "run INTEGER NOT NULL, recipient TEXT NOT NULL, state TEXT NOT NULL, repeats INTEGER NOT NULL,"
        " error TEXT, mail INTEGER, at DATETIME NOT NULL, PRIMARY KEY (run, recipient)"
    ),
    # One row for each of the last schedulers, by the name of its process; `stopped` if it ended normally.
    "cavecron_scheduler": "owner TEXT PRIMARY KEY, started DATETIME NOT NULL, stopped DATETIME",
}
#: Tables that are missing in the ledger of an earlier release, which can still be read.
_NEWER = frozenset({"cavecron_scheduler"})

#: Conditions of partial indices: SQLite uses one only for a query that repeats its condition literally.
SLOT_RUN = "state <> 'missed' AND trigger <> 'manual'"
MANUAL_RUN = "trigger = 'manual'"
MISSED = "state = 'missed'"
UNFINISHED = "state IN ('running', 'interrupted', 'failed')"
IN_FLIGHT = "state = 'sending'"

#: Small indices, because a job that runs every minute adds half a million rows a year.
_INDICES: Mapping[str, str] = {
    # It guarantees that no slot runs twice.
    "cavecron_run_slot": f"UNIQUE INDEX {{}} ON cavecron_run (job, slot) WHERE {SLOT_RUN}",
    # By job, then by id: every index ends with the row's id.
    "cavecron_run_by_job": "INDEX {} ON cavecron_run (job)",
    "cavecron_run_unfinished": f"INDEX {{}} ON cavecron_run (job, state) WHERE {UNFINISHED}",
    "cavecron_run_missed": f"INDEX {{}} ON cavecron_run (job, last_slot) WHERE {MISSED}",
    "cavecron_run_manual": f"INDEX {{}} ON cavecron_run (job, slot) WHERE {MANUAL_RUN}",
    "cavecron_delivery_in_flight": f"INDEX {{}} ON cavecron_delivery (run) WHERE {IN_FLIGHT}",
}
#: Indices of earlier releases, which these replace.
_FORMER_INDICES = ("cavecron_run_job", "cavecron_run_running")

#: The names of each table's columns.
_SHAPES: Mapping[str, tuple[str, ...]] = {
    table: tuple(part.split()[0] for part in columns.partition(", PRIMARY")[0].split(", "))
    for table, columns in _COLUMNS.items()
}


class LedgerError(CavecronError):
    """The ledger cannot be used until a person has corrected something."""

    exit_code = 2


def ensure_tables(connection: sqlite3.Connection) -> None:
    """Create missing tables and indices, in one transaction.

    Raises:
        LedgerError: the tables are of a later version, or were modified.

    """
    if are_complete(connection):
        return
    with transaction(connection):
        if are_complete(connection):  # another process has created them meanwhile
            return
        connection.execute("CREATE TABLE IF NOT EXISTS cavecron_ledger (version INTEGER NOT NULL)")
        connection.execute("DELETE FROM cavecron_ledger")
        connection.execute("INSERT INTO cavecron_ledger VALUES (?)", (VERSION,))
        for table, columns in _COLUMNS.items():
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
        for name, definition in _INDICES.items():
            connection.execute(f"CREATE {definition.format(f'IF NOT EXISTS {name}')}")
        for name in _FORMER_INDICES:
            connection.execute(f"DROP INDEX IF EXISTS {name}")


def exist(connection: sqlite3.Connection) -> bool:
    """Return whether the tables exist and can be read; the indices may be missing.

    Raises:
        LedgerError: they are of a later version, or were modified.

    """
    return _present(connection) >= {"cavecron_ledger", *_SHAPES} - _NEWER


def are_complete(connection: sqlite3.Connection) -> bool:
    """Return whether all tables and indices exist.

    Raises:
        LedgerError: they are of a later version, or were modified.

    """
    return _present(connection) >= {"cavecron_ledger", *_SHAPES, *_INDICES}


def check_version(connection: sqlite3.Connection) -> None:
    """Raise LedgerError if a later version of cavecron has written the tables."""
    (version,) = connection.execute("SELECT max(version) FROM cavecron_ledger").fetchone()
    if isinstance(version, int) and version > VERSION:
        raise LedgerError(
            f"le registre de cette base a été écrit par un cavecron plus récent (version {version}, celui-ci"
            f" connaît la {VERSION}) : mettre cavecron à jour"
        )


def _present(connection: sqlite3.Connection) -> set[str]:
    """Return the names of cavecron's tables and indices that exist, after a check of version and columns."""
    present = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND name GLOB 'cavecron_*'"
        )
    }
    if "cavecron_ledger" in present:
        check_version(connection)
    _check_shapes(connection, sorted(present & _SHAPES.keys()))
    return present


def _check_shapes(connection: sqlite3.Connection, present: Sequence[str]) -> None:
    if not present:
        return
    missing = missing_columns(connection, {table: _SHAPES[table] for table in present})
    if missing:
        table, _, _column = missing[0].partition(".")
        raise LedgerError(
            f"la table {table} n'a pas la forme attendue (no such column: {missing[0]}) : quelqu'un l'a"
            f" modifiée ; la supprimer (DROP TABLE {table}), cavecron la refera vide"
        )
