"""What all engines have to know of the jobs: when to call, how long to wait, which variables to hand over.

Pure. An engine calls `cavecron run --due JOB`, which does nothing where no slot is due: so where an engine
cannot express a schedule exactly, it calls more often, never less.
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
from cavecron.schedule import GRACE, Schedule, clock_note, describe, next_slot
from cavecron.text import plain

#: A call that starts later than this after its slot finds it too old.
DEADLINE = GRACE - timedelta(minutes=1)
#: How long a run may take to stop once its own time is up.
MARGIN = timedelta(minutes=1)
_YEAR = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledCall:
    """When one job is called: `expression` in five fields, `time_limit` in seconds.

    `changes` are the clock changes of the coming year that move one of its slots, in French.
    """

    job: str
    title: str
    schedule: Schedule
    time_limit: int
    changes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return a name for units and objects: small letters, digits and hyphens."""
        return "cavecron-" + self.job.replace("_", "-").strip("-")

    @property
    def words(self) -> str:
        """Return what the job does and when, in French."""
        return f"{self.title} : {describe(self.schedule)} ({self.schedule.zone.key})"

    @property
    def written(self) -> str:
        """Return the schedule as it was configured, on one line."""
        return " ".join(self.schedule.expression.split())

    @property
    def expression(self) -> str:
        """Return five fields that any cron reads alike; every day where no such fields say which."""
        return expression(self.schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The calls of all enabled jobs, and the variables that they need.

    `secrets` maps names of variables whose values are not shown to the files that hold them, '' where the
    environment holds the value itself. `maildir` is the folder of mails that are not sent.
    """

    calls: tuple[ScheduledCall, ...]
    zone: str
    database: Path
    maildir: Path | None
    values: Mapping[str, str]
    secrets: Mapping[str, str]
    version: str


def plan(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    titles: Mapping[str, str],
    known: Sequence[Variable[Any]],
    now: datetime,
    version: str,
) -> Plan:
    """Return what `settings`, read from `environ`, mean for an engine.

    `titles` are those of the jobs by name, `known` all variables.
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
    names = sorted({variable.name for variable in known})
    values = {name: environ.get(name, "").strip() for name in names}
    files = {name: environ.get(f"{name}_FILE", "").strip() for name in names}
    secret = {variable.name for variable in known if variable.display is hidden or files[variable.name]}
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
        version=version,
    )


def _changes(schedule: Schedule, now: datetime) -> list[str]:
    """Return what clock changes of the coming year do to slots at fixed times."""
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
