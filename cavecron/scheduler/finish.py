"""The end of a run: logging it, recording it in the ledger, and notifying people.

It does not decide how a run ended, or whether it is tried again: `retry` does.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from cavecron.errors import CavecronError, LeaseLostError, TemporaryError
from cavecron.jobs.job import Job
from cavecron.lazy import lazy_module
from cavecron.ledger.models import Claim, RunResult, ScanResult
from cavecron.ledger.runs import record_end
from cavecron.schedule import GRACE
from cavecron.scheduler.context import Options, RunContext, StopSignal
from cavecron.scheduler.run_log import log_end, losses

if TYPE_CHECKING:
    from cavecron.scheduler import notifications
else:
    notifications = lazy_module("cavecron.scheduler.notifications")

_LOG = logging.getLogger("cavecron.runner")

#: Seconds to wait for the ledger to record an end while the process is being stopped.
_LAST_WRITE = 1.0
#: The same for a run by hand: longer than the wait for a lock.
_LONGEST_WRITE = 60.0
#: Seconds to wait for a ping or an alert to be sent.
NOTIFICATION_LIMIT = 60.0
#: Seconds between two attempts to record an end: less than other processes wait after a lease has expired.
_RECORD_PAUSE = 10.0


async def finish_run(
    claim: Claim,
    job: Job,
    context: RunContext,
    *,
    result: RunResult,
    stop: StopSignal,
    options: Options,
    start_notice: "asyncio.Future[None] | None",
) -> None:
    """Log and record how an attempt at a run ended, and send the notifications that are configured.

    The notification of the start, `start_notice`, is sent first: services expect start before end.
    """
    log_end(job, result, context.settings.zone)
    if not await _record(claim, context, result=result, stop=stop, options=options):
        return
    options.recorded(result)
    settings = context.settings
    has_receiver = settings.jobs[job.name].ping_url or settings.alert_to
    if has_receiver and result.state != "interrupted" and not result.retry_at:
        if start_notice is not None:
            await stop.wait_for(start_notice, seconds=NOTIFICATION_LIMIT, grace=_LAST_WRITE)
        notification = notify(
            context,
            lambda: notifications.notify_finished(
                claim, result, job=job, settings=settings, clock=context.clock
            ),
        )
        if not await stop.wait_for(notification, seconds=NOTIFICATION_LIMIT, grace=_LAST_WRITE):
            _LOG.warning("Job %s : qui devait être prévenu ne l'est peut-être pas, faute de temps", job.name)


def notify(context: RunContext, call: Callable[[], None]) -> "asyncio.Future[None]":
    """Start sending a notification in a thread; an error is logged and never raised."""
    notification = context.threads.start("notify", call)
    notification.add_done_callback(_log_failure)
    return notification


def start_loss_notice(job: Job, result: ScanResult, context: RunContext) -> "asyncio.Future[None] | None":
    """Start to send a notification of slots missed for good and of runs given up, None if there are none."""
    settings = context.settings
    sentences = list(losses(result, settings.zone))
    if not sentences or not (settings.jobs[job.name].ping_url or settings.alert_to):
        return None
    return notify(
        context,
        lambda: notifications.notify_losses(
            result, sentences, job=job, settings=settings, clock=context.clock
        ),
    )


def _log_failure(notification: "asyncio.Future[None]") -> None:
    error = None if notification.cancelled() else notification.exception()
    if isinstance(error, CavecronError):
        _LOG.warning("Personne n'a pu être prévenu : %s", error)
    elif error:
        _LOG.error("Personne n'a pu être prévenu : erreur interne", exc_info=error)


async def _record(
    claim: Claim, context: RunContext, *, result: RunResult, stop: StopSignal, options: Options
) -> bool:
    """Write the result into the ledger; return whether that was possible.

    A finished run must not look like one that was cut off. So a scheduler waits until an unavailable
    database can be written again, since nothing else can run without it, and up to an hour after any other
    error; but not while it stops. A run by hand waits for a lock only, and only for a minute.
    """
    clock, last_error, patient = context.clock, "", options.wait_for_database
    limit = clock.monotonic() + (GRACE.total_seconds() if patient else _LONGEST_WRITE)
    write: asyncio.Future[None] | None = None
    while True:
        if write is None or write.done():  # a write that hangs is awaited, not repeated
            write = context.threads.start(
                "end", lambda: record_end(context.ledger, claim, result, clock.now())
            )
        remaining = _LONGEST_WRITE if patient else max(0.0, limit - clock.monotonic())
        await stop.wait_for(write, seconds=remaining, grace=_LAST_WRITE)
        error = write.exception() if write.done() else TemporaryError("la base ne répond pas")
        if error is None:
            return True
        is_temporary = isinstance(error, CavecronError) and error.temporary
        is_over = stop.stopping or (clock.monotonic() >= limit and not (patient and is_temporary))
        can_retry = isinstance(error, CavecronError) and (patient or error.temporary)
        if is_over or not can_retry or isinstance(error, LeaseLostError):
            _LOG.error("Job %s : sa fin n'a pu être notée, %s", claim.job, error)
            return False
        if str(error) != last_error:
            _LOG.warning("Job %s : sa fin n'est pas encore notée, %s", claim.job, error)
        last_error = str(error)
        await stop.sleep(_RECORD_PAUSE)
