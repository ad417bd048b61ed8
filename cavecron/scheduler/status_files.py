"""Updating the files in `CAVECRON_STATUS_DIR` after each event.

They are written in a thread, by one write at a time; events during a write cause one further write. An error
is logged as a warning, once, and affects no run.
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
    """The status files of one scheduler; used in the loop's thread only."""

    def __init__(self, context: RunContext, jobs: Sequence[Job]) -> None:
        self._context, self._jobs = context, jobs
        self._folder = context.settings.status_dir
        self._write_in_progress: asyncio.Future[None] | None = None
        self._outdated = False
        self._last_error = ""

    def update(self) -> None:
        """Start to write the files; if a write is in progress, write them again afterwards."""
        if self._folder is None:
            return
        self._outdated = True
        if self._write_in_progress is None:
            self._start()

    async def finish(self, last_event: "asyncio.Future[None]", seconds: float) -> None:
        """Write the files a last time, after `last_event` is done; wait at most `seconds` for both."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        await asyncio.wait({last_event}, timeout=seconds)
        self.update()
        while self._write_in_progress is not None and loop.time() < end:
            await asyncio.wait({self._write_in_progress}, timeout=end - loop.time())

    def _start(self) -> None:
        self._outdated = False
        self._write_in_progress = self._context.threads.start("status", self._write)
        self._write_in_progress.add_done_callback(self._finish)

    def _write(self) -> None:
        if self._folder is not None:
            settings, now = self._context.settings, self._context.clock.now()
            files.write_files(self._folder, settings, self._jobs, now=now)

    def _finish(self, write: "asyncio.Future[None]") -> None:
        self._write_in_progress = None
        error = None if write.cancelled() else write.exception()
        if error is not None and str(error) != self._last_error:
            is_expected = isinstance(error, CavecronError)
            _LOG.warning("CAVECRON_STATUS_DIR : %s", error, exc_info=None if is_expected else error)
        self._last_error = "" if error is None else str(error)
        if self._outdated:
            self._start()
