"""One run, from its claim to its outcome: the scheduler and `cavecron run` share this path.

The job works in a thread of its own; meanwhile its lease is renewed, and its time limit applies. What a job
does is not known here. The fixed sentences of the log are in `run_log` and `jobs.weekly_reports`.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cavecron.errors import CavecronError, LeaseLostError, StoppedError, TimeLimitError
from cavecron.jobs.context import Outcome, Run
from cavecron.jobs.invoke import JobCrashedError, call
from cavecron.jobs.job import Job
from cavecron.lazy import lazy_module
from cavecron.ledger.deliveries import Deliveries
from cavecron.ledger.models import Claim
from cavecron.scheduler.context import Options, RunContext, StopSignal
from cavecron.scheduler.finish import finish_run, notify
from cavecron.scheduler.lease import lease_renewal
from cavecron.scheduler.retry import result_of_error, result_of_outcome
from cavecron.scheduler.run_log import log_start

if TYPE_CHECKING:
    from cavecron.jobs import send_mail
    from cavecron.scheduler import ping
else:
    send_mail = lazy_module("cavecron.jobs.send_mail")
    ping = lazy_module("cavecron.scheduler.ping")

_LOG = logging.getLogger("cavecron.runner")


def _send(run: Run, to: str, subject: str, text: str) -> None:
    send_mail.send(run, to, subject, text)  # the module is loaded only for a job that sends a mail


class JobHungError(CavecronError):
    """The job exceeded its time limit and does not stop; `thread_end` is done when its thread ends."""

    def __init__(self, message: str, thread_end: "asyncio.Future[Outcome]") -> None:
        self.thread_end = thread_end
        super().__init__(message)


async def execute_run(
    claim: Claim, job: Job, context: RunContext, *, stop: StopSignal, options: Options
) -> Outcome:
    """Execute a claimed run and record how it ended.

    Raises:
        CavecronError: the job failed, was stopped or hung; the reason is already logged.

    """
    attempt = _Attempt(claim=claim, job=job, context=context, stop=stop, options=options)
    log_start(claim, job, context.settings.zone, context.clock.now())
    start_notice = attempt.notify_start()
    try:
        outcome = await attempt.work()
        result, error = result_of_outcome(outcome, claim, context.clock.now()), None
    except LeaseLostError as lost:  # the process that took over the run records its end
        _LOG.warning("Job %s : %s", job.name, lost)
        raise
    except CavecronError as failure:
        error = failure
    except Exception as failure:  # the scheduler must survive it
        _LOG.exception("Job %s : erreur interne", job.name)
        error = JobCrashedError(f"{type(failure).__name__} : {failure}")
    if error is not None:
        result = result_of_error(error, claim, context.clock.now())
    await finish_run(
        claim, job, context, result=result, stop=stop, options=options, start_notice=start_notice
    )
    if error is not None:
        raise error
    return outcome


def dry_run(job: Job, context: RunContext, options: Options) -> Outcome:
    """Execute a job in dry-run mode, in which it only reports what it would do; nothing is recorded."""
    claim = Claim(job=job.name, slot=context.clock.now(), trigger="manual")
    return call(run_of_job(claim, job, context, stop=StopSignal(), options=options))


def run_of_job(
    claim: Claim, job: Job, context: RunContext, *, stop: StopSignal, options: Options | None = None
) -> Run:
    """Return the argument of a job's function; its time limit starts now."""
    options = options or Options()
    return _Attempt(claim=claim, job=job, context=context, stop=stop, options=options).run_of_job()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One attempt at a run."""

    claim: Claim
    job: Job
    context: RunContext
    stop: StopSignal
    options: Options

    def run_of_job(self) -> Run:
        """Return the argument of the job's function."""
        context, limit = self.context, self.context.settings.jobs[self.job.name].time_limit
        deadline = context.clock.monotonic() + limit
        return Run(
            job=self.job,
            claim=self.claim,
            settings=context.settings,
            database=context.database,
            deliveries=Deliveries(ledger=context.ledger, run=self.claim.run),
            clock=context.clock,
            deadline=deadline,
            stop_error=lambda: self._reason_to_stop(deadline),
            progress=self.options.progress,
            send_text=_send,
            dry_run=self.options.dry_run,
            users=self.options.users or self.claim.users,
        )

    def _reason_to_stop(self, deadline: float) -> CavecronError | None:
        """Return why the job has to stop, None if it does not; called in its thread."""
        if self.stop.lease_lost:
            return self.stop.lease_lost
        if self.stop.stopping:
            return StoppedError("arrêt demandé, le job s'est interrompu")
        if self.context.clock.monotonic() > deadline:
            configured = self.context.settings.jobs[self.job.name]
            variable = f"SCHEDULER_{configured.prefix}_TIMEOUT"
            return TimeLimitError(f"durée limite de {configured.time_limit} s dépassée ({variable})")
        return None

    async def work(self) -> Outcome:
        """Return the job's outcome; raise a CavecronError if it failed, was stopped or hung."""
        run, grace = self.run_of_job(), self.context.settings.stop_grace
        work = self.context.threads.start(self.job.name, lambda: call(run))
        async with lease_renewal(self.claim, self.context, self.stop):
            seconds = run.deadline + grace - self.context.clock.monotonic()
            if await self.stop.wait_for(work, seconds=seconds, grace=grace):
                return work.result()
        if self.stop.stopping:
            raise StoppedError("le job ignore l'arrêt (il n'appelle pas run.check()) : abandonné")
        # After a run by hand the process ends, and the thread with it.
        advice = " ; redémarrer cavecron : d'ici là il n'exécute plus ce job"
        raise JobHungError(
            "le job ignore sa durée limite (il n'appelle pas run.check()) : abandonné"
            + (advice if self.options.wait_for_database else ""),
            work,
        )

    def notify_start(self) -> "asyncio.Future[None] | None":
        """Ping the job's monitoring service, if it has one, because a run began."""
        url = self.context.settings.jobs[self.job.name].ping_url
        return notify(self.context, lambda: ping.ping(url, "start")) if url else None
