"""`cavecron history [JOB]`: past slots with their results and the reasons."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from cavecron.cli.french_argparse import number
from cavecron.cli.log import one_line
from cavecron.french import local_minute
from cavecron.jobs.job import named_job
from cavecron.jobs.loader import load
from cavecron.ledger.history import history
from cavecron.ledger.models import HistoryEntry
from cavecron.scheduler.context import system_context
from cavecron.status.phrases import REPEATED, STATES, circumstances, retry
from cavecron.text import to_json

_MOST_ENTRIES = 100_000


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print past slots, newest first; exit code 0."""
    settings, jobs = load(environ)
    job = named_job(jobs, arguments.job).name if arguments.job else None
    most = number("-n", arguments.number, _MOST_ENTRIES)
    context = system_context(settings)
    entries = history(context.ledger, job=job, most=most, now=context.clock.now())
    if arguments.json:
        print(to_json([_as_json(entry) for entry in entries], indent=2))
    elif entries:
        print("\n".join(_table(entries, settings.zone)))
    else:
        print("Aucun créneau n'est encore passé, et aucun job n'a été exécuté.")
    return 0


def _as_json(entry: HistoryEntry) -> dict[str, object]:
    return {
        "job": entry.job,
        "slot": _instant(entry.slot),
        "last_slot": _instant(entry.last_slot),
        "slots": entry.slots,
        "trigger": entry.trigger,
        "state": entry.state,
        "started": _instant(entry.started),
        "finished": _instant(entry.finished),
        "attempt": entry.attempt,
        "retry_at": _instant(entry.retry_at),
        "summary": entry.summary,
        "reason": entry.reason,
        "repeats": entry.repeats,
    }


def _table(entries: Sequence[HistoryEntry], zone: ZoneInfo) -> Iterator[str]:
    """Yield the lines of all entries; `--resume` is suggested once a job, if it has something to do."""
    not_resumable: set[str] = set()
    for entry in entries:
        resumable = entry.needs_resume and entry.job not in not_resumable
        yield from _lines(entry, zone, resumable=resumable)
        if resumable or (entry.state == "succeeded" and not entry.partial):
            not_resumable.add(entry.job)


def _lines(entry: HistoryEntry, zone: ZoneInfo, *, resumable: bool) -> Sequence[str]:
    """Return the line of an entry, and lines with its details."""
    words = [f"{local_minute(entry.slot, zone)}  {entry.job:<16} {STATES.get(entry.state, entry.state):<10}"]
    if entry.state == "missed" and entry.slots > 1:
        words.append(f"{entry.slots} créneaux, jusqu'au {local_minute(entry.last_slot, zone)}")
    elif entry.state != "missed":
        words.append(", ".join(circumstances(entry, zone)))
    details = [text for text in (entry.summary, entry.reason) if text]
    if entry.retry_at:
        details.append(retry(entry.retry_at, zone))
    if entry.repeats:
        details.append(f"{REPEATED} : {entry.repeats}")
    if resumable:
        details.append(f"reprendre : cavecron run {entry.job} --resume")
    return [" ".join(words).rstrip(), *(f"    {one_line(text)}" for text in details)]


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
