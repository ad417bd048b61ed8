"""`cavecron` with a clock that is some seconds ahead: `python -m tests.shifted SECONDS`.

For whoever measures: libfaketime gets in the way of Python's threads, by tenths of a second.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from cavecron import log
from cavecron.cellar.database import Database
from cavecron.cellar.tables import require
from cavecron.clock import SystemClock
from cavecron.daemon import Scheduler, means_of
from cavecron.environment import load
from cavecron.signals import on_stop


class ShiftedClock(SystemClock):
    """The machine's clock and something more."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        """Return the instant that the clock shows (aware, UTC)."""
        return super().now() + self.ahead


def main(ahead: timedelta, environ: Mapping[str, str]) -> None:
    """Do what `cavecron` does, with the other clock."""
    settings, jobs = load(environ)
    log.configure(zone=settings.zone, level=settings.log_level, log_format=settings.log_format)
    database = Database(settings.database)
    means = replace(means_of(settings), clock=ShiftedClock(ahead))
    asyncio.run(_until_told(Scheduler(jobs, means=means, ready=lambda: require(database))))


async def _until_told(scheduler: Scheduler) -> None:
    on_stop(scheduler.stop)
    await scheduler.run()


if __name__ == "__main__":
    main(timedelta(seconds=float(sys.argv[1])), os.environ)
