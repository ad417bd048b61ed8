"""Scanning for slots that have passed, and claiming what is to run now.

All of one scan happens in one `BEGIN IMMEDIATE` transaction, so that of two processes that scan the same slot
exactly one claims it. `schedule` computes which slots have passed.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cavecron.database.timestamps import utc_text
from cavecron.errors import TemporaryError
from cavecron.french import duration
from cavecron.ledger.missed_slots import retract_missed, schedule_of
from cavecron.ledger.models import (
    BUSY,
    REPLACED,
    TOO_LATE,
    TRANSITIONS,
    Claim,
    CursorState,
    GivenUpRun,
    JobCursor,
    LeaseState,
    MissedSlots,
    ScanResult,
    Trigger,
)
from cavecron.ledger.rows import RunRow, instant, optional_instant, skip_unreadable, text
from cavecron.ledger.runs import (
    claim_slot,
    give_up,
    latest_slot_run,
    resume,
    running_rows,
    slots_that_ran,
)
from cavecron.ledger.store import Ledger
from cavecron.schedule import GRACE, Schedule, SlotRange, due_and_missed, previous_slot, slots_between

#: A slot that was waited for is on time up to so late; later it is a replay.
_ON_TIME = timedelta(seconds=60)
#: How long a process waits after a lease has run out: the owner may have slept with the machine.
_PATIENCE = timedelta(seconds=15)
_INSTANT = timedelta(microseconds=1)
#: A clock that shows an earlier instant is wrong.
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)


def register_jobs(
    ledger: Ledger, jobs: Mapping[str, Schedule | None], now: datetime, *, exclusive: bool = True
) -> None:
    """Register the jobs that this process follows; None is a disabled job.

    A job seen for the first time, one that was disabled, and one whose schedule changed have missed
    nothing: their slots count from `now` on (promise 4). `exclusive` says that there are no other jobs.

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
    """Scan as a process does that scans once and ends; None is a disabled job.

    Raises:
        CavecronError: the ledger cannot be written; nothing is claimed then.

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
    """Record what has passed of each job, and claim at most one run of each.

    `eager` is for a process that scans once and ends: the latest slot counts although nobody was waiting
    for it, and a failed run is tried again without waiting. `unseen` is for how long at most the clock has
    gone on since it was set back, before anybody saw that: slots of that time come again.

    Raises:
        CavecronError: the ledger cannot be written; nothing is claimed or recorded then.

    """
    _require_sane_clock(now)
    with ledger.writing() as connection:
        return [_JobScan(connection, ledger, cursor, now, eager, unseen).scan() for cursor in cursors]


@dataclass(frozen=True, slots=True)
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
                again = self.now + _PATIENCE
                return ScanResult(state=state, next_scan=again, expired_lease=run.lease_until)
        latest = latest_slot_run(self.connection, self.ledger, self.cursor.job, self.now)
        others = [run for run in unfinished if latest is None or run.id != latest.id]
        given_up = self._give_up(*others)
        result = self._decide(since, latest)
        return replace(result, given_up=given_up + result.given_up)

    def _since(self) -> datetime:
        """Return until when slots are accounted for; store it if the ledger does not know, or is ahead."""
        job, schedule = self.cursor.job, self.cursor.schedule
        row = self.connection.execute(
            "SELECT schedule, looked_until FROM cavecron_job WHERE name = ?", (job,)
        ).fetchone()
        stored = optional_instant(row[1]) if row and row[0] == schedule.fingerprint else None
        since = max((until for until in (stored, self.cursor.accounted_until) if until), default=self.now)
        latest = self.now - self.unseen
        if since > latest:  # the clock went backwards
            retract_missed(self.connection, self.ledger, job, latest, schedule=schedule)
            since = latest
        if stored is None or stored > latest:
            _store_cursor(self.connection, job, schedule.fingerprint, since)
        if self.eager:
            slot = previous_slot(schedule, self.now)
            if slot and slot <= since and self.now - slot < GRACE:
                return slot - _INSTANT
        return since

    def _lease_state(self, run: RunRow) -> LeaseState:
        """Return what the lease says of a run that nobody has ended."""
        lease = run.lease_until
        owner = self.ledger.state_of(run.owner)
        if lease is None or owner == "dead":
            return LeaseState.OWNER_DEAD
        is_sane = lease <= self.now + 2 * self.ledger.lease
        if self.now < lease and is_sane:
            return LeaseState.VALID
        if lease == self.cursor.expired_lease:
            return LeaseState.STILL_EXPIRED
        return LeaseState.EXPIRED if is_sane or owner != "alive" else LeaseState.AHEAD

    def _decide(self, since: datetime, latest: RunRow | None) -> ScanResult:
        """Return what is to run, given that no run of the job goes on."""
        passed = due_and_missed(self.cursor.schedule, since, self.now)
        missed = self._record(passed.missed, replaced=passed.due is not None)
        if passed.due or passed.missed:
            _store_cursor(self.connection, self.cursor.job, self.cursor.schedule.fingerprint, self.now)
        if passed.due is None or slots_that_ran(self.connection, self.cursor.job, passed.due, passed.due):
            return self._resume(latest, missed)
        given_up = self._give_up(latest)
        retract_missed(
            *(self.connection, self.ledger, self.cursor.job, passed.due - _INSTANT),
            schedule=self.cursor.schedule,
        )
        claim = Claim(job=self.cursor.job, slot=passed.due, trigger=self._trigger(passed.due))
        claim = claim_slot(self.connection, self.ledger, claim, self.now)
        return ScanResult(claim=claim, missed=missed, given_up=given_up)

    def _resume(self, latest: RunRow | None, missed: MissedSlots | None) -> ScanResult:
        """Resume the latest run where it was cut off or failed for a while, and its hour is not over."""
        if latest is None or latest.is_settled:
            return ScanResult(missed=missed)
        if self.now - latest.slot >= GRACE:
            return ScanResult(missed=missed, given_up=self._give_up(latest))
        waits = latest.state == "failed" and latest.retry_at is not None and latest.retry_at > self.now
        if waits and not self.eager:
            return ScanResult(missed=missed, next_scan=latest.retry_at)
        return ScanResult(missed=missed, claim=resume(self.connection, self.ledger, latest, self.now))

    def _give_up(self, *runs: RunRow | None) -> tuple[GivenUpRun, ...]:
        """Give runs up, and return those of which that is news."""
        given_up = (give_up(self.connection, run, self.now) for run in runs if run)
        return tuple(run for run in given_up if run)

    def _trigger(self, slot: datetime) -> Trigger:
        has_waited = self.cursor.has_waited_for(slot) or bool(self.unseen)
        return "slot" if has_waited and self.now - slot < _ON_TIME else "replay"

    def _record(self, passed_by: SlotRange | None, *, replaced: bool) -> MissedSlots | None:
        parts = list(self._unaccounted(passed_by)) if passed_by else []
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
            " finished, reason) VALUES (?, ?, ?, ?, 'slot', 'missed', 0, 0, ?, ?)",
            [
                (
                    *(self.cursor.job, utc_text(part.first), utc_text(part.last), part.count),
                    *(utc_text(self.now), reason),
                )
                for part in parts
            ],
        )
        return MissedSlots(slots=missed, reason=reason)

    def _unaccounted(self, passed_by: SlotRange) -> Iterator[SlotRange]:
        """Yield the parts of a gap that did not run: a clock that was set back comes by slots twice."""
        after = passed_by.first - _INSTANT
        ran = slots_that_ran(self.connection, self.cursor.job, passed_by.first, passed_by.last)
        for end in (*ran, passed_by.last + _INSTANT):
            if part := slots_between(self.cursor.schedule, after, end - _INSTANT):
                yield part
            after = end


def _require_sane_clock(now: datetime) -> None:
    """Raise TemporaryError unless the clock can be right.

    Without a battery it begins in 1970, or in the year of its making, until somebody sets it.
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
