"""Claims on runs: taking one, keeping its lease, ending it.

Whoever writes here has read the row in the same transaction. It knows no schedule.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cavecron.database.timestamps import read_utc, utc_text
from cavecron.errors import AlreadyRunningError, LeaseLostError, UsageError
from cavecron.ledger.models import KILLED, Claim, RunResult, Trigger
from cavecron.ledger.process_id import is_dead, shown
from cavecron.ledger.store import Ledger
from cavecron.schedule import GRACE

_COLUMNS = "id, job, slot, trigger, state, attempt, failures, lease_until, retry_at, users, owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as the ledger has it, whether it still runs or not."""

    id: int
    job: str
    slot: datetime
    trigger: Trigger
    state: str
    attempt: int
    failures: int
    lease_until: datetime | None
    retry_at: datetime | None
    users: tuple[str, ...]
    owner: str

    @property
    def is_settled(self) -> bool:
        """Return whether nothing of it is left to be done by itself."""
        return self.state == "succeeded" or (self.state == "failed" and self.retry_at is None)


def running(connection: sqlite3.Connection, job: str) -> list[RunRow]:
    """Return the runs of `job` that nobody has ended: one at most, unless somebody edited the table."""
    return _found(connection, "job = ? AND state = 'running'", job)


def latest_slot_run(connection: sqlite3.Connection, job: str, now: datetime) -> RunRow | None:
    """Return the run of the latest slot of `job` that ran; slots to come may have run by a wrong clock."""
    where = "job = ? AND state <> 'missed' AND trigger <> 'manual' AND slot <= ? ORDER BY slot DESC LIMIT 1"
    return next(iter(_found(connection, where, job, utc_text(now))), None)


def slots_that_ran(
    connection: sqlite3.Connection, job: str, first: datetime, last: datetime
) -> list[datetime]:
    """Return the slots from `first` to `last` that have a run, in order."""
    rows = connection.execute(
        "SELECT slot FROM cavecron_run WHERE job = ? AND slot BETWEEN ? AND ? AND state <> 'missed'"
        " AND trigger <> 'manual' ORDER BY slot",
        (job, utc_text(first), utc_text(last)),
    )
    return [slot for (stored,) in rows if (slot := read_utc(stored))]


def claim_slot(connection: sqlite3.Connection, ledger: Ledger, claim: Claim, now: datetime) -> Claim:
    """Claim a slot that has no run; the unique index refuses one that has."""
    return _insert(connection, ledger, claim, now)


def claim_manual(ledger: Ledger, job: str, users: Sequence[str], now: datetime) -> Claim:
    """Claim a run of `job` that a person asks for, whatever its schedule.

    One that was cut off or failed less than an hour after its slot is taken up instead: whoever starts it
    anew after an accident wants it finished, and nobody to be written to twice. With `users` it is new.

    Raises:
        AlreadyRunningError: another process runs it.

    """
    with ledger.writing() as connection:
        _refuse_second(connection, ledger, job, now)
        unfinished = None if users else _unfinished(connection, job, only=" AND users IS NULL")
        if unfinished is not None and timedelta() <= now - unfinished.slot < GRACE:
            return resume(connection, ledger, unfinished, now, retry_permanent_failures=True)
        claim = Claim(job=job, slot=now, trigger="manual", users=tuple(users))
        return _insert(connection, ledger, claim, now)


def claim_resume(ledger: Ledger, job: str, now: datetime) -> Claim:
    """Claim the latest run of `job` once more, that was cut off or left something undone.

    Raises:
        AlreadyRunningError: another process runs it.
        UsageError: there is none, or it succeeded.

    """
    with ledger.writing() as connection:
        _refuse_second(connection, ledger, job, now)
        unfinished = _unfinished(connection, job)
        if unfinished is None:
            raise UsageError(f"rien à reprendre : la dernière exécution de {job} est complète")
        return resume(connection, ledger, unfinished, now, retry_permanent_failures=True)


def _unfinished(connection: sqlite3.Connection, job: str, *, only: str = "") -> RunRow | None:
    """Return the latest run that did not succeed, None where a complete one came after it; `only` is SQL.

    A run for some users only that succeeded makes no other one complete.
    """
    where = (
        f"job = ? AND state IN ('running', 'interrupted', 'failed'){only} AND started > coalesce("  # noqa: S608 - constants
        "(SELECT max(started) FROM cavecron_run AS done WHERE done.job = cavecron_run.job"
        " AND done.state = 'succeeded' AND done.users IS NULL), '') ORDER BY started DESC, id DESC LIMIT 1"
    )
    return next(iter(_found(connection, where, job)), None)


def resume(
    connection: sqlite3.Connection,
    ledger: Ledger,
    run: RunRow,
    now: datetime,
    *,
    retry_permanent_failures: bool = False,
) -> Claim:
    """Claim a run that was cut off or failed."""
    connection.execute(
        "UPDATE cavecron_run SET state = 'running', owner = ?, lease_until = ?, retry_at = NULL,"
        " finished = NULL, attempt = attempt + 1, reason = NULL WHERE id = ?",
        (ledger.owner, utc_text(now + ledger.lease), run.id),
    )
    return Claim(
        run=run.id,
        job=run.job,
        slot=run.slot,
        trigger=run.trigger,
        attempt=run.attempt + 1,
        failures=run.failures,
        users=run.users,
        retry_permanent_failures=retry_permanent_failures,
    )


