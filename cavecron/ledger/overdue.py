"""Slots that are overdue, for a health check; it only reads."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cavecron.database.timestamps import utc_text
from cavecron.french import local_minute
from cavecron.ledger.column_values import optional_instant
from cavecron.ledger.leases import lease_is_valid
from cavecron.ledger.overdue_job import OverdueJob
from cavecron.ledger.rows import RunRow, select_runs
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import SLOT_RUN, UNFINISHED
from cavecron.schedule import GRACE, Schedule, none_follows, previous_slot

_NEVER = OverdueJob(job=None, reason="aucun planificateur n'a encore tourné sur cette base")
#: A slot is overdue when it is not accounted for after this time, a killed run when it is not resumed.
_OVERDUE_AFTER = timedelta(minutes=2)


def overdue(ledger: Ledger, jobs: Mapping[str, Schedule], now: datetime) -> Sequence[OverdueJob]:
    """Return the jobs that are overdue or not followed at `now` (aware).

    Raises:
        CavecronError: the database cannot be read.

    """
    state = _state(ledger, now)
    if state is None:
        return [_NEVER]
    if not state.cursors and jobs:
        return [_NEVER]
    problems = [
        OverdueJob(job=name, reason="une exécution coupée net n'est pas reprise")
        for name in state.dead
        if name in jobs
    ]
    for name, schedule in jobs.items():
        fingerprint, accounted_until = state.cursors.get(name, ("", None))
        if name in state.busy:
            continue
        if fingerprint != schedule.fingerprint or accounted_until is None:
            reason = "le planificateur ne suit pas encore ce job avec cette planification"
            problems.append(OverdueJob(job=name, reason=reason))
        elif slot := _unaccounted_slot(
            schedule, state.latest.get(name), accounted_until, now - _OVERDUE_AFTER
        ):
            reason = f"le créneau du {local_minute(slot, schedule.zone)} n'a pas été pris"
            problems.append(OverdueJob(job=name, reason=reason))
    return problems


def _unaccounted_slot(
    schedule: Schedule, latest: datetime | None, accounted_until: datetime, until: datetime
) -> datetime | None:
    """Return the last slot up to `until` if it is not accounted for; `latest` is the last slot that ran.

    Usually no slot can have passed since then, which is known without computing one.
    """
    if accounted_until >= until or (latest is not None and none_follows(schedule, latest, until)):
        return None
    slot = previous_slot(schedule, until)
    return slot if slot is not None and slot > accounted_until else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """The present state of the ledger: each job's schedule, and until when its slots are accounted for.

    `busy` jobs are running; `dead` ones have a run that was cut off and should have been resumed. `latest` is
    each job's last slot that ran.
    """

    cursors: Mapping[object, tuple[object, datetime | None]]
    busy: frozenset[str]
    dead: Sequence[str]
    latest: Mapping[object, datetime | None]


def _state(ledger: Ledger, now: datetime) -> _State | None:
    with ledger.reading() as connection:
        if connection is None:
            return None
        jobs = connection.execute("SELECT name, schedule, looked_until FROM cavecron_job").fetchall()
        running = select_runs(connection, ledger, f"{UNFINISHED} AND state = 'running'")
        latest = {name: _latest_slot(connection, name, now) for name, _schedule, _until in jobs}
    return _State(
        cursors={name: (schedule, optional_instant(until)) for name, schedule, until in jobs},
        busy=frozenset(run.job for run in running if lease_is_valid(run, ledger, now)),
        dead=list(dict.fromkeys(run.job for run in running if _should_have_been_resumed(run, now))),
        latest=latest,
    )


def _should_have_been_resumed(run: RunRow, now: datetime) -> bool:
    has_expired = run.lease_until is not None and run.lease_until < now - _OVERDUE_AFTER
    return has_expired and run.trigger != "manual" and run.slot > now - GRACE


def _latest_slot(connection: sqlite3.Connection, job: object, now: datetime) -> datetime | None:
    (slot,) = connection.execute(
        f"SELECT max(slot) FROM cavecron_run WHERE job = ? AND {SLOT_RUN} AND slot <= ?",  # noqa: S608
        (job, utc_text(now)),
    ).fetchone()
    return optional_instant(slot)
