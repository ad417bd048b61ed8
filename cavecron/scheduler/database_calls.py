"""The scheduler's calls to the database: each new error is logged once, and a long absence is notified.

It knows neither what a call does nor when it is repeated.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from cavecron.errors import CavecronError
from cavecron.ledger.tables import LedgerError
from cavecron.scheduler.absence import DatabaseAbsence
from cavecron.scheduler.context import RunContext, StopSignal

_LOG = logging.getLogger("cavecron.daemon")

#: The wait after an error until the scheduler calls again.
RETRY_PAUSE = timedelta(seconds=30)


class DatabaseCalls:
    """Makes blocking calls in threads, and remembers the last error; used in the loop's thread only.

    `changed` is called when the database becomes unavailable or available, or the error another one.
    """

    def __init__(self, context: RunContext, stop: StopSignal, *, changed: Callable[[], None]) -> None:
        self._context, self._stop, self._changed = context, stop, changed
        self._last_error = ""
        self._absence = DatabaseAbsence(context)

    async def make(self, name: str, call: Callable[[], None]) -> bool:
        """Make a call in a thread called `name`; return whether it succeeded.

        A call that waits for a lock does not delay a stop: its thread is abandoned.

        Raises:
            LedgerError: the ledger is of a later version, or its tables were modified.

        """
        future = self._context.threads.start(name, call)
        if not await self._stop.wait_for(future):
            return False
        error = future.exception()
        if error is None:
            self._note_success()
            return True
        if isinstance(error, LedgerError):
            raise error
        self._note_failure(error)
        return False

    def _note_success(self) -> None:
        if self._last_error:
            _LOG.info("La base répond à nouveau")
            self._changed()
        self._last_error = ""
        self._absence.note_success()

    def _note_failure(self, error: BaseException) -> None:
        is_new = str(error) != self._last_error
        if not isinstance(error, CavecronError):
            _LOG.error("Erreur interne ; nouvel essai toutes les %d s", RETRY_PAUSE.seconds, exc_info=error)
        elif is_new:
            _LOG.warning("%s ; nouvel essai toutes les %d s", error, RETRY_PAUSE.seconds)
        if is_new:
            self._changed()
        self._last_error = str(error)
        self._absence.note_failure(self._last_error)
