"""Looking for slots that have passed, and claiming what is to run now.

All of one look happens in one `BEGIN IMMEDIATE` transaction, so that of two processes that look at the
same slot exactly one claims it. Which slots have passed is `schedule`'s affair.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cavecron.database.timestamps import read_utc, utc_text
from cavecron.errors import TemporaryError
from cavecron.french import duration
from cavecron.ledger.models import BUSY, REPLACED, TOO_LATE, Claim, Look, Missed, Trigger, Watch
from cavecron.ledger.process_id import is_gone
from cavecron.ledger.runs import (
    Running,
    claim_slot,
    give_up,
    is_held,
    latest_slot_run,
    running,
    slots_that_ran,
    take_up,
)
from cavecron.ledger.store import Ledger
from cavecron.schedule import GRACE, Schedule, SlotRange, due_and_missed, parse, previous_slot, slots_between

#: By how much a slot that was waited for can be late and still be on time; later it is a replay.
_ON_TIME = timedelta(seconds=60)
#: How long a lease that has run out is left alone: its owner may just have slept, with the whole machine.
_PATIENCE = timedelta(seconds=15)
_INSTANT = timedelta(microseconds=1)
#: A clock that says less is wrong.
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)


def register(
    ledger: Ledger, jobs: Mapping[str, Schedule | None], now: datetime, *, others_gone: bool = True
) -> None:
    """Note what this process looks for; None is a disabled job.

    A job seen for the first time, one that was disabled, and one whose schedule changed have missed
    nothing: looking for their slots begins at `now` (promise 4). With `others_gone` there are no other jobs.

    Raises:
        CavecronError: the ledger cannot be written.

    """
    _believe(now)
    with ledger.writing() as connection:
        known = dict(connection.execute("SELECT name, schedule FROM cavecron_job").fetchall())
        for name, schedule in jobs.items():
            identity = schedule.fingerprint if schedule else ""
            if known.get(name, "") != identity:
                _remember(connection, name, identity, now)
                _take_back(connection, name, _schedule_of(known.get(name, "")), now)
        for name in known.keys() - jobs.keys():
            if known[name] and others_gone:
                _remember(connection, name, "", now)
                _take_back(connection, name, _schedule_of(known[name]), now)


def look_once(ledger: Ledger, jobs: Mapping[str, Schedule | None], now: datetime) -> Mapping[str, Look]:
    """Look as a process does that looks once and ends; None is a disabled job.

    Raises:
        CavecronError: the ledger cannot be written; nothing is claimed then.

    """
    register(ledger, jobs, now, others_gone=False)
    watches = [Watch(job=name, schedule=schedule) for name, schedule in jobs.items() if schedule]
    looks = look(ledger, watches, now, eager=True)
    return {watch.job: seen for watch, seen in zip(watches, looks, strict=True)}


def look(ledger: Ledger, watches: Sequence[Watch], now: datetime, *, eager: bool = False) -> list[Look]:
    """Record what has passed for each watched job, and claim at most one run of each.

    `eager` is for a process that looks once and ends: the latest slot counts although nobody was looking
    for it, and a failed run is tried again without waiting.

    Raises:
        CavecronError: the ledger cannot be written; nothing is claimed or recorded then.

    """
    _believe(now)
    with ledger.writing() as connection:
        return [_Glance(connection, ledger, watch, now, eager).look() for watch in watches]


@dataclass(frozen=True, slots=True)
class _Glance:
    """One look at one job, within a transaction."""

    connection: sqlite3.Connection
    ledger: Ledger
    watch: Watch
    now: datetime
    eager: bool

    def look(self) -> Look:
        since = self._since()
        unfinished = running(self.connection, self.watch.job)
        for run in unfinished:
            if held := self._held(run):
                return held
        latest = latest_slot_run(self.connection, self.watch.job, self.now)
        for run in unfinished:
            if latest is None or run.id != latest.id:
                give_up(self.connection, run, self.now)
        return self._judge(since, latest)

    def _since(self) -> datetime:
        """Return until when slots are accounted for, and note it where looking begins anew."""
        job, schedule = self.watch.job, self.watch.schedule
        row = self.connection.execute(
            "SELECT schedule, looked_until FROM cavecron_job WHERE name = ?", (job,)
        ).fetchone()
        stored = read_utc(row[1]) if row and row[0] == schedule.fingerprint else None
        since = max((known for known in (stored, self.watch.looked) if known), default=self.now)
        if since > self.now:  # the clock went backwards
            _take_back(self.connection, job, schedule, self.now)
            since = self.now
        if stored is None or stored > self.now:
            _remember(self.connection, job, schedule.fingerprint, since)
        if self.eager:
            slot = previous_slot(schedule, self.now)
            if slot and slot <= since and self.now - slot < GRACE:
                return slot - _INSTANT
        return since

    def _held(self, run: Running) -> Look | None:
        """Return a look that found the job running, None where whoever ran it was killed."""
        lease = run.lease_until
        if is_held(run, self.ledger, self.now):
            return Look(busy=True, again=lease)
        if lease and not self.watch.fresh and self.watch.suspect != lease and not is_gone(run.owner):
            return Look(busy=True, again=self.now + _PATIENCE, suspect=lease)
        return None

    def _judge(self, since: datetime, latest: Running | None) -> Look:
        """Return what is to run, the job being idle."""
        found = due_and_missed(self.watch.schedule, since, self.now)
        missed = self._record(found.missed, replaced=found.due is not None)
        if found.due or found.missed:
            _remember(self.connection, self.watch.job, self.watch.schedule.fingerprint, self.now)
        if found.due is None or slots_that_ran(self.connection, self.watch.job, found.due, found.due):
            return self._resume(latest, missed)
        abandoned = give_up(self.connection, latest, self.now) if latest else None
        _take_back(self.connection, self.watch.job, self.watch.schedule, found.due - _INSTANT)
        claim = Claim(job=self.watch.job, slot=found.due, trigger=self._trigger(found.due))
        claim = claim_slot(self.connection, self.ledger, claim, self.now)
        return Look(claim=claim, missed=missed, abandoned=abandoned)

    def _resume(self, latest: Running | None, missed: Missed | None) -> Look:
        """Take up the latest run where it was cut off or failed for a while, and its hour is not over."""
        if latest is None or latest.is_settled:
            return Look(missed=missed)
        if self.now - latest.slot >= GRACE:
            return Look(missed=missed, abandoned=give_up(self.connection, latest, self.now))
        if latest.retry_at and latest.retry_at > self.now and not self.eager:
            return Look(missed=missed, again=latest.retry_at)
        return Look(missed=missed, claim=take_up(self.connection, self.ledger, latest, self.now))

    def _trigger(self, slot: datetime) -> Trigger:
        waited = self.watch.idle_since is not None and self.watch.idle_since < slot
        return "slot" if waited and self.now - slot < _ON_TIME else "replay"

    def _record(self, passed_by: SlotRange | None, *, replaced: bool) -> Missed | None:
        parts = list(self._unaccounted(passed_by)) if passed_by else []
        if not parts:
            return None
        missed = SlotRange(first=parts[0].first, last=parts[-1].last, count=sum(part.count for part in parts))
        if self.watch.busy:
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
                    *(self.watch.job, utc_text(part.first), utc_text(part.last), part.count),
                    *(utc_text(self.now), reason),
                )
                for part in parts
            ],
        )
        return Missed(gap=missed, reason=reason)

    def _unaccounted(self, passed_by: SlotRange) -> Iterator[SlotRange]:
        """Yield the parts of a gap that did not run: a clock that was set back comes by slots twice."""
        after = passed_by.first - _INSTANT
        ran = slots_that_ran(self.connection, self.watch.job, passed_by.first, passed_by.last)
        for end in (*ran, passed_by.last + _INSTANT):
            if part := slots_between(self.watch.schedule, after, end - _INSTANT):
                yield part
            after = end


def _believe(now: datetime) -> None:
    """Return if the clock can be right: without a battery it begins in 1970, or in the year of its making.

    Raises:
        TemporaryError: nobody has set it yet.

    """
    if now < _EARLIEST:
        raise TemporaryError(f"l'horloge n'est pas à l'heure ({now:%Y-%m-%d}) : la régler, ou attendre NTP")


def _remember(connection: sqlite3.Connection, job: str, identity: str, looked: datetime) -> None:
    connection.execute(
        "INSERT INTO cavecron_job (name, schedule, looked_until) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET"
        " schedule = excluded.schedule, looked_until = excluded.looked_until",
        (job, identity, utc_text(looked)),
    )


def _schedule_of(identity: str) -> Schedule | None:
    """Return the schedule that was looked for under this identity, None where it cannot be read."""
    expression, _, zone = identity.rpartition(" ")
    try:
        return parse(expression, ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError):
        return None


def _take_back(connection: sqlite3.Connection, job: str, schedule: Schedule | None, until: datetime) -> None:
    """Take back what was said to be missed after `until`: those slots are still to come, or come again."""
    values = {"job": job, "until": utc_text(until)}
    connection.execute(
        "DELETE FROM cavecron_run WHERE job = :job AND state = 'missed' AND slot > :until", values
    )
    rows = connection.execute(
        "SELECT id, slot, slots FROM cavecron_run"
        " WHERE job = :job AND state = 'missed' AND last_slot > :until",
        values,
    ).fetchall()
    for row, stored, slots in rows:
        # With another schedule than the row was made for, its first slot is all that is known of it.
        left = slots_between(schedule, (read_utc(stored) or until) - _INSTANT, until) if schedule else None
        connection.execute(
            "UPDATE cavecron_run SET last_slot = ?, slots = ? WHERE id = ?",
            (utc_text(left.last), min(left.count, slots), row) if left else (stored, 1, row),
        )