def mark_interrupted(connection: sqlite3.Connection, run: RunRow, now: datetime) -> datetime | None:
    """Leave a run as it is for good; return its slot if it was one of a killed process."""
    if run.state == "running":
        connection.execute(
            "UPDATE cavecron_run SET state = 'interrupted', owner = NULL, lease_until = NULL, finished = ?,"
            " reason = ? WHERE id = ?",
            (utc_text(now), KILLED, run.id),
        )
        return run.slot
    if run.retry_at:
        connection.execute("UPDATE cavecron_run SET retry_at = NULL WHERE id = ?", (run.id,))
    return None


def renew(ledger: Ledger, run: int, now: datetime) -> bool:
    """Renew the lease of a run; return False if another process has taken it over."""
    lease = utc_text(now + ledger.lease)

    def write(connection: sqlite3.Connection) -> bool:
        renewed = connection.execute(
            "UPDATE cavecron_run SET lease_until = ? WHERE id = ? AND state = 'running' AND owner = ?",
            (lease, run, ledger.owner),
        )
        return renewed.rowcount == 1

    return ledger.write(write)


def lease_is_valid(run: RunRow, ledger: Ledger, now: datetime) -> bool:
    """Return whether somebody executes a run: its lease goes on, and its owner is not known to be gone."""
    lease = run.lease_until
    # Further ahead than any lease reaches: it was taken by a clock that was wrong.
    return bool(lease and now < lease <= now + 2 * ledger.lease) and not is_dead(run.owner)


def require_lease(connection: sqlite3.Connection, ledger: Ledger, run: int) -> None:
    """Return if this process holds the run.

    Raises:
        LeaseLostError: another one has taken it over.

    """
    held = connection.execute(
        "SELECT 1 FROM cavecron_run WHERE id = ? AND state = 'running' AND owner = ?", (run, ledger.owner)
    ).fetchone()
    if held is None:
        raise LeaseLostError("un autre processus a repris cette exécution : celui-ci s'arrête")


def finish(ledger: Ledger, claim: Claim, ending: RunResult, now: datetime) -> None:
    """Record how an attempt ended, and give the lease back.

    Raises:
        LeaseLostError: another process has taken the run over, and will record its end.

    """
    retry_at = utc_text(ending.retry_at) if ending.retry_at else None
    failures = claim.failures + (ending.state == "failed")

    def write(connection: sqlite3.Connection) -> None:
        require_lease(connection, ledger, claim.run)
        connection.execute(
            "UPDATE cavecron_run SET state = ?, summary = ?, reason = ?, retry_at = ?, failures = ?,"
            " finished = ?, owner = NULL, lease_until = NULL WHERE id = ?",
            (ending.state, ending.summary, ending.reason, retry_at, failures, utc_text(now), claim.run),
        )

    ledger.write(write)


def _refuse_second(connection: sqlite3.Connection, ledger: Ledger, job: str, now: datetime) -> None:
    for run in running(connection, job):
        if lease_is_valid(run, ledger, now):
            left = (run.lease_until - now).seconds + 1 if run.lease_until else 0
            raise AlreadyRunningError(
                f"{job} est déjà en cours ({shown(run.owner)}) : attendre sa fin ; s'il a été tué, réessayer"
                f" dans {left} s"
            )
        mark_interrupted(connection, run, now)


def _insert(connection: sqlite3.Connection, ledger: Ledger, claim: Claim, now: datetime) -> Claim:
    cursor = connection.execute(
        "INSERT INTO cavecron_run (job, slot, last_slot, slots, trigger, state, attempt, failures, owner,"
        " lease_until, started, users) VALUES (?, ?, ?, 1, ?, 'running', 1, 0, ?, ?, ?, ?)",
        (
            claim.job,
            utc_text(claim.slot),
            utc_text(claim.slot),
            claim.trigger,
            ledger.owner,
            utc_text(now + ledger.lease),
            utc_text(now),
            _packed(claim.users),
        ),
    )
    # A row that somebody deleted may have left what belonged to a run of this number.
    connection.execute("DELETE FROM cavecron_delivery WHERE run = ?", (cursor.lastrowid,))
    return Claim(
        run=cursor.lastrowid or 0, job=claim.job, slot=claim.slot, trigger=claim.trigger, users=claim.users
    )


def _found(connection: sqlite3.Connection, where: str, *values: str) -> list[RunRow]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM cavecron_run WHERE {where}", values)  # noqa: S608
    return [
        RunRow(
            id=row[0],
            job=row[1],
            slot=read_utc(row[2]) or datetime(1, 1, 3, tzinfo=UTC),
            trigger=row[3],
            state=row[4],
            attempt=row[5],
            failures=row[6],
            lease_until=read_utc(row[7]),
            retry_at=read_utc(row[8]),
            users=_unpacked(row[9]),
            owner=row[10] or "",
        )
        for row in rows
    ]


def _packed(users: tuple[str, ...]) -> str | None:
    if not users:
        return None
    import json  # noqa: PLC0415 - an idle scheduler does without

    return json.dumps(users)


def _unpacked(stored: str | None) -> tuple[str, ...]:
    if not stored:
        return ()
    import json  # noqa: PLC0415 - an idle scheduler does without

    return tuple(json.loads(stored))
