"""Runs: claiming one, renewing its lease, recording its end.

Functions with a `connection` work within the caller's transaction. Which of two rows is later is decided by
their ids, never by stored instants, because clocks can be wrong. It knows no schedule.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from cavecron.database.timestamps import utc_text
from cavecron.errors import AlreadyRunningError, CavecronError, LeaseLostError, UsageError
from cavecron.lazy import lazy_module
from cavecron.ledger.column_values import optional_instant
from cavecron.ledger.leases import lease_is_valid
from cavecron.ledger.models import KILLED, RESTORED, Claim, GivenUpRun, RunResult
from cavecron.ledger.process_id import describe_owner
from cavecron.ledger.rows import RunRow, select_runs
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import SLOT_RUN, UNFINISHED
from cavecron.schedule import GRACE

if TYPE_CHECKING:
    import json
else:
    json = lazy_module("json")  # only runs by hand, for some users


class RunMissingError(CavecronError):
    """A run that this process executes is not in the ledger: the file was replaced or emptied."""


def running_rows(connection: sqlite3.Connection, ledger: Ledger, job: str) -> list[RunRow]:
    """Return the running runs of `job`: at most one, unless the table was edited."""
    where = f"job = ? AND {UNFINISHED} AND state = 'running' ORDER BY id"
    return select_runs(connection, ledger, where, job)


def latest_slot_run(connection: sqlite3.Connection, ledger: Ledger, job: str, now: datetime) -> RunRow | None:
    """Return the run of the latest slot of `job` until `now` (aware); the clock may once have been ahead."""
    where = f"job = ? AND {SLOT_RUN} AND slot <= ? ORDER BY slot DESC LIMIT 1"
    return next(iter(select_runs(connection, ledger, where, job, utc_text(now))), None)


def slots_that_ran(
    connection: sqlite3.Connection, job: str, first: datetime, last: datetime
) -> list[datetime]:
    """Return the slots from `first` to `last` (aware, both included) that have a run, in order."""
    rows = connection.execute(
        f"SELECT slot FROM cavecron_run WHERE job = ? AND slot BETWEEN ? AND ? AND {SLOT_RUN}"  # noqa: S608
        " ORDER BY slot",
        (job, utc_text(first), utc_text(last)),
    )
    return [slot for (stored,) in rows if (slot := optional_instant(stored))]


def claim_slot(connection: sqlite3.Connection, ledger: Ledger, claim: Claim, now: datetime) -> Claim:
    """Claim a slot at `now` (aware); the unique index refuses a slot that already has a run."""
    return _insert(connection, ledger, claim, now)


def claim_manual(ledger: Ledger, job: str, users: Sequence[str], now: datetime) -> Claim:
    """Claim a run of `job` by hand at `now` (aware), independent of its schedule.

    If the last run was cut off or failed, less than an hour after its slot, it is resumed instead, so that it
    is completed and no mail is sent twice. With `users`, the run is always a new one.

    Raises:
        AlreadyRunningError: another process runs the job.

    """
    with ledger.writing() as connection:
        _end_dead_runs(connection, ledger, job, now)
        unfinished = None if users else _latest_unfinished(connection, ledger, job, complete_only=True)
        # In both directions, because the clock may have been ahead when the run began.
        if unfinished is not None and abs(now - unfinished.slot) < GRACE:
            return resume(connection, ledger, unfinished, now, retry_permanent_failures=True)
        if unfinished is not None:
            # The new run replaces it; the person who starts that one knows.
            give_up(connection, unfinished, now)
        claim = Claim(job=job, slot=now, trigger="manual", users=tuple(users))
        return _insert(connection, ledger, claim, now)


def claim_resume(ledger: Ledger, job: str, now: datetime) -> Claim:
    """Claim the latest run of `job` again, if it was cut off or failed, at `now` (aware).

    Raises:
        AlreadyRunningError: another process runs the job.
        UsageError: there is no such run, or the latest complete one succeeded.

    """
    with ledger.writing() as connection:
        _end_dead_runs(connection, ledger, job, now)
        unfinished = _latest_unfinished(connection, ledger, job)
        if unfinished is None:
            raise UsageError(f"rien à reprendre : la dernière exécution de {job} est complète")
        return resume(connection, ledger, unfinished, now, retry_permanent_failures=True)


def _latest_unfinished(
    connection: sqlite3.Connection, ledger: Ledger, job: str, *, complete_only: bool = False
) -> RunRow | None:
    """Return the latest run that did not succeed, None if a complete run succeeded after it.

    A successful run for some users only does not count as complete. With `complete_only`, runs for some users
    are not returned.
    """
    only = " AND users IS NULL" if complete_only else ""
    where = f"job = ? AND {UNFINISHED} AND state = ? AND reason IS NOT ?{only} ORDER BY id DESC LIMIT 1"
    states = ("running", "interrupted", "failed")
    runs = [run for state in states for run in select_runs(connection, ledger, where, job, state, RESTORED)]
    latest = max(runs, key=lambda run: run.id, default=None)
    if latest is None:
        return None
    later = connection.execute(
        "SELECT 1 FROM cavecron_run INDEXED BY cavecron_run_by_job"
        " WHERE job = ? AND id > ? AND state = 'succeeded' AND users IS NULL LIMIT 1",
        (job, latest.id),
    )
    return latest if later.fetchone() is None else None


def resume(
    connection: sqlite3.Connection,
    ledger: Ledger,
    run: RunRow,
    now: datetime,
    *,
    retry_permanent_failures: bool = False,
) -> Claim:
    """Claim a run that was cut off or failed, at `now` (aware), as its next attempt."""
    connection.execute(
        "UPDATE cavecron_run SET state = 'running', owner = ?, lease_until = ?, retry_at = NULL,"
        " finished = NULL, attempt = ?, reason = NULL WHERE id = ?",
        (ledger.owner, utc_text(now + ledger.lease), run.attempt + 1, run.id),
    )
    return replace(_claim_of(run), attempt=run.attempt + 1, retry_permanent_failures=retry_permanent_failures)


def _claim_of(run: RunRow) -> Claim:
    return Claim(
        run=run.id,
        job=run.job,
        slot=run.slot,
        trigger=run.trigger,
        attempt=run.attempt,
        failures=run.failures,
        users=run.users,
    )


def give_up(connection: sqlite3.Connection, run: RunRow, now: datetime) -> GivenUpRun | None:
    """Record at `now` (aware) that a run will not be resumed automatically.

    Return it if people have to be notified: once for the run of a killed process, and once for a run that was
    not resumed within the hour after its slot.
    """
    by_hand = run.trigger == "manual"
    if run.state == "running":
        connection.execute(
            "UPDATE cavecron_run SET state = 'interrupted', owner = NULL, lease_until = NULL, finished = ?,"
            " reason = ? WHERE id = ?",
            (utc_text(now), KILLED, run.id),
        )
        return GivenUpRun(slot=run.slot, killed=True, by_hand=by_hand, claim=_claim_of(run))
    if run.retry_at is None:
        return None
    connection.execute("UPDATE cavecron_run SET retry_at = NULL WHERE id = ?", (run.id,))
    is_over = now - run.slot >= GRACE
    claim = _claim_of(run) if run.state == "interrupted" else None
    return GivenUpRun(slot=run.slot, killed=False, by_hand=by_hand, claim=claim) if is_over else None


def renew(ledger: Ledger, run: int, now: datetime) -> None:
    """Renew the lease of a run at `now` (aware).

    Raises:
        LeaseLostError: another process has taken over the run.
        RunMissingError: the run is not in the ledger any more.

    """
    lease = utc_text(now + ledger.lease)

    def write(connection: sqlite3.Connection) -> None:
        require_lease(connection, ledger, run)
        connection.execute("UPDATE cavecron_run SET lease_until = ? WHERE id = ?", (lease, run))

    ledger.write(write)


def require_lease(connection: sqlite3.Connection, ledger: Ledger, run: int) -> None:
    """Raise a CavecronError unless this process owns the run.

    Raises:
        LeaseLostError: another process has taken over the run.
        RunMissingError: the run is not in the ledger any more.

    """
    row = connection.execute("SELECT state, owner FROM cavecron_run WHERE id = ?", (run,)).fetchone()
    if row is None:
        raise RunMissingError(
            f"{ledger.database.path} ne connaît plus cette exécution : la base a été remplacée, ou son"
            " registre effacé, pendant que le job tournait"
        )
    if row != ("running", ledger.owner):
        raise LeaseLostError("un autre processus a repris cette exécution : celui-ci s'arrête")


def require_given_up(connection: sqlite3.Connection, run: int, attempt: int) -> None:
    """Raise LeaseLostError if a run that was given up after this attempt has been resumed."""
    row = connection.execute("SELECT state, attempt FROM cavecron_run WHERE id = ?", (run,)).fetchone()
    if row != ("interrupted", attempt):
        raise LeaseLostError("cette exécution a été reprise : sa liste de mails est l'affaire de la reprise")


def record_end(ledger: Ledger, claim: Claim, result: RunResult, now: datetime) -> None:
    """Record the result of an attempt at `now` (aware), and release the lease.

    If the file was replaced, so that the run is not in its ledger, the run is inserted.

    Raises:
        LeaseLostError: another process has taken over the run, and will record its end.

    """
    retry_at = utc_text(result.retry_at) if result.retry_at else None
    failures = claim.failures + (result.state == "failed")

    def write(connection: sqlite3.Connection) -> None:
        run = claim.run
        try:
            require_lease(connection, ledger, run)
        except RunMissingError:
            run = _insert_unknown(connection, ledger, claim, now)
        connection.execute(
            "UPDATE cavecron_run SET state = ?, summary = ?, reason = ?, retry_at = ?, failures = ?,"
            " finished = ?, owner = NULL, lease_until = NULL WHERE id = ?",
            (result.state, result.summary, result.reason, retry_at, failures, utc_text(now), run),
        )

    ledger.write(write)


def _end_dead_runs(connection: sqlite3.Connection, ledger: Ledger, job: str, now: datetime) -> None:
    """Mark runs of dead processes as interrupted; raise AlreadyRunningError if `job` is running."""
    for run in running_rows(connection, ledger, job):
        if lease_is_valid(run, ledger, now):
            remaining = min(run.lease_until - now, 2 * ledger.lease) if run.lease_until else ledger.lease
            raise AlreadyRunningError(
                f"{job} est déjà en cours ({describe_owner(run.owner)}) : attendre sa fin ; s'il a été tué,"
                f" réessayer dans {remaining.seconds + 1} s"
            )
        give_up(connection, run, now)


def _insert(connection: sqlite3.Connection, ledger: Ledger, claim: Claim, now: datetime) -> Claim:
    cursor = connection.execute(
        "INSERT INTO cavecron_run (job, slot, last_slot, slots, trigger, state, attempt, failures, owner,"
        " lease_until, started, users)"
        " VALUES (:job, :slot, :slot, 1, :trigger, 'running', :attempt, :failures, :owner, :lease_until,"
        " :started, :users)",
        {
            "job": claim.job,
            "slot": utc_text(claim.slot),
            "trigger": claim.trigger,
            "attempt": claim.attempt,
            "failures": claim.failures,
            "owner": ledger.owner,
            "lease_until": utc_text(now + ledger.lease),
            "started": utc_text(now),
            "users": _packed(claim.users),
        },
    )
    # Rows of a deleted run with the same id may still exist.
    connection.execute("DELETE FROM cavecron_delivery WHERE run = ?", (cursor.lastrowid,))
    return Claim(
        run=cursor.lastrowid or 0, job=claim.job, slot=claim.slot, trigger=claim.trigger, users=claim.users
    )


def _insert_unknown(connection: sqlite3.Connection, ledger: Ledger, claim: Claim, now: datetime) -> int:
    """Insert a run that was claimed in another file; return its id in this one."""
    try:
        run = _insert(connection, ledger, claim, now).run
    except sqlite3.IntegrityError as error:
        raise LeaseLostError("un autre processus a exécuté ce créneau : celui-ci s'arrête") from error
    connection.execute("UPDATE cavecron_run SET started = NULL WHERE id = ?", (run,))
    return run


def _packed(users: tuple[str, ...]) -> str | None:
    if not users:
        return None
    return json.dumps(users)
