"""Problems that a person has to solve, and the command that helps. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cavecron.french import duration, local_minute
from cavecron.ledger.models import TOO_LATE
from cavecron.ledger.overdue_job import IN_DOCKER, START, OverdueJob
from cavecron.schedule import GRACE
from cavecron.status.facts import Facts, JobFacts, Problem


def problems(facts: Facts, overdue: Sequence[OverdueJob]) -> Iterator[Problem]:
    """Yield the problems, `overdue` ones among them; those that keep all jobs from running come first."""
    if facts.trouble is not None:
        yield Problem(sentence=facts.trouble, command="cavecron check")
    if facts.scheduler.state == "down":
        when = (
            f" depuis le {local_minute(facts.scheduler.since, facts.zone)}" if facts.scheduler.since else ""
        )
        yield Problem(sentence=f"le planificateur est arrêté{when}", command=START)
    for late in overdue:
        yield _of_overdue(late, facts)
    for job in facts.jobs:
        yield from _of_job(job, facts)
    if facts.backup_problem is not None:
        yield Problem(sentence=facts.backup_problem, command="cavecron run backup")
    if facts.backup is not None and facts.backup.overdue:
        made = local_minute(facts.backup.made, facts.zone)
        yield Problem(
            sentence=f"la dernière copie de la base est du {made}, il y a {duration(facts.backup.age)}",
            command="cavecron run backup",
        )


def _of_overdue(late: OverdueJob, facts: Facts) -> Problem:
    """Return the problem with the command that helps: the scheduler, or, if one runs, the job itself."""
    if late.job is None:
        return Problem(sentence=f"{late.reason} ; le lancer {IN_DOCKER}", command=START)
    command = f"cavecron run {late.job}" if facts.scheduler.state == "up" else START
    return Problem(sentence=late.sentence, command=command)


def _of_job(job: JobFacts, facts: Facts) -> Iterator[Problem]:
    run = job.unfinished
    if run is not None and not (
        run.state == "interrupted"
        and run.trigger != "manual"
        and facts.scheduler.state in ("up", "unknown")
        and facts.now - run.slot < GRACE
    ):
        ended = "a échoué" if run.state == "failed" else "a été interrompue"
        yield Problem(
            sentence=f"{job.name} : l'exécution du {local_minute(run.slot, facts.zone)} {ended}",
            command=f"cavecron run {job.name} --resume",
        )
    last = job.recent[-1] if job.recent else None
    missed = last is not None and last.state == "missed" and (last.reason or "").startswith(TOO_LATE)
    if last is not None and missed and job.enabled and not _succeeded_since(job, last.slot):
        yield Problem(
            sentence=f"{job.name} : le créneau du {local_minute(last.slot, facts.zone)} a été manqué",
            command=f"cavecron run {job.name}",
        )


def _succeeded_since(job: JobFacts, slot: datetime) -> bool:
    return job.last_success is not None and job.last_success > slot
