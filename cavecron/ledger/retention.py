"""Deleting old rows of the ledger in short transactions, except those that are still needed.

Never deleted are running runs, the last runs of each job, slots of the last day (which could be claimed
again), and runs with a mail that may have arrived. It knows no table of the application.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from cavecron.database.timestamps import utc_text
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import IN_FLIGHT, MANUAL_RUN, MISSED, SLOT_RUN

#: The last runs of each job that are kept however old they are.
_KEPT_RUNS = 20
#: The most runs of one job that are kept: those of 138 days if it runs every minute.
_MOST_RUNS = 200_000
#: Rows that one transaction deletes, and seconds between two, in which other writers get the lock.
_BATCH, _WRITER_PAUSE = 500, 0.03

_DELETABLE = (
    " AND id < :first_kept AND state <> 'running' AND NOT EXISTS"  # noqa: S608 - constants
    f" (SELECT 1 FROM cavecron_delivery AS mail WHERE mail.run = cavecron_run.id AND mail.{IN_FLIGHT})"
)
#: The conditions for old rows of a job; each has an index of its own.
_OLD_ROWS = (
    f"job = :job AND {SLOT_RUN} AND slot < :limit{_DELETABLE}",
    f"job = :job AND {MANUAL_RUN} AND slot < :limit{_DELETABLE}",
    f"job = :job AND {MISSED} AND last_slot < :limit",
)


def count_old(ledger: Ledger, *, days: int, now: datetime) -> int:
    """Return how many rows `prune` would delete at `now` (aware): those of runs older than `days`."""
    rows = 0
    with ledger.reading() as connection:
        if connection is not None:
            for old in _old_rows(connection, days, now):
                query = f"SELECT count(*) FROM cavecron_run WHERE {old.where}"  # noqa: S608 - constants
                rows += connection.execute(query, old.values).fetchone()[0]
    return rows


def prune(
    ledger: Ledger,
    *,
    days: int,
    now: datetime,
    check: Callable[[], None],
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Delete the rows of runs older than `days`, and their deliveries; return the number of rows.

    Days are counted back from `now` (aware). `check` is called between two transactions and may raise; rows
    deleted until then stay deleted. `sleep` takes seconds.

    Raises:
        CavecronError: the ledger cannot be written.

    """
    with ledger.reading() as connection:
        kinds = () if connection is None else tuple(_old_rows(connection, days, now))
    deleted = 0
    with ledger.session():
        for old in kinds:
            while batch := ledger.write(partial(_delete_batch, old=old)):
                deleted += batch
                check()
                sleep(_WRITER_PAUSE)
    return deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class _OldRows:
    """The old rows of one job that have one index: an SQL condition, and the values of its parameters."""

    where: str
    values: dict[str, object]


def _old_rows(connection: sqlite3.Connection, days: int, now: datetime) -> Iterator[_OldRows]:
    limit = utc_text(now - timedelta(days=max(1, days)))
    for job in _jobs(connection):
        values: dict[str, object] = {
            "job": job,
            "first_kept": _first_kept(connection, job),
            "limit": max(limit, _slot_of_most(connection, job, now)),
        }
        yield from (_OldRows(where=where, values=values) for where in _OLD_ROWS)


def _jobs(connection: sqlite3.Connection) -> list[str]:
    """Return the jobs that have rows; each costs one search in the index."""
    rows = connection.execute(
        "WITH RECURSIVE job (name) AS (SELECT min(job) FROM cavecron_run UNION ALL"
        " SELECT (SELECT min(job) FROM cavecron_run WHERE job > name) FROM job WHERE name IS NOT NULL)"
        " SELECT name FROM job WHERE typeof(name) = 'text'"
    )
    return [name for (name,) in rows]


def _first_kept(connection: sqlite3.Connection, job: str) -> int:
    """Return the id of the oldest of the last 20 runs of a job, 0 if it has fewer."""
    row = connection.execute(
        "SELECT id FROM cavecron_run INDEXED BY cavecron_run_by_job WHERE job = ? AND state <> 'missed'"
        " ORDER BY id DESC LIMIT 1 OFFSET ?",
        (job, _KEPT_RUNS - 1),
    ).fetchone()
    return row[0] if row else 0


def _slot_of_most(connection: sqlite3.Connection, job: str, now: datetime) -> str:
    """Return the slot before which runs of a job exceed the most that are kept, '' if none do."""
    row = connection.execute(
        f"SELECT slot FROM cavecron_run WHERE job = ? AND {SLOT_RUN} AND slot < ?"  # noqa: S608 - constants
        " ORDER BY slot DESC LIMIT 1 OFFSET ?",
        (job, utc_text(now - timedelta(days=1)), _MOST_RUNS),
    ).fetchone()
    return str(row[0]) if row else ""


def _delete_batch(connection: sqlite3.Connection, *, old: _OldRows) -> int:
    """Delete some rows and their deliveries; return the number of rows, 0 if there were none."""
    rows = connection.execute(
        f"SELECT id FROM cavecron_run WHERE {old.where} LIMIT {_BATCH}",  # noqa: S608 - constants
        old.values,
    ).fetchall()
    connection.executemany("DELETE FROM cavecron_delivery WHERE run = ?", rows)
    connection.executemany("DELETE FROM cavecron_run WHERE id = ?", rows)
    return len(rows)
