"""`cavecron` with another clock: `python -m tests.support.run_with_clock AT SINCE SPEED`.

The clock is `clocks.FastClock`. It is used where libfaketime would disturb: that delays Python's
threads by tenths of a second.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from cavecron.appdb.tables import require
from cavecron.cli import log
from cavecron.clock import Clock
from cavecron.database.sqlite import Database
from cavecron.jobs.loader import load
from cavecron.scheduler.context import system_context
from cavecron.scheduler.scheduler import Scheduler
from cavecron.scheduler.signals import on_stop
from tests.support.clocks import FastClock, FastLoop


def program(at: datetime, *, since: datetime, speed: float = 1.0) -> tuple[str, ...]:
    """Return the arguments that start this module."""
    return "tests.support.run_with_clock", at.isoformat(), since.isoformat(), str(speed)


def main(clock: Clock, speed: float, environ: Mapping[str, str]) -> None:
    """Run `cavecron` with the other clock."""
    settings, jobs = load(environ)
    log.configure(zone=settings.zone, level=settings.log_level, log_format=settings.log_format)
    database = Database(settings.database)
    context = replace(system_context(settings), clock=clock)
    scheduler = Scheduler(jobs, context=context, ready=lambda: require(database))
    with asyncio.Runner(loop_factory=lambda: FastLoop(speed)) as runner:
        runner.run(_run_scheduler(scheduler))


async def _run_scheduler(scheduler: Scheduler) -> None:
    on_stop(scheduler.stop)
    await scheduler.run()


if __name__ == "__main__":
    at, since = (datetime.fromisoformat(text) for text in sys.argv[1:3])
    speed = float(sys.argv[3])
    main(FastClock(at, since=since, speed=speed), speed, os.environ)
