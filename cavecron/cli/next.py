"""`cavecron next [JOB]`: the coming slots, and what clock changes do to them. It opens no database."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cavecron.cli.french_argparse import instant
from cavecron.clock import SystemClock
from cavecron.config.parsing import int_in_range
from cavecron.config.settings import JobSettings
from cavecron.errors import UsageError
from cavecron.french import WEEKDAYS
from cavecron.jobs.job import expected_jobs, named_job
from cavecron.jobs.loader import load
from cavecron.schedule import clock_note, describe, next_slot
from cavecron.status.phrases import disabled, distance
from cavecron.text import to_json

_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coming:
    """A coming slot in UTC and in local time; `note` says in French what a clock change does to it."""

    at: datetime
    job: str
    local: datetime
    note: str


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the coming slots of all jobs, or of one, in order of time; exit code 0."""
    settings, jobs = load(environ)
    listed = [named_job(jobs, arguments.job)] if arguments.job is not None else expected_jobs(jobs, settings)
    names = [job.name for job in listed]
    most = int_in_range(arguments.number, 1, _MOST)
    if most is None:
        raise UsageError(f"-n {arguments.number!r} : un nombre de 1 à {_MOST} est attendu")
    now = SystemClock().now()
    start = now if arguments.start is None else instant("--from", arguments.start, settings.zone)
    chosen = {name: settings.jobs[name] for name in names}
    rows = sorted(
        (row for name, job in chosen.items() for row in _coming(name, job, start, most)),
        key=lambda row: (row.at, row.job),
    )
    for warning in settings.warnings:
        print(f"cavecron : {warning}", file=sys.stderr)
    if arguments.json:
        off = [_disabled_as_json(name, job) for name, job in chosen.items() if not job.enabled]
        print(to_json([*map(_as_json, rows), *off], indent=2))
        return 0
    width = max(map(len, names))
    for name, job in chosen.items():
        print(f"{name:<{width}}  {_planned(job)}")
    if rows:
        print()
    for row in rows:
        print(_line(row, now, width))
    return 0


def _coming(name: str, job: JobSettings, start: datetime, most: int) -> Iterator[_Coming]:
    """Yield the first `most` slots of an enabled job at or after `start` (aware)."""
    slot = next_slot(job.schedule, start - timedelta.resolution) if job.enabled else None
    while slot and most:
        note = clock_note(job.schedule, slot)
        yield _Coming(at=slot, job=name, local=slot.astimezone(job.schedule.zone), note=note)
        slot, most = next_slot(job.schedule, slot), most - 1


def _planned(job: JobSettings) -> str:
    return f"{describe(job.schedule)} ({job.schedule.zone.key})" if job.enabled else _off(job)


def _off(job: JobSettings) -> str:
    return disabled(f"SCHEDULER_{job.prefix}_ENABLED")


def _line(row: _Coming, now: datetime, width: int) -> str:
    # Python writes +0200 with %z.
    moment = f"{WEEKDAYS[row.local.weekday()]:<8} {row.local:%Y-%m-%d %H:%M} {row.local.isoformat()[19:]}"
    return f"{moment}  {row.job:<{width}}  {distance(row.at - now):<15}  {row.note}".rstrip()


def _as_json(row: _Coming) -> Mapping[str, str]:
    return {"job": row.job, "at": row.at.isoformat(), "local": row.local.isoformat(), "note": row.note}


def _disabled_as_json(name: str, job: JobSettings) -> Mapping[str, str | None]:
    return {"job": name, "at": None, "local": None, "note": _off(job)}
