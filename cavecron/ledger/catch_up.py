"""Scanning for slots that have passed, and claiming the run that is due.

Each scan is one `BEGIN IMMEDIATE` transaction, so that of two processes that scan the same slot exactly one
claims it. `schedule` computes which slots have passed. It executes nothing, and knows no job's function.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cavecron.database.timestamps import utc_text
from cavecron.errors import TemporaryError
from cavecron.french import duration
from cavecron.ledger.column_values import instant, optional_instant, skip_unreadable, text
from cavecron.ledger.leases import lease_state
from cavecron.ledger.missed_slots import retract_missed, schedule_of
from cavecron.ledger.models import (
    BUSY,
    REPLACED,
    TOO_LATE,
    Claim,
    GivenUpRun,
    JobCursor,
    MissedSlots,
    ScanResult,
)
from cavecron.ledger.rows import RunRow
from cavecron.ledger.runs import (
    claim_slot,
    give_up,
    latest_slot_run,
    resume,
    running_rows,
    slots_that_ran,
)
from cavecron.ledger.states import TRANSITIONS, CursorState, LeaseState, Trigger
from cavecron.ledger.store import Ledger
from cavecron.schedule import GRACE, Schedule, SlotRange, due_and_missed, previous_slot, slots_between

#: A slot for which a process waited is on time up to this lateness; after that it is a replay.
_ON_TIME = timedelta(seconds=60)
#: How long a process waits after a lease has expired: the owner may have been suspended with the machine.
_LEASE_PATIENCE = timedelta(seconds=15)
#: A clock that shows an earlier instant is certainly wrong.
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)


def register_jobs(
    ledger: Ledger, jobs: Mapping[str, Schedule | None], now: datetime, *, exclusive: bool = True
) -> None:
    """Register the schedules of this process by job; None is a disabled job.

    A new job, one that was disabled, and one whose schedule changed have missed nothing: their slots count
    from `now` (aware) on (promise 4). `exclusive` says that there are no other jobs.

    Raises:
        CavecronError: the ledger cannot be written.

    """
    _require_sane_clock(now)
    with ledger.writing() as connection:
        registered = _registered(connection, ledger)
        for name, schedule in jobs.items():
            identity = schedule.fingerprint if schedule else ""
            if registered.get(name, "") != identity:
                _store_cursor(connection, name, identity, now)
                former = schedule_of(registered.get(name, ""), ledger.zone_of)
                retract_missed(connection, ledger, name, now, schedule=former)
        for name in registered.keys() - jobs.keys():
            if registered[name] and exclusive:
                _store_cursor(connection, name, "", now)
                former = schedule_of(registered[name], ledger.zone_of)
                retract_missed(connection, ledger, name, now, schedule=former)


def scan_once(ledger: Ledger, jobs: Mapping[str, Schedule | None], now: datetime) -> Mapping[str, ScanResult]:
    """Register and scan jobs at `now` (aware), for a process that then ends; None is a disabled job.

    Raises:
        CavecronError: the ledger cannot be written; then nothing is claimed.

    """
    register_jobs(ledger, jobs, now, exclusive=False)
    cursors = [JobCursor(job=name, schedule=schedule) for name, schedule in jobs.items() if schedule]
    results = scan(ledger, cursors, now, eager=True)
    return {cursor.job: result for cursor, result in zip(cursors, results, strict=True)}


def scan(
    ledger: Ledger,
    cursors: Sequence[JobCursor],
    now: datetime,
    *,
    eager: bool = False,
    unseen: timedelta = timedelta(),
) -> list[ScanResult]:
    """Record the slots of each job that have passed by `now` (aware), and claim at most one run of each.

    `eager` is for a process that scans once and ends: the latest slot counts even if it is already accounted
    for, and a failed run is tried again at once. `unseen` is the longest time for which the clock may have
    been set back unnoticed: the slots of that time come again.

    Raises:
        CavecronError: the ledger cannot be written; then nothing is claimed or recorded.

    """
    _require_sane_clock(now)
    with ledger.writing() as connection:
        return [
            _JobScan(
                connection=connection, ledger=ledger, cursor=cursor, now=now, eager=eager, unseen=unseen
            ).scan()
            for cursor in cursors
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _JobScan:
    """The scan of one job, within a transaction."""

    connection: sqlite3.Connection
    ledger: Ledger
    cursor: JobCursor
    now: datetime
    eager: bool
    unseen: timedelta

    def scan(self) -> ScanResult:
        since = self._since()
        unfinished = running_rows(self.connection, self.ledger, self.cursor.job)
        for run in unfinished:
            lease = self._lease_state(run)
            state = TRANSITIONS[self.cursor.state][lease]
            if state is CursorState.BUSY:
                return ScanResult(state=state, next_scan=run.lease_until)
            if state is CursorState.LEASE_EXPIRED:
                again = self.now + _LEASE_PATIENCE
                return ScanResult(state=state, next_scan=again, expired_lease=run.lease_until)
        latest = latest_slot_run(self.connection, self.ledger, self.cursor.job, self.now)
        others = [run for run in unfinished if latest is None or run.id != latest.id]
        given_up = self._give_up(*others)
        result = self._decide(since, latest)
        return replace(result, given_up=given_up + result.given_up)

    def _since(self) -> datetime:
        """Return until when slots are accounted for; store it if the ledger lacks it or is ahead."""
        job, schedule = self.cursor.job, self.cursor.schedule
        row = self.connection.execute(
            "SELECT schedule, looked_until FROM cavecron_job WHERE name = ?", (job,)
        ).fetchone()
        stored = optional_instant(row[1]) if row and row[0] == schedule.fingerprint else None
        since = max((until for until in (stored, self.cursor.accounted_until) if until), default=self.now)
        latest = self.now - self.unseen
        if since > latest:  # the clock was set back
            retract_missed(self.connection, self.ledger, job, latest, schedule=schedule)
            since = latest
        if stored is None or stored > latest:
            _store_cursor(self.connection, job, schedule.fingerprint, since)
        if self.eager:
            slot = previous_slot(schedule, self.now)
            if slot and slot <= since and self.now - slot < GRACE:
                return slot - timedelta.resolution
        return since

    def _lease_state(self, run: RunRow) -> LeaseState:
        """Return the state of the lease of a run, compared with the lease that the cursor remembers."""
        state = lease_state(run, self.ledger, self.now)
        is_remembered = run.lease_until == self.cursor.expired_lease
        if is_remembered and state in (LeaseState.EXPIRED, LeaseState.AHEAD):
            return LeaseState.STILL_EXPIRED
        return state

    def _decide(self, since: datetime, latest: RunRow | None) -> ScanResult:
        """Return the run to execute now, if no run of the job is in progress."""
        slots = due_and_missed(self.cursor.schedule, since, self.now)
        missed = self._record(slots.missed, replaced=slots.due is not None)
        if slots.due or slots.missed:
            _store_cursor(self.connection, self.cursor.job, self.cursor.schedule.fingerprint, self.now)
        if slots.due is None or slots_that_ran(self.connection, self.cursor.job, slots.due, slots.due):
            return self._resume(latest, missed)
        given_up = self._give_up(latest)
        before = slots.due - timedelta.resolution
        retract_missed(self.connection, self.ledger, self.cursor.job, before, schedule=self.cursor.schedule)
        claim = Claim(job=self.cursor.job, slot=slots.due, trigger=self._trigger(slots.due))
        claim = claim_slot(self.connection, self.ledger, claim, self.now)
        return ScanResult(claim=claim, missed=missed, given_up=given_up)

    def _resume(self, latest: RunRow | None, missed: MissedSlots | None) -> ScanResult:
        """Resume the latest run if it was cut off or failed temporarily, less than an hour after its slot."""
        if latest is None or latest.is_settled:
            return ScanResult(missed=missed)
        if self.now - latest.slot >= GRACE:
            return ScanResult(missed=missed, given_up=self._give_up(latest))
        waits = latest.state == "failed" and latest.retry_at is not None and latest.retry_at > self.now
        if waits and not self.eager:
            return ScanResult(missed=missed, next_scan=latest.retry_at)
        return ScanResult(missed=missed, claim=resume(self.connection, self.ledger, latest, self.now))

    def _give_up(self, *runs: RunRow | None) -> tuple[GivenUpRun, ...]:
        """Give up runs, and return those that people have to be notified of."""
        given_up = (give_up(self.connection, run, self.now) for run in runs if run)
        return tuple(run for run in given_up if run)

    def _trigger(self, slot: datetime) -> Trigger:
        has_waited = self.cursor.has_waited_for(slot) or bool(self.unseen)
        return "slot" if has_waited and self.now - slot < _ON_TIME else "replay"

    def _record(self, slots: SlotRange | None, *, replaced: bool) -> MissedSlots | None:
        parts = list(self._unaccounted(slots)) if slots else []
        if not parts:
            return None
        missed = SlotRange(first=parts[0].first, last=parts[-1].last, count=sum(part.count for part in parts))
        if self.cursor.state in (CursorState.BUSY, CursorState.LEASE_EXPIRED):
            reason = BUSY
        elif replaced:
            reason = REPLACED
        else:
            late = duration(self.now - missed.last)
            reason = f"{TOO_LATE} : {late} de retard, une heure au plus se rattrape"
        self.connection.executemany(
            "INSERT INTO cavecron_run (job, slot, last_slot, slots, trigger, state, attempt, failures,"
            " finished, reason)"
            " VALUES (:job, :slot, :last_slot, :slots, 'slot', 'missed', 0, 0, :finished, :reason)",
            [
                {
                    "job": self.cursor.job,
                    "slot": utc_text(part.first),
                    "last_slot": utc_text(part.last),
                    "slots": part.count,
                    "finished": utc_text(self.now),
                    "reason": reason,
                }
                for part in parts
            ],
        )
        return MissedSlots(slots=missed, reason=reason)

    def _unaccounted(self, slots: SlotRange) -> Iterator[SlotRange]:
        """Yield the parts of a range that did not run; a clock that was set back passes some slots twice."""
        after = slots.first - timedelta.resolution
        run_slots = slots_that_ran(self.connection, self.cursor.job, slots.first, slots.last)
        for end in (*run_slots, slots.last + timedelta.resolution):
            if part := slots_between(self.cursor.schedule, after, end - timedelta.resolution):
                yield part
            after = end


def _require_sane_clock(now: datetime) -> None:
    """Raise TemporaryError if the clock is certainly wrong.

    Without a battery it starts in 1970, or in the year of manufacture, until it is set.
    """
    if now < _EARLIEST:
        raise TemporaryError(f"l'horloge n'est pas à l'heure ({now:%Y-%m-%d}) : la régler, ou attendre NTP")


def _registered(connection: sqlite3.Connection, ledger: Ledger) -> Mapping[str, str]:
    """Return the fingerprints of the registered schedules by job; '' for one that is disabled."""
    rows = connection.execute("SELECT name, schedule, looked_until FROM cavecron_job").fetchall()
    registered = {}
    for name, schedule, looked_until in rows:
        with skip_unreadable(ledger, "cavecron_job", name):
            instant(looked_until)
            registered[text(name)] = text(schedule)
    return registered


def _store_cursor(connection: sqlite3.Connection, job: str, identity: str, accounted_until: datetime) -> None:
    connection.execute(
        "INSERT INTO cavecron_job (name, schedule, looked_until) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET"
        " schedule = excluded.schedule, looked_until = excluded.looked_until",
        (job, identity, utc_text(accounted_until)),
    )
