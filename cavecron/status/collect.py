"""Collecting the facts from the settings, the ledger and the application's tables at a given instant.

It reads in short transactions, one or two for each job, and writes nothing. A database that cannot be read
is no error here: the facts say so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, cast, get_args

from cavecron import __version__
from cavecron.appdb.recipients import recipients
from cavecron.appdb.tables import require
from cavecron.appdb.usernames import usernames
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.backup import is_backup_overdue, newest_backup, no_backup_left
from cavecron.jobs.builtin import BACKUP, WEEKLY_REPORTS
from cavecron.jobs.job import Job, expected_jobs
from cavecron.ledger.overdue import overdue
from cavecron.ledger.overdue_job import OverdueJob
from cavecron.ledger.records import Delivery, JobRecord
from cavecron.ledger.schedulers import SchedulerRow, schedulers
from cavecron.ledger.states import State
from cavecron.ledger.statistics import job_record, year_record
from cavecron.ledger.store import Ledger
from cavecron.schedule import Schedule
from cavecron.schedule.describe import describe
from cavecron.status.calendar import calendar_of, day_bounds
from cavecron.status.coming_slots import coming_slots
from cavecron.status.facts import (
    BackupFacts,
    Calendar,
    Facts,
    JobFacts,
    MailCounts,
    RunFacts,
    SchedulerFacts,
    UndeliveredMail,
    UndeliveredState,
)
from cavecron.status.past_slots import for_display, recent_slots, run_facts
from cavecron.status.problems import problems
from cavecron.text import without_addresses

#: Seconds to wait for a lock: the caller, a health check for example, may have a time limit of its own.
_BUSY_TIMEOUT = 5.0
#: Past slots of each job that are listed.
_RECENT_SLOTS = 30
#: How many of the last runs are searched for one that `--resume` could complete.
_SEARCHED_FOR_UNFINISHED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much is collected for each job.

    `coming` is the number of coming slots, `runs` of past runs in the series, `undelivered` of mails that
    were not delivered; `calendar` adds the days of the last year. With `names`, users whose mail was not
    delivered are named, and so are people in errors; addresses never are there.
    """

    coming: int = 1
    runs: int = 1
    undelivered: int = 0
    calendar: bool = False
    names: bool = False


#: What the page shows.
EVERYTHING = Scope(coming=20, runs=60, undelivered=200, calendar=True)


def collect(settings: Settings, jobs: Sequence[Job], *, now: datetime, scope: Scope = EVERYTHING) -> Facts:
    """Return the facts at `now` (aware); if the database cannot be read, `Facts.trouble` says why.

    A job that is disabled by default (the backup) is left out unless somebody enabled it or ran it by hand.
    """
    database = Database(settings.database, busy_timeout=_BUSY_TIMEOUT)
    ledger = Ledger(database=database)
    expected = expected_jobs(jobs, settings)
    trouble: str | None = None
    late: Sequence[OverdueJob] = ()
    scheduler = SchedulerFacts(state="never")
    records: dict[str, JobFacts] = {}
    try:
        require(database)
        late = overdue(ledger, settings.enabled_schedules, now)
        scheduler = scheduler_facts(schedulers(ledger))
        for job in jobs:
            records[job.name] = _job(job, settings, ledger, now=now, scope=scope)
            if scope.undelivered and job.name == WEEKLY_REPORTS.name:
                records[job.name] = _with_recipients(records[job.name], settings, database)
    except CavecronError as error:
        trouble = str(error)
    backup, backup_problem = _backup(settings, records, now)
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
        overdue=tuple(problem.sentence for problem in late),
        backup=backup,
        backup_problem=backup_problem,
    )
    return replace(facts, needs=tuple(problems(facts, late)))


def _backup(
    settings: Settings, records: Mapping[str, JobFacts], now: datetime
) -> tuple[BackupFacts | None, str | None]:
    """Return the newest backup, and the problem if there is none although the job made some."""
    configured = settings.jobs.get(BACKUP.name)
    enabled = configured is not None and configured.enabled
    record = records.get(BACKUP.name)
    try:
        newest = newest_backup(settings, now)
    except CavecronError as error:
        return None, str(error) if enabled else None
    if newest is None:
        was_made = enabled and record is not None and record.last_success is not None
        return None, no_backup_left(settings.backup.folder) if was_made else None
    facts = BackupFacts(
        made=newest.at.astimezone(UTC),
        age=max(timedelta(), now - newest.at),
        path=str(settings.backup.folder / newest.name),
        overdue=configured is not None and enabled and is_backup_overdue(newest, configured.schedule, now),
    )
    return facts, None


