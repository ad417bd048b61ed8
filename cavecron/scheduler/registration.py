"""Registering a scheduler's jobs in the ledger, again whenever another file has replaced the database.

Its calls block: the scheduler makes them in threads.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from cavecron.ledger.catch_up import register_jobs, scan
from cavecron.ledger.cursors import store_cursors
from cavecron.ledger.models import JobCursor, ScanResult
from cavecron.ledger.schedulers import record_start, record_stop
from cavecron.scheduler.context import RunContext

_LOG = logging.getLogger("cavecron.daemon")


class Registration:
    """The jobs of one scheduler, and the file in which they are registered."""

    def __init__(
        self,
        context: RunContext,
        *,
        followed: Callable[[], Sequence[JobCursor]],
        ready: Callable[[], None],
        exclusive: bool,
    ) -> None:
        self._context, self._followed = context, followed
        self._ready, self._exclusive = ready, exclusive
        self._is_registered = False
        self._started: datetime | None = None
        self._file: tuple[int, int] | None = None
        self._is_checking = False

    def register(self) -> None:
        """Register the jobs, and store until when their slots are accounted for.

        Raises:
            CavecronError: the database is not ready, or cannot be written.

        """
        self._ready()
        ledger, now = self._context.ledger, self._context.clock.now()
        file = self._context.database.file_identity()
        store_cursors(ledger, self._followed(), now)
        register_jobs(ledger, self._context.settings.schedules, now, exclusive=self._exclusive)
        self._started = self._started or now
        record_start(ledger, self._started)
        self._is_registered, self._file = True, file

    def record_stop(self) -> None:
        """Record that this scheduler starts no further runs, if its start was recorded.

        Raises:
            CavecronError: the database cannot be written.

        """
        if self._started:
            record_stop(self._context.ledger, self._context.clock.now())

    def forget(self) -> None:
        """Register the jobs again at the next scan, because the ledger has lost them."""
        self._is_registered = False

    def check_file(self, replaced: Callable[[], None]) -> None:
        """Call `replaced` if another file has replaced the database; the file itself is not read.

        While a check hangs, because a network share is unavailable, no other one begins.
        """
        if self._is_checking or not self._is_registered:
            return
        self._is_checking = True
        file = self._context.database.file_identity()
        self._is_checking = False
        if file not in (None, self._file):
            replaced()

    def scan(self, cursors: Sequence[JobCursor], now: datetime, unseen: timedelta) -> list[ScanResult]:
        """Scan jobs at `now` (aware); if the file was replaced, register all jobs first.

        `unseen` is the longest time for which the clock may have been set back unnoticed.

        Raises:
            CavecronError: the database is not ready, or cannot be written.

        """
        ledger, file = self._context.ledger, self._context.database.file_identity()
        if not self._is_registered or (file is not None and file != self._file):
            self.register()
            _LOG.warning("La base a été remplacée, ou son registre effacé : les jobs y sont notés à nouveau")
        return scan(ledger, cursors, now, unseen=unseen)
