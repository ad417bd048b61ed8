"""Problems that a person has to solve, and the command that helps. Pure."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from cavecron.french import duration
from cavecron.ledger.models import TOO_LATE
from cavecron.schedule import GRACE
from cavecron.status.facts import Facts, JobFacts, Need


def needs(facts: Facts) -> Iterator[Need]:
    """Yield the problems; those that keep all jobs from running come first."""
    if facts.trouble is not None:
        yield Need(sentence=facts.trouble, command="cavecron check")
    if facts.scheduler.state == "down":
        when = f" depuis le {_local(facts.scheduler.since, facts.zone)}" if facts.scheduler.since else ""
        yield Need(sentence=f"le planificateur est arrêté{when}", command="cavecron")
    for sentence in facts.overdue:
        command = _for_overdue(sentence, facts)
        # The one that says how to start a scheduler would name the command twice.
        yield Need(sentence=sentence.replace(f" : {command} (", " ("), command=command)
    for job in facts.jobs:
        yield from _of_job(job, facts)
    if facts.backup_problem is not None:
        yield Need(sentence=facts.backup_problem, command="cavecron run backup")
    if facts.backup is not None and facts.backup.overdue:
        made = _local(facts.backup.made, facts.zone)
        yield Need(
            sentence=f"la dernière copie de la base est du {made}, il y a {duration(facts.backup.age)}",
            command="cavecron run backup",
        )


def _for_overdue(sentence: str, facts: Facts) -> str:
    """Return the command that helps: it starts the scheduler, or, if one runs, the job itself."""
    job = next((job.name for job in facts.jobs if sentence.startswith(f"{job.name} : ")), None)
    if job is None or facts.scheduler.state != "up":
        return "cavecron"
    return f"cavecron run {job}"


def _of_job(job: JobFacts, facts: Facts) -> Iterator[Need]:
    run = job.unfinished
    if run is not None and not (
        run.state == "interrupted"
        and run.trigger != "manual"
        and facts.scheduler.state in ("up", "unknown")
        and facts.now - run.slot < GRACE
    ):
        ended = "a échoué" if run.state == "failed" else "a été interrompue"
        yield Need(
            sentence=f"{job.name} : l'exécution du {_local(run.slot, facts.zone)} {ended}",
            command=f"cavecron run {job.name} --resume",
        )
    last = job.recent[-1] if job.recent else None
    missed = last is not None and last.state == "missed" and (last.reason or "").startswith(TOO_LATE)
    if last is not None and missed and job.enabled and not _succeeded_since(job, last.slot):
        yield Need(
            sentence=f"{job.name} : le créneau du {_local(last.slot, facts.zone)} a été manqué",
            command=f"cavecron run {job.name}",
        )


def _succeeded_since(job: JobFacts, slot: datetime) -> bool:
    return job.last_success is not None and job.last_success > slot


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
