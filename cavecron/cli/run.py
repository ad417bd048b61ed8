"""`cavecron run JOB`: a job, now, in the foreground, by the path that the scheduler takes."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence

from cavecron.appdb.tables import require
from cavecron.cli import log
from cavecron.clock import Clock
from cavecron.errors import AlreadyRunningError, CavecronError, UsageError
from cavecron.french import moment
from cavecron.jobs.job import Job, Outcome, named_job
from cavecron.jobs.loader import load
from cavecron.ledger.catch_up import scan_once
from cavecron.ledger.models import Claim
from cavecron.ledger.runs import claim_manual, claim_resume
from cavecron.schedule import next_slot
from cavecron.scheduler.runner import Control, Means, Options, carry_out, rehearse
from cavecron.scheduler.scheduler import means_of
from cavecron.scheduler.signals import on_stop

#: Seconds after which a run on a terminal says how far it is.
_PROGRESS_AFTER = 2.0


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run the job; exit code 0, 1 where it failed wholly or for some recipients, 3 where it runs already."""
    settings, jobs = load(environ)
    chosen = _chosen(arguments, jobs)
    log.configure(
        zone=settings.zone,
        level=settings.log_level,
        log_format=settings.log_format,
        stream=sys.stderr if arguments.json else sys.stdout,
    )
    log.warn(settings.warnings)
    means = means_of(settings)
    options = Options(dry_run=arguments.dry_run, users=tuple(arguments.user), progress=_progress(means.clock))
    if arguments.dry_run:
        return _shown(chosen[0], rehearse(chosen[0], means, options), dry_run=True, as_json=arguments.json)
    return asyncio.run(_run(chosen, arguments, means, options))


def _chosen(arguments: argparse.Namespace, jobs: Sequence[Job]) -> Sequence[Job]:
    """Return the jobs that the command line means.

    Raises:
        UsageError: it contradicts itself.

    """
    if arguments.due:
        if arguments.dry_run or arguments.user or arguments.resume:
            raise UsageError("--due ne s'emploie pas avec --dry-run, --user ou --resume")
        return [named_job(jobs, arguments.job)] if arguments.job else jobs
    if arguments.job is None:
        raise UsageError("un job est attendu : cavecron run JOB, ou cavecron run --due")
    job = named_job(jobs, arguments.job)
    if arguments.user and "users" not in job.options:
        raise UsageError(f"{job.name} ne connaît pas --user : il ne s'adresse à personne")
    if arguments.dry_run and "dry_run" not in job.options:
        raise UsageError(f"{job.name} ne connaît pas --dry-run")
    if arguments.resume and (arguments.dry_run or arguments.user):
        raise UsageError("--resume reprend une exécution telle quelle : sans --dry-run ni --user")
    return [job]


async def _run(jobs: Sequence[Job], arguments: argparse.Namespace, means: Means, options: Options) -> int:
    controls = {job.name: Control() for job in jobs}

    def stop() -> None:
        for control in controls.values():
            control.stop()

    on_stop(stop)
    try:
        claims = await means.threads.start("claim", lambda: _claims(jobs, arguments, means))
    except CavecronError as error:
        if arguments.json:
            _print_json(jobs[0], ok=False, error=str(error))
        raise
    named = {job.name: job for job in jobs}
    # All at once, as the scheduler does: a claim that waited for its turn would lose its lease.
    codes = await asyncio.gather(
        *(
            _carried_out(
                *(claim, named[claim.job], means),
                control=controls[claim.job],
                options=options,
                as_json=arguments.json,
            )
            for claim in claims
        )
    )
    return max(codes, default=0)


async def _carried_out(
    claim: Claim, job: Job, means: Means, *, control: Control, options: Options, as_json: bool
) -> int:
    try:
        outcome = await carry_out(claim, job, means, control=control, options=options)
    except CavecronError as error:  # the log has said why
        if as_json:
            _print_json(job, ok=False, error=str(error))
        return error.exit_code
    return _shown(job, outcome, as_json=as_json)


def _claims(jobs: Sequence[Job], arguments: argparse.Namespace, means: Means) -> list[Claim]:
    """Claim what the command line asks for.

    Raises:
        AlreadyRunningError: another process has it.
        CavecronError: the database is not there, or cannot be written.

    """
    now = means.clock.now()
    require(means.database)  # before the ledger is written: this may be some other program's file
    if arguments.due:
        return _due(jobs, means)
    if arguments.resume:
        return [claim_resume(means.ledger, jobs[0].name, now)]
    return [claim_manual(means.ledger, jobs[0].name, arguments.user, now)]


def _due(jobs: Sequence[Job], means: Means) -> list[Claim]:
    """Claim what the scheduler would run now, of enabled jobs; say so where there is nothing."""
    now = means.clock.now()
    configured = means.settings.schedules
    schedules = {job.name: configured[job.name] for job in jobs}
    looks = scan_once(means.ledger, schedules, now)
    claims = [seen.claim for seen in looks.values() if seen.claim]
    busy = [name for name, seen in looks.items() if seen.busy]
    if busy and not claims:
        raise AlreadyRunningError(f"{', '.join(busy)} : déjà en cours dans un autre processus")
    if not claims:
        slots = [slot for schedule in schedules.values() if schedule and (slot := next_slot(schedule, now))]
        coming = moment(min(slots).astimezone(means.settings.zone)) if slots else "aucun"
        print(f"Rien à exécuter maintenant ; prochain créneau : {coming}", file=sys.stderr)
    return claims


def _shown(job: Job, outcome: Outcome, *, as_json: bool, dry_run: bool = False) -> int:
    """Print what a run did beyond its log; return the exit code."""
    ok = not outcome.failures
    if as_json:
        _print_json(job, ok=ok, dry_run=dry_run, summary=outcome.summary, **outcome.details)
    elif dry_run or outcome.lines:
        print(outcome.summary, *map(log.one_line, outcome.lines), sep="\n  ")
    elif not ok:
        print("Rapports non remis :", *map(log.one_line, outcome.failures), sep="\n  ")
    return 0 if ok else 1


def _print_json(job: Job, **result: object) -> None:
    print(json.dumps({"job": job.name, **result}, ensure_ascii=False))


def _progress(clock: Clock) -> Callable[[int, int], None]:
    """Return what tells a person at a terminal how far the run is, and nobody else."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None
    started = clock.monotonic()

    def tell(done: int, total: int) -> None:
        if clock.monotonic() - started > _PROGRESS_AFTER:
            # Back to the margin, so that the next line of the log takes its place.
            print(f"{done}/{total}", end="\r", file=sys.stderr, flush=True)

    return tell