def scheduler_facts(rows: Sequence[SchedulerRow]) -> SchedulerFacts:
    """Return whether a scheduler runs, by the rows of those that were started lately.

    One whose process is seen alive has precedence over one of which that cannot be known.
    """
    if not rows:
        return SchedulerFacts(state="never")
    running = [row for row in rows if row.stopped is None and row.process_state != "dead"]
    for process_state, state in (("alive", "up"), ("unseen", "unknown")):
        for row in running:
            if row.process_state == process_state:
                return SchedulerFacts(
                    state=cast(Literal["up", "unknown"], state), since=row.started, host=row.host
                )
    return SchedulerFacts(state="down", since=rows[0].stopped, host=rows[0].host)


def _planned(job: Job, settings: Settings, now: datetime, scope: Scope) -> JobFacts:
    """Return the facts of a job that the settings alone give."""
    configured = settings.jobs[job.name]
    return JobFacts(
        name=job.name,
        title=job.title,
        schedule=describe(configured.schedule),
        variable=f"SCHEDULER_{configured.prefix}_ENABLED",
        enabled=configured.enabled,
        coming=coming_slots(configured, now, scope.coming),
    )


def _job(job: Job, settings: Settings, ledger: Ledger, *, now: datetime, scope: Scope) -> JobFacts:
    """Return the facts of a job from the settings and the ledger."""
    planned = _planned(job, settings, now, scope)
    record = job_record(
        ledger,
        job.name,
        slots=_RECENT_SLOTS,
        runs=max(_SEARCHED_FOR_UNFINISHED, scope.runs),
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
        recent=recent_slots(record.slots, schedule, most=_RECENT_SLOTS, names=scope.names),
        slots=cast(Mapping[State, int], record.totals),
        undelivered=tuple(_undelivered(record.undelivered, ledger.database, names=scope.names)),
        undelivered_more=record.more,
        calendar=_calendar(ledger, job.name, schedule, now, names=scope.names) if scope.calendar else None,
        series=tuple(run for run in reversed(runs) if run.finished) if scope.runs > 1 else (),
    )


def _unfinished(record: JobRecord, runs: Sequence[RunFacts]) -> RunFacts | None:
    """Return the latest run that `--resume` could complete, by the same rule as `cavecron history`."""
    for entry, run in zip(record.runs, runs, strict=True):
        if entry.id <= record.complete_after:
            return None
        if entry.needs_resume:
            return run
    return None


def _with_recipients(facts: JobFacts, settings: Settings, database: Database) -> JobFacts:
    """Return the facts of the weekly reports with the number of users who get none."""
    users = recipients(database, exclude=settings.report_exclude)
    return replace(facts, without_address=users.without_address, excluded=users.excluded)


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
    """Yield the mails that were not delivered; those of custom jobs are identified by their subject."""
    users = [int(delivery.recipient) for delivery in deliveries if _is_user(delivery.recipient)]
    name_by_id = usernames(database, users) if names and users else {}
    for delivery in deliveries:
        if _is_user(delivery.recipient):
            user = int(delivery.recipient)
            recipient = name_by_id.get(user, f"utilisateur {user}")
        else:
            _address, _blank, subject = delivery.recipient.partition(" ")
            recipient = without_addresses(subject)
        if delivery.state in get_args(UndeliveredState):
            yield UndeliveredMail(
                recipient=recipient,
                state=cast(UndeliveredState, delivery.state),
                reason=for_display(delivery.error, names=names),
            )


def _is_user(recipient: str) -> bool:
    return recipient.isascii() and recipient.isdecimal() and len(recipient) < 19


def _calendar(ledger: Ledger, job: str, schedule: Schedule, now: datetime, *, names: bool) -> Calendar:
    bounds = day_bounds(schedule.zone, now)
    return calendar_of(year_record(ledger, job, bounds), bounds, schedule, names=names)
