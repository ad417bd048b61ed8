"""Calling a job's `on_given_up` for runs that were cut off and will not be resumed.

The call is repeated while the database cannot be used; errors are logged.
"""

import asyncio
import logging
from functools import partial

from cavecron.errors import CavecronError, StoppedError
from cavecron.jobs.job import Job
from cavecron.ledger.models import Claim, ScanResult
from cavecron.schedule import GRACE
from cavecron.scheduler.context import RunContext, StopSignal
from cavecron.scheduler.runner import run_of_job

_LOG = logging.getLogger("cavecron.runner")

#: Seconds between two calls, and to wait for one after a request to stop.
_CALL_PAUSE, _LAST_WRITE = 30.0, 1.0


def settle_given_up(
    result: ScanResult, job: Job, context: RunContext, stop: StopSignal
) -> "asyncio.Task[None] | None":
    """Start to call `on_given_up` for the runs that a scan gave up; return None if there is nothing to do."""
    claims = [run.claim for run in result.given_up if run.claim is not None]
    if not claims or job.on_given_up is None:
        return None
    return asyncio.get_running_loop().create_task(_settle_all(claims, job, context, stop))


async def _settle_all(claims: list[Claim], job: Job, context: RunContext, stop: StopSignal) -> None:
    for claim in claims:
        try:
            await _settle(claim, job, context, stop)
        except asyncio.CancelledError:
            _LOG.warning("Job %s : une exécution coupée n'a pu être soldée, faute de temps", job.name)
            raise
        except CavecronError as error:
            _LOG.warning("Job %s : %s", job.name, error)
            if stop.stopping:
                return
        except Exception:  # the other runs are still settled
            _LOG.exception("Job %s : erreur interne", job.name)


async def _settle(claim: Claim, job: Job, context: RunContext, stop: StopSignal) -> None:
    """Repeat the call until it succeeds, fails for good, or an hour has passed.

    Raises:
        CavecronError: it did not succeed.

    """
    last_error, limit = "", context.clock.monotonic() + GRACE.total_seconds()
    while True:
        assert job.on_given_up is not None
        settle = partial(job.on_given_up, run_of_job(claim, job, context, stop=stop))
        future = context.threads.start("given-up", settle)
        if not await stop.wait_for(future, grace=_LAST_WRITE):
            raise StoppedError("arrêt demandé")
        error = future.exception()
        if error is None:
            return
        is_temporary = isinstance(error, CavecronError) and error.temporary
        if not is_temporary or stop.stopping or context.clock.monotonic() >= limit:
            raise error
        if str(error) != last_error:
            _LOG.warning("Job %s : %s ; nouvel essai toutes les %g s", job.name, error, _CALL_PAUSE)
        last_error = str(error)
        await stop.sleep(_CALL_PAUSE)
