"""The log sentences on slots and runs, for which people search in logs.

Their loggers are those of the runner and the scheduler. It decides nothing.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from cavecron.config.settings import Settings
from cavecron.french import duration, local_moment
from cavecron.jobs.job import Job, expected_jobs
from cavecron.ledger.models import Claim, GivenUpRun, MissedSlots, RunResult, ScanResult
from cavecron.schedule import next_slot
from cavecron.schedule.describe import describe

_RUNNER = logging.getLogger("cavecron.runner")
_DAEMON = logging.getLogger("cavecron.daemon")


def log_start(claim: Claim, job: Job, zone: ZoneInfo, now: datetime) -> None:
    """Log that a run begins at `now` (aware), and why, if it is late or resumed."""
    _RUNNER.info("Démarrage du job: %s", job.title)
    if claim.attempt == 1 and claim.trigger != "replay":
        return
    when = local_moment(claim.slot, zone)
    if claim.attempt > 1:
        kind = "de l'exécution à la main" if claim.trigger == "manual" else "du créneau"
        _RUNNER.info("Job %s : reprise %s du %s, tentative %d", job.name, kind, when, claim.attempt)
    else:
        late = duration(now - claim.slot)
        _RUNNER.info("Job %s : rattrapage du créneau du %s, %s de retard", job.name, when, late)


def log_end(job: Job, result: RunResult, zone: ZoneInfo) -> None:
    """Log how a run ended, and when it is tried again."""
    if result.state == "succeeded":
        _RUNNER.info("Job %s exécuté avec succès", job.name)
        return
    level, words = (
        (logging.WARNING, "interrompu") if result.state == "interrupted" else (logging.ERROR, "en échec")
    )
    again = ""
    if result.retry_at and result.state == "failed":
        again = f" ; nouvelle tentative à {result.retry_at.astimezone(zone):%H:%M:%S}"
    _RUNNER.log(level, "Job %s %s : %s%s", job.name, words, result.reason, again)


def log_scan(job: str, result: ScanResult, zone: ZoneInfo) -> None:
    """Log a warning for slots that a scan recorded as missed, and for each run that it gave up."""
    for sentence in losses(result, zone):
        _DAEMON.warning("Job %s : %s", job, sentence)


def losses(result: ScanResult, zone: ZoneInfo) -> Iterable[str]:
    """Return a French sentence for slots that a scan recorded as missed, and for each run it gave up."""
    sentences = []
    if result.missed:
        sentences.append(_missed(result.missed, zone))
    sentences += [_given_up(run, zone) for run in result.given_up]
    return sentences


def _given_up(run: GivenUpRun, zone: ZoneInfo) -> str:
    e = "e" if run.by_hand else ""
    kind = "exécution à la main" if run.by_hand else "créneau"
    end = f"coupé{e} net" if run.killed else f"inachevé{e}"
    return f"{kind} {end}, non repris{e} : {local_moment(run.slot, zone)}"


def _missed(missed: MissedSlots, zone: ZoneInfo) -> str:
    slots = missed.slots
    first, last = (local_moment(slot, zone) for slot in (slots.first, slots.last))
    if slots.count == 1:
        return f"créneau manqué : {last} ({missed.reason})"
    return f"{slots.count} créneaux manqués, du {first} au {last} ({missed.reason})"


def resume_hint(job: Job) -> str:
    """Return in French how to complete a run of the job that was cut off or failed."""
    return f"L'achever, une fois la cause corrigée : cavecron run {job.name} --resume"


def log_next_slots(jobs: Sequence[Job], settings: Settings, now: datetime) -> None:
    """Log each job's schedule and its next slot after `now` (aware)."""
    for job in expected_jobs(jobs, settings):
        configured = settings.jobs[job.name]
        if not configured.enabled:
            _DAEMON.info("Job %s : désactivé (SCHEDULER_%s_ENABLED)", job.name, configured.prefix)
            continue
        slot = next_slot(configured.schedule, now)
        when = local_moment(slot, configured.schedule.zone) if slot else "jamais"
        words = describe(configured.schedule)
        _DAEMON.info("Job %s (%s) : %s ; prochain créneau : %s", job.name, job.title, words, when)
