"""`cavecron` without a command: the scheduler, until SIGTERM or SIGINT."""

import asyncio
import logging
from collections.abc import Mapping

from cavecron.appdb.tables import require
from cavecron.cli import log
from cavecron.jobs.loader import load
from cavecron.scheduler.context import system_context
from cavecron.scheduler.scheduler import Scheduler
from cavecron.scheduler.signals import on_stop

_LOG = logging.getLogger("cavecron.daemon")


def main(_arguments: object, environ: Mapping[str, str]) -> int:
    """Run the scheduler; exit code 0."""
    settings, jobs = load(environ)
    log.configure(zone=settings.zone, level=settings.log_level, log_format=settings.log_format)
    log.warn(settings.warnings)
    context = system_context(settings)
    scheduler = Scheduler(jobs, context=context, ready=lambda: require(context.database), exclusive=True)
    asyncio.run(_run_until_stopped(scheduler))
    _LOG.info("cavecron arrêté")
    return 0


async def _run_until_stopped(scheduler: Scheduler) -> None:
    on_stop(scheduler.stop)
    await scheduler.run()
