"""`cavecron run JOB`: it runs a job now, in the foreground, with the same code as the scheduler."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from cavecron.appdb.tables import require
from cavecron.cli import log
from cavecron.cli.run_due import DueRuns, print_json
from cavecron.cli.streams import say
from cavecron.clock import Clock
from cavecron.errors import CavecronError, UsageError
from cavecron.jobs.context import Outcome
from cavecron.jobs.job import Job, named_job
from cavecron.jobs.loader import load
from cavecron.ledger.models import Claim
from cavecron.ledger.runs import claim_manual, claim_resume
from cavecron.scheduler.context import (
    Options,
    RunContext,
    StopSignal,
    call_unless_stopped,
    system_context,
)
from cavecron.scheduler.run_log import resume_hint
from cavecron.scheduler.runner import dry_run, execute_run
from cavecron.scheduler.signals import on_stop

#: Seconds after which a run shows its progress on a terminal.
_PROGRESS_AFTER = 2.0


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run the job; exit code 0, 1 if it failed or some recipients got no mail, 3 if it is running already."""
    settings, jobs = load(environ)
    chosen = _chosen(arguments, jobs)
    log.configure(
        zone=settings.zone,
        level=settings.log_level,
        log_format=settings.log_format,
        stream=sys.stderr if arguments.json else sys.stdout,
    )
    log.warn(settings.warnings)
    context = system_context(settings)
    options = Options(
        dry_run=arguments.dry_run, users=tuple(arguments.user), progress=_progress(context.clock)
    )
    if arguments.dry_run:
        outcome = dry_run(chosen[0], context, options)
        return _show(chosen[0], outcome, as_json=arguments.json, is_dry=True)
    try:
        return asyncio.run(_run(chosen, arguments, context, options))
    except CavecronError as error:
        if arguments.json:
            print_json(arguments.job, ok=False, error=str(error))
        raise


def _chosen(arguments: argparse.Namespace, jobs: Sequence[Job]) -> Sequence[Job]:
    """Return the jobs that the command line names.

    Raises:
        UsageError: the options contradict each other, or the job does not have them.

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


async def _run(
    jobs: Sequence[Job], arguments: argparse.Namespace, context: RunContext, options: Options
) -> int:
    """Claim and execute the jobs; return the exit code."""
    stop = StopSignal()
    on_stop(stop.stop)
    # Before the ledger is written, because this could be another program's file.
    await call_unless_stopped(stop, context, lambda: require(context.database))

    async def execute(claim: Claim, job: Job) -> int:
        return await _execute(claim, job, context, stop=stop, options=options, as_json=arguments.json)

    if arguments.due:
        return await DueRuns(context, stop, execute, as_json=arguments.json).run(jobs)
    (job,) = jobs

    def claim() -> Claim:
        now = context.clock.now()
        if arguments.resume:
            return claim_resume(context.ledger, job.name, now)
        return claim_manual(context.ledger, job.name, arguments.user, now)

    return await execute(await call_unless_stopped(stop, context, claim), job)


async def _execute(
    claim: Claim, job: Job, context: RunContext, *, stop: StopSignal, options: Options, as_json: bool
) -> int:
    """Execute a claimed run and print its result; return the exit code."""
    try:
        outcome = await execute_run(claim, job, context, stop=stop, options=options)
    except CavecronError as error:  # it is in the log already
        if as_json:
            print_json(job.name, ok=False, error=str(error))
        if _can_be_resumed(job, error):
            _say_how_to_finish(job)
        return error.exit_code
    return _show(job, outcome, as_json=as_json)


def _show(job: Job, outcome: Outcome, *, as_json: bool, is_dry: bool = False) -> int:
    """Print what is not in the log of a run; return the exit code."""
    ok = not outcome.failures
    if as_json:
        print_json(job.name, ok=ok, dry_run=is_dry, summary=outcome.summary, **outcome.details)
    elif is_dry or outcome.lines:
        say("\n  ".join((outcome.summary, *map(log.one_line, outcome.lines))))
    elif not ok:
        say("\n  ".join(("Rapports non remis :", *map(log.one_line, outcome.failures))))
    if not ok and not is_dry:
        _say_how_to_finish(job)
    return 0 if ok else 1


def _can_be_resumed(job: Job, error: CavecronError) -> bool:
    """Return whether `--resume` may find mails to send after a run that `error` ended."""
    return "users" in job.options and error.exit_code == 1


def _say_how_to_finish(job: Job) -> None:
    say(resume_hint(job), sys.stderr)


def _progress(clock: Clock) -> Callable[[int, int], None]:
    """Return a function that shows progress on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None
    started = clock.monotonic()

    def show(done: int, total: int) -> None:
        if clock.monotonic() - started > _PROGRESS_AFTER:
            # A carriage return, so that the next line of the log overwrites it.
            with suppress(OSError):
                print(f"{done}/{total}", end="\r", file=sys.stderr, flush=True)

    return show
