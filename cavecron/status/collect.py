"""Collecting the facts: from the settings, the ledger and the application's tables, at a given instant.

It reads in short transactions, one or two a job, and writes nothing. What cannot be read is a fact too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, cast, get_args

from cavecron import __version__
from cavecron.appdb.tables import require
from cavecron.appdb.usernames import usernames
from cavecron.config.settings import JobSettings, Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.backup import is_backup_overdue, newest_backup
from cavecron.jobs.builtin import BACKUP
from cavecron.jobs.job import Job, expected_jobs
from cavecron.ledger.history import overdue
from cavecron.ledger.models import State
from cavecron.ledger.records import Delivery, JobRecord
from cavecron.ledger.schedulers import SchedulerRow, schedulers
from cavecron.ledger.statistics import job_record, year_record
from cavecron.ledger.store import Ledger
from cavecron.schedule import Schedule, clock_note, describe, next_slot
from cavecron.status.calendar import calendar_of, day_bounds
from cavecron.status.facts import (
    BackupFacts,
    Calendar,
    ComingSlot,
    Facts,
    JobFacts,
    MailCounts,
    RunFacts,
    SchedulerFacts,
    UndeliveredMail,
    UndeliveredState,
)
from cavecron.status.needs import needs
from cavecron.status.past import recent_slots, run_facts, shown

#: Seconds that a lock is waited for: whoever asks how things stand may have a time limit.
_PATIENCE = 5.0
_RECENT = 30
#: Runs among which one that left something undone is looked for.
_UNFINISHED_AMONG = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is collected: slots to come, runs of the series, undelivered mails, and whether a year's days.

    With `names` users are named where a mail was not delivered, and errors are quoted as they are.
    """

    coming: int = 1
    runs: int = 1
    undelivered: int = 0
    calendar: bool = False
    names: bool = False


#: For a page.
EVERYTHING = Scope(coming=20, runs=60, undelivered=200, calendar=True)


def collect(settings: Settings, jobs: Sequence[Job], *, now: datetime, scope: Scope = EVERYTHING) -> Facts:
    """Return how things stand at `now` (aware); what cannot be read is told in the facts.

    A job that is off until somebody asks for it is there only if somebody did, or has run it by hand.
    """
    database = Database(settings.database, busy_timeout=_PATIENCE)
    ledger = Ledger(database=database)
    expected = expected_jobs(jobs, settings)
    trouble: str | None = None
    late: tuple[str, ...] = ()
    scheduler = SchedulerFacts(state="never")
    records: dict[str, JobFacts] = {}
    try:
        require(database)
        late = tuple(overdue(ledger, {n: s for n, s in settings.schedules.items() if s}, now))
        scheduler = scheduler_facts(schedulers(ledger))
        for job in jobs:
            records[job.name] = _job(job, settings, ledger, now=now, scope=scope)
    except CavecronError as error:
        trouble = str(error)
    facts = Facts(
        version=__version__,
        zone=settings.zone,
        now=now,
        database=str(settings.database),
        scheduler=scheduler,
        jobs=tuple(
            facts
            for job in jobs
            if (facts := records.get(job.name) or _planned(job, settings, now, scope)).last_run
            or job in expected
        ),
        trouble=trouble,
        overdue=late,
        backup=_backup(settings, now),
    )
    return replace(facts, needs=tuple(needs(facts)))


def _backup(settings: Settings, now: datetime) -> BackupFacts | None:
    """Return the newest good copy, None where there is none, or where the folder cannot be read."""
    try:
        newest = newest_backup(settings, now)
    except CavecronError:
        return None
    if newest is None:
        return None
    configured = settings.jobs.get(BACKUP.name)
    return BackupFacts(
        made=newest.at.astimezone(UTC),
        age=max(timedelta(), now - newest.at),
        path=str(settings.backup.folder / newest.name),
        overdue=configured is not None
        and configured.enabled
        and is_backup_overdue(newest, configured.schedule, now),
    )


def scheduler_facts(rows: Sequence[SchedulerRow]) -> SchedulerFacts:
    """Return whether a scheduler is there: one that is seen counts before one that may be there."""
    if not rows:
        return SchedulerFacts(state="never")
    running = [row for row in rows if row.stopped is None and row.seen != "dead"]
    for seen, state in (("alive", "up"), ("unseen", "unknown")):
        for row in running:
            if row.seen == seen:
                return SchedulerFacts(
                    state=cast(Literal["up", "unknown"], state), since=row.started, host=row.host
                )
    return SchedulerFacts(state="down", since=rows[0].stopped, host=rows[0].host)


