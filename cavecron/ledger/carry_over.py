"""The ledger of a database that is restored from a backup.

The backup's ledger lacks the slots after the backup, so that they would run again. It is replaced by the
present ledger; if that cannot be read, all later slots are recorded in the backup's ledger as over. So a
restore causes no second mail.
"""

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta

from cavecron.database.columns import quoted_name
from cavecron.database.sqlite import transaction
from cavecron.database.timestamps import utc_text
from cavecron.errors import AlreadyRunningError
from cavecron.ledger import tables
from cavecron.ledger.column_values import optional_instant
from cavecron.ledger.leases import lease_is_valid
from cavecron.ledger.models import RESTORED
from cavecron.ledger.process_id import describe_owner
from cavecron.ledger.rows import select_runs
from cavecron.ledger.store import Ledger, lossy_text
from cavecron.ledger.tables import UNFINISHED
from cavecron.schedule import GRACE, Schedule, previous_slot, slots_between

_OURS = "name GLOB 'cavecron_*' AND sql IS NOT NULL"


def require_no_run(connection: sqlite3.Connection, ledger: Ledger, now: datetime) -> None:
    """Raise AlreadyRunningError if a run of any job has a valid lease at `now` (aware)."""
    if not tables.exist(connection):
        return
    for run in select_runs(connection, ledger, f"{UNFINISHED} AND state = 'running' ORDER BY id"):
        if lease_is_valid(run, ledger, now):
            raise AlreadyRunningError(
                f"{run.job} est en cours ({describe_owner(run.owner)}) : attendre sa fin, ou l'arrêter, puis"
                " restaurer"
            )


def carry_over(present: sqlite3.Connection, copy: sqlite3.Connection) -> bool:
    """Replace the ledger of `copy` by the present one; return whether that was done.

    It is not done if there is no present ledger, or if it was created after the copy was made.

    Raises:
        LedgerError: the present ledger is of a later version, or its tables were modified.
        sqlite3.DatabaseError: it is damaged.

    """
    present.text_factory = lossy_text
    if not tables.exist(present) or not _descends_from(present, copy):
        return False
    with transaction(copy):
        _drop(copy)
        for kind in ("table", "index"):
            query = f"SELECT name, sql FROM sqlite_master WHERE type = ? AND {_OURS}"  # noqa: S608 - constants
            for name, sql in present.execute(query, (kind,)).fetchall():
                copy.execute(sql)
                if kind == "table":
                    _copy_rows(present, copy, name)
    return True


def close_open_slots(
    copy: sqlite3.Connection, schedules: Mapping[str, Schedule | None], now: datetime, *, backup_job: str
) -> None:
    """Record in the ledger of `copy` that all slots up to `now` (aware) and all runs are over.

    Slots since the copy was made are recorded as missed. One of the last hour is recorded as failed, so that
    neither the scheduler nor `run --due` can claim it. A running run of `backup_job` is the one that made the
    copy, and is recorded as succeeded.

    Raises:
        LedgerError: its ledger is of a later version, or its tables were modified.

    """
    tables.ensure_tables(copy)
    at = utc_text(now)
    with transaction(copy):
        copy.execute(
            "UPDATE cavecron_run SET state = 'succeeded', owner = NULL, lease_until = NULL"
            " WHERE state = 'running' AND job = ?",
            (backup_job,),
        )
        copy.execute(
            "UPDATE cavecron_run SET state = 'failed', owner = NULL, lease_until = NULL, retry_at = NULL,"
            " finished = coalesce(finished, ?), reason = ? WHERE state = 'running' OR retry_at IS NOT NULL"
            " OR (state = 'interrupted' AND slot > ?)",
            (at, RESTORED, utc_text(now - GRACE)),
        )
        for job, schedule in schedules.items():
            if schedule is not None:
                _account(copy, job, schedule, now)
        copy.execute("UPDATE cavecron_job SET looked_until = ?", (at,))


def _account(copy: sqlite3.Connection, job: str, schedule: Schedule, now: datetime) -> None:
    """Record the slots of one job since the copy was made."""
    row = copy.execute("SELECT schedule, looked_until FROM cavecron_job WHERE name = ?", (job,)).fetchone()
    since = optional_instant(row[1]) if row and row[0] == schedule.fingerprint else None
    last = previous_slot(schedule, now)
    if last is None or (since is not None and last <= since):
        return
    is_recent = now - last < GRACE
    rows = []
    if since is not None:
        missed = slots_between(schedule, since, last - timedelta.resolution if is_recent else last)
        rows += [("missed", missed.first, missed.last, missed.count)] if missed else []
    rows += [("failed", last, last, 1)] if is_recent else []
    copy.executemany(
        "INSERT OR IGNORE INTO cavecron_run (job, state, slot, last_slot, slots, trigger, attempt, failures,"
        " finished, reason) VALUES (?, ?, ?, ?, ?, 'slot', 0, 0, ?, ?)",
        [
            (job, state, utc_text(first), utc_text(end), count, utc_text(now), RESTORED)
            for state, first, end, count in rows
        ],
    )


def _descends_from(present: sqlite3.Connection, copy: sqlite3.Connection) -> bool:
    """Return whether the present ledger continues the one of the copy: it contains that one's last run."""
    if not copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'cavecron_run'").fetchone():
        return True
    query = "SELECT id, job, slot FROM cavecron_run WHERE {} LIMIT 1"
    last = copy.execute(query.format("true ORDER BY id DESC")).fetchone()
    return last is None or present.execute(query.format("id = ?"), last[:1]).fetchone() == last


def _drop(copy: sqlite3.Connection) -> None:
    query = f"SELECT name FROM sqlite_master WHERE type = 'table' AND {_OURS}"  # noqa: S608 - constants
    for (name,) in copy.execute(query).fetchall():
        copy.execute(f"DROP TABLE {quoted_name(name)}")


def _copy_rows(present: sqlite3.Connection, copy: sqlite3.Connection, table: str) -> None:
    rows = present.execute(f"SELECT * FROM {quoted_name(table)}")  # noqa: S608 - a name from the file itself
    marks = ", ".join("?" for _ in rows.description)
    copy.executemany(f"INSERT INTO {quoted_name(table)} VALUES ({marks})", rows)  # noqa: S608
