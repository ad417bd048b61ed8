"""What a job does for its runs that were cut off and that nobody takes up any more.

It is tried again while the database cannot be used, and logs what is in the way.
"""

import asyncio
import logging

from cavecron.errors import CavecronError, StoppedError
from cavecron.jobs.job import Job
from cavecron.ledger.models import Claim, ScanResult
from cavecron.schedule import GRACE
from cavecron.scheduler.context import RunContext, StopSignal
from cavecron.scheduler.runner import run_of_job

_LOG = logging.getLogger("cavecron.runner")

#: Seconds between two tries, and that one gets once the process is to stop.
_PAUSE, _LAST_WRITE = 30.0, 1.0


def settle_given_up(
    result: ScanResult, job: Job, context: RunContext, stop: StopSignal
) -> "asyncio.Task[None] | None":
    """Have the job do what it does for runs that were cut off and given up; errors are only logged."""
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
        except Exception:  # the other runs are not to suffer from it
            _LOG.exception("Job %s : erreur interne", job.name)


async def _settle(claim: Claim, job: Job, context: RunContext, stop: StopSignal) -> None:
    """Try until it is done, or cannot be done, or the run is an hour older.

    Raises:
        CavecronError: it cannot be done.

    """
    last_trouble, limit = "", context.clock.monotonic() + GRACE.total_seconds()
    while True:
        run, settle = run_of_job(claim, job, context, stop=stop), job.on_given_up
        assert settle is not None
        settling = context.threads.start("given-up", lambda settle=settle, run=run: settle(run))  # type: ignore[misc]
        if not await stop.wait_for(settling, grace=_LAST_WRITE):
            raise StoppedError("arrêt demandé")
        error = settling.exception()
        if error is None:
            return
        is_passing = isinstance(error, CavecronError) and error.temporary
        if not is_passing or stop.stopping or context.clock.monotonic() >= limit:
            raise error
        if str(error) != last_trouble:
            _LOG.warning("Job %s : %s ; nouvel essai toutes les %g s", job.name, error, _PAUSE)
        last_trouble = str(error)
        await stop.sleep(_PAUSE)