def _planned(job: Job, settings: Settings, now: datetime, scope: Scope) -> JobFacts:
    """Return what the settings say of a job."""
    configured = settings.jobs[job.name]
    return JobFacts(
        name=job.name,
        title=job.title,
        schedule=describe(configured.schedule),
        variable=f"SCHEDULER_{configured.prefix}_ENABLED",
        enabled=configured.enabled,
        coming=tuple(_coming(configured, now, scope.coming)),
    )


def _coming(job: JobSettings, now: datetime, most: int) -> Iterator[ComingSlot]:
    slot = next_slot(job.schedule, now) if job.enabled else None
    while slot and most:
        note = clock_note(job.schedule, slot)
        yield ComingSlot(at=slot, local=slot.astimezone(job.schedule.zone), note=note)
        slot, most = next_slot(job.schedule, slot), most - 1


def _job(job: Job, settings: Settings, ledger: Ledger, *, now: datetime, scope: Scope) -> JobFacts:
    """Return what settings and ledger say of a job."""
    planned = _planned(job, settings, now, scope)
    record = job_record(
        ledger,
        job.name,
        slots=_RECENT,
        runs=max(_UNFINISHED_AMONG, scope.runs),
        undelivered=scope.undelivered,
        now=now,
    )
    if record is None:
        return planned
    schedule = settings.jobs[job.name].schedule
    runs = [run_facts(entry, mails=_mails(record, entry.id), names=scope.names) for entry in record.runs]
    return replace(
        planned,
        last_run=runs[0] if runs else None,
        last_success=record.last_success,
        unfinished=_unfinished(record, runs),
        recent=recent_slots(record.slots, schedule, most=_RECENT, names=scope.names),
        slots=cast(Mapping[State, int], record.totals),
        undelivered=tuple(_undelivered(record.undelivered, ledger.database, names=scope.names)),
        undelivered_more=record.more,
        calendar=_calendar(ledger, job.name, schedule, now, names=scope.names) if scope.calendar else None,
        series=tuple(run for run in reversed(runs) if run.finished) if scope.runs > 1 else (),
    )


def _unfinished(record: JobRecord, runs: Sequence[RunFacts]) -> RunFacts | None:
    """Return the latest run that left something undone, as `history` names `--resume` for it."""
    for entry, run in zip(record.runs, runs, strict=True):
        if entry.id <= record.complete_after:
            return None
        if entry.left_undone:
            return run
    return None


def _mails(record: JobRecord, run: int) -> MailCounts:
    totals = record.mails.get(run)
    if totals is None:
        return MailCounts()
    states = totals.states
    return MailCounts(
        sent=states.get("sent", 0),
        failed=states.get("failed", 0),
        deferred=states.get("deferred", 0),
        unknown=states.get("sending", 0) + states.get("abandoned", 0),
        repeated=totals.repeats,
    )


def _undelivered(
    deliveries: Sequence[Delivery], database: Database, *, names: bool
) -> Iterator[UndeliveredMail]:
    """Yield who got no mail; of one that a job of one's own sent, only the subject."""
    users = [int(one.recipient) for one in deliveries if _is_user(one.recipient)]
    known = usernames(database, users) if names and users else {}
    for one in deliveries:
        if _is_user(one.recipient):
            number = int(one.recipient)
            recipient = known.get(number, f"utilisateur {number}")
        else:
            recipient = one.recipient.partition(" ")[2]
        if one.state in get_args(UndeliveredState):
            yield UndeliveredMail(
                recipient=recipient,
                state=cast(UndeliveredState, one.state),
                reason=shown(one.error, names=names),
            )


def _is_user(recipient: str) -> bool:
    return recipient.isascii() and recipient.isdecimal() and len(recipient) < 19


def _calendar(ledger: Ledger, job: str, schedule: Schedule, now: datetime, *, names: bool) -> Calendar:
    bounds = day_bounds(schedule.zone, now)
    return calendar_of(year_record(ledger, job, bounds), bounds, schedule, names=names)
