"""`cavecron` without a command: the scheduler, until it is told to stop."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Mapping

from cavecron.appdb.tables import require
from cavecron.cli import log
from cavecron.database.sqlite import Database
from cavecron.jobs.loader import load
from cavecron.scheduler.scheduler import Scheduler, means_of
from cavecron.scheduler.signals import on_stop

_LOG = logging.getLogger("cavecron.daemon")


def main(_arguments: object, environ: Mapping[str, str]) -> int:
    """Run until SIGTERM or SIGINT; exit code 0."""
    settings, jobs = load(environ)
    log.configure(zone=settings.zone, level=settings.log_level, log_format=settings.log_format)
    log.warn(settings.warnings)
    database = Database(settings.database)
    scheduler = Scheduler(jobs, means=means_of(settings), ready=lambda: require(database), exclusive=True)
    asyncio.run(_until_told(scheduler))
    _LOG.info("cavecron arrêté")
    _leave()
    return 0


async def _until_told(scheduler: Scheduler) -> None:
    on_stop(scheduler.stop)
    await scheduler.run()


def _leave() -> None:
    """End at once where a job's thread still hangs: the interpreter's own end could wait for it."""
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        os._exit(0)
