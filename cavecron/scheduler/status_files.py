"""Having the files of `CAVECRON_STATUS_DIR` written when something happened.

In a thread, one at a time, and once for all that happened meanwhile. What goes wrong is a warning, once, and
disturbs no run.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cavecron.errors import CavecronError
from cavecron.jobs.job import Job
from cavecron.lazy import lazy_module
from cavecron.scheduler.context import RunContext

if TYPE_CHECKING:
    from cavecron.status import files
else:
    files = lazy_module("cavecron.status.files")

_LOG = logging.getLogger("cavecron.daemon")


class StatusFiles:
    """The files of one scheduler; to be used in the thread of the loop."""

    def __init__(self, context: RunContext, jobs: Sequence[Job]) -> None:
        self._context, self._jobs = context, jobs
        self._folder = context.settings.status_dir
        self._writing: asyncio.Future[None] | None = None
        self._outdated = False
        self._last_error = ""

    def update(self) -> None:
        """Have them written; where that goes on already, once more afterwards."""
        if self._folder is None:
            return
        self._outdated = True
        if self._writing is None:
            self._start()

    async def finish(self, last_event: "asyncio.Future[None]", seconds: float) -> None:
        """Have them written a last time, once `last_event` is over; wait so long for both."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        await asyncio.wait({last_event}, timeout=seconds)
        self.update()
        while self._writing is not None and loop.time() < end:
            await asyncio.wait({self._writing}, timeout=end - loop.time())

    def _start(self) -> None:
        self._outdated = False
        self._writing = self._context.threads.start("status", self._write)
        self._writing.add_done_callback(self._finish)

    def _write(self) -> None:
        if self._folder is not None:
            settings, now = self._context.settings, self._context.clock.now()
            files.write_files(self._folder, settings, self._jobs, now=now)

    def _finish(self, writing: "asyncio.Future[None]") -> None:
        self._writing = None
        error = None if writing.cancelled() else writing.exception()
        if error is not None and str(error) != self._last_error:
            known = isinstance(error, CavecronError)
            _LOG.warning("CAVECRON_STATUS_DIR : %s", error, exc_info=None if known else error)
        self._last_error = "" if error is None else str(error)
        if self._outdated:
            self._start()
