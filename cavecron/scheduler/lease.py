"""Renewing the lease of a run while its job works.

It decides nothing about the run: it only sets `lease_lost` of the stop signal.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cavecron.errors import CavecronError, LeaseLostError
from cavecron.ledger.models import Claim
from cavecron.ledger.runs import RunMissingError, renew
from cavecron.scheduler.context import RunContext, StopSignal

_LOG = logging.getLogger("cavecron.runner")

#: How often a lease is renewed within its duration.
_RENEWALS = 4


@asynccontextmanager
async def lease_renewal(claim: Claim, context: RunContext, stop: StopSignal) -> AsyncIterator[None]:
    """Renew the lease of a claimed run during the block; if it is lost, set `stop.lease_lost`."""
    renewals = asyncio.create_task(_renew(claim, context, stop))
    try:
        yield
    finally:
        renewals.cancel()


async def _renew(claim: Claim, context: RunContext, stop: StopSignal) -> None:
    loop, ledger = asyncio.get_running_loop(), context.ledger
    term = ledger.lease.total_seconds() / _RENEWALS
    renewed = loop.time()
    while stop.lease_lost is None:
        await asyncio.sleep(renewed + term - loop.time())
        renewed = loop.time()
        try:
            await context.threads.start("lease", lambda: renew(ledger, claim.run, context.clock.now()))
        except (LeaseLostError, RunMissingError) as error:
            stop.lease_lost = error
        except CavecronError as error:
            _LOG.warning("Job %s : bail non renouvelé, %s", claim.job, error)
        except Exception:  # the job continues, and the next renewal may succeed
            _LOG.exception("Job %s : bail non renouvelé, erreur interne", claim.job)
