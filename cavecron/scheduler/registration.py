"""Registering the jobs that a scheduler follows, and again in a file that has replaced the database.

Its calls block: the scheduler makes them in a thread.
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
    """What one scheduler has noted in the ledger, and in which file."""

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
        self._known = False
        self._started: datetime | None = None
        self._file: tuple[int, int] | None = None
        self._looking = False

    def register(self) -> None:
        """Note what is followed, and how far it has been followed.

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
        self._known, self._file = True, file

    def record_stop(self) -> None:
        """Note that this scheduler starts nothing any more, if it was ever noted.

        Raises:
            CavecronError: the database cannot be written.

        """
        if self._started:
            record_stop(self._context.ledger, self._context.clock.now())

    def forget(self) -> None:
        """Have everything noted anew at the next scan: the ledger knows nothing of it any more."""
        self._known = False

    def look(self, replaced: Callable[[], None]) -> None:
        """Call `replaced` if the file is another one; reads nothing of it but where it lies.

        A look that hangs, at a share that is away, is the only one.
        """
        if self._looking or not self._known:
            return
        self._looking = True
        file = self._context.database.file_identity()
        self._looking = False
        if file not in (None, self._file):
            replaced()

    def scan(self, cursors: Sequence[JobCursor], now: datetime, unseen: timedelta) -> list[ScanResult]:
        """Scan jobs at `now` (aware), and note all of them anew where the file is another one.

        `unseen` is for how long at most the clock has gone on since it was set back, before anybody saw that.

        Raises:
            CavecronError: the database is not ready, or cannot be written.

        """
        ledger, file = self._context.ledger, self._context.database.file_identity()
        if not self._known or (file is not None and file != self._file):
            self.register()
            _LOG.warning("La base a été remplacée, ou son registre effacé : les jobs y sont notés à nouveau")
        return scan(ledger, cursors, now, unseen=unseen)
