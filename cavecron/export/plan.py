"""What every engine needs: when to call each job, its time limit, and the variables to set. Pure.

An engine calls `cavecron run --due JOB`, which does nothing if no slot is due. An engine that cannot express
a schedule exactly therefore calls more often, never less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cavecron.config.parsing import Variable, hidden
from cavecron.config.settings import Settings
from cavecron.export.fields import expression
from cavecron.french import date
from cavecron.schedule import GRACE, Schedule, next_slot
from cavecron.schedule.describe import clock_note, describe
from cavecron.text import plain

#: A call has to start within this time after its slot; later it would find the slot too old.
DEADLINE = GRACE - timedelta(minutes=1)
#: How long a run may take to stop after its time limit.
MARGIN = timedelta(minutes=1)
_YEAR = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledCall:
    """One job and when it is called; `time_limit` in seconds.

    `changes` are sentences about clock changes of the coming year that move one of its slots, in French.
    """

    job: str
    title: str
    schedule: Schedule
    time_limit: int
    changes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return a name for units and objects: lower-case letters, digits and hyphens."""
        return "cavecron-" + self.job.replace("_", "-").strip("-")

    @property
    def words(self) -> str:
        """Return the job's title and its schedule in French."""
        return f"{self.title} : {describe(self.schedule)} ({self.schedule.zone.key})"

    @property
    def configured_expression(self) -> str:
        """Return the schedule as it was configured, on one line."""
        return " ".join(self.schedule.expression.split())

    @property
    def expression(self) -> str:
        """Return the five fields of a cron expression; see `fields.expression`."""
        return expression(self.schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The calls of all enabled jobs, and the variables that they need.

    `secrets` maps the names of secret variables to the files that hold their values, '' if the value is in
    the environment. `maildir` is the folder into which mails are written instead of being sent. `program` is
    the absolute path of cavecron.
    """

    calls: tuple[ScheduledCall, ...]
    zone: str
    database: Path
    maildir: Path | None
    values: Mapping[str, str]
    secrets: Mapping[str, str]
    program: Path
    version: str


def plan(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    titles: Mapping[str, str],
    variables: Sequence[Variable[Any]],
    now: datetime,
    program: Path,
    version: str,
) -> Plan:
    """Return the plan for `settings`, which were read from `environ`, from `now` (aware) on.

    `titles` has the titles of the jobs by name, `variables` all variables that cavecron reads.
    """
    calls = tuple(
        ScheduledCall(
            job=name,
            title=plain(titles[name]),
            schedule=job.schedule,
            time_limit=job.time_limit,
            changes=tuple(_changes(job.schedule, now)),
        )
        for name, job in settings.jobs.items()
        if job.enabled
    )
    names = sorted({variable.name for variable in variables})
    values = {name: environ.get(name, "").strip() for name in names}
    files = {name: environ.get(f"{name}_FILE", "").strip() for name in names}
    secret = {variable.name for variable in variables if variable.display is hidden or files[variable.name]}
    return Plan(
        calls=calls,
        zone=settings.zone.key,
        database=settings.database,
        maildir=settings.maildir,
        values={
            **{name: value for name, value in values.items() if value and name not in secret},
            "SCHEDULER_TIMEZONE": settings.zone.key,
        },
        secrets={name: files[name] for name in sorted(secret) if values[name] or files[name]},
        program=program,
        version=version,
    )


def _changes(schedule: Schedule, now: datetime) -> list[str]:
    """Return what clock changes of the coming year do to slots at fixed times, in French."""
    notes = []
    for day in (now + timedelta(days=number) for number in range(_YEAR) if schedule.fields.fixed_time):
        if day.astimezone(schedule.zone).utcoffset() == _later(day).astimezone(schedule.zone).utcoffset():
            continue
        slot = next_slot(schedule, day - timedelta(days=1))
        while slot is not None and slot < _later(day) + timedelta(days=1):
            note = clock_note(schedule, slot)
            if note:
                notes.append(f"{date(slot.astimezone(schedule.zone))} : {note}")
            slot = next_slot(schedule, slot)
    return notes


def _later(day: datetime) -> datetime:
    return day + timedelta(days=1)
