"""`cavecron next [JOB]`: the coming slots, and what clock changes do to them. It opens no database."""

import argparse
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta

from cavecron.cli.french_argparse import instant, number
from cavecron.clock import SystemClock
from cavecron.config.settings import JobSettings
from cavecron.french import WEEKDAYS
from cavecron.jobs.job import expected_jobs, named_job
from cavecron.jobs.loader import load
from cavecron.schedule.describe import describe
from cavecron.status.coming_slots import ComingSlot, coming_slots
from cavecron.status.phrases import disabled, distance
from cavecron.text import to_json

_MOST_SLOTS = 10_000


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the coming slots of all jobs, or of one, in order of time; exit code 0."""
    settings, jobs = load(environ)
    listed = [named_job(jobs, arguments.job)] if arguments.job is not None else expected_jobs(jobs, settings)
    names = [job.name for job in listed]
    most = number("-n", arguments.number, _MOST_SLOTS)
    now = SystemClock().now()
    start = now if arguments.start is None else instant("--from", arguments.start, settings.zone)
    job_settings = {name: settings.jobs[name] for name in names}
    since = start - timedelta.resolution  # a slot at `start` is listed too
    rows = sorted(
        ((slot, name) for name, job in job_settings.items() for slot in coming_slots(job, since, most)),
        key=lambda row: (row[0].at, row[1]),
    )
    for warning in settings.warnings:
        print(f"cavecron : {warning}", file=sys.stderr)
    if arguments.json:
        disabled_jobs = [
            _disabled_as_json(name, job) for name, job in job_settings.items() if not job.enabled
        ]
        print(to_json([*(_as_json(slot, name) for slot, name in rows), *disabled_jobs], indent=2))
        return 0
    width = max(map(len, names))
    for name, job in job_settings.items():
        print(f"{name:<{width}}  {_planned(job)}")
    if rows:
        print()
    for slot, name in rows:
        print(_line(slot, name, now, width))
    return 0


def _planned(job: JobSettings) -> str:
    return f"{describe(job.schedule)} ({job.schedule.zone.key})" if job.enabled else _off(job)


def _off(job: JobSettings) -> str:
    return disabled(f"SCHEDULER_{job.prefix}_ENABLED")


def _line(slot: ComingSlot, job: str, now: datetime, width: int) -> str:
    local = slot.local
    # With %z the offset would be +0200 instead of +02:00.
    moment = f"{WEEKDAYS[local.weekday()]:<8} {local:%Y-%m-%d %H:%M} {local.isoformat()[19:]}"
    return f"{moment}  {job:<{width}}  {distance(slot.at - now):<15}  {slot.note}".rstrip()


def _as_json(slot: ComingSlot, job: str) -> Mapping[str, str]:
    return {"job": job, "at": slot.at.isoformat(), "local": slot.local.isoformat(), "note": slot.note}


def _disabled_as_json(name: str, job: JobSettings) -> Mapping[str, str | None]:
    return {"job": name, "at": None, "local": None, "note": _off(job)}
