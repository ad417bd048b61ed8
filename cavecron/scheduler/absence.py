"""Notifying a person when the database has been unavailable for an hour, once for each absence.

It does not use the database, and reads the clock only when it is called.
"""

from typing import TYPE_CHECKING

from cavecron.lazy import lazy_module
from cavecron.scheduler.context import RunContext
from cavecron.scheduler.finish import notify

if TYPE_CHECKING:
    from cavecron.scheduler import notifications
else:
    notifications = lazy_module("cavecron.scheduler.notifications")

#: Seconds for which the database can be unavailable before a person is notified.
_LONG_AWAY = 3600.0


class DatabaseAbsence:
    """How long the database has been unavailable, and who was notified; used in the loop's thread only."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._since: float | None = None
        self._reason: str | None = None
        self._is_mailed = True

    def note_failure(self, reason: str) -> None:
        """Record that the database cannot be used; notify once this has lasted an hour.

        `reason` is the French error message.
        """
        seconds = self._context.clock.monotonic()
        if self._since is None:
            self._since = seconds
        elif self._reason is None and seconds - self._since >= _LONG_AWAY:
            self._reason, self._is_mailed = reason, True
            self._notify(reason)

    def note_success(self) -> None:
        """Record that the database can be used again; send the mail that could not be sent before."""
        since, self._since = self._since, None
        reason, self._reason = self._reason, None
        if since is None or reason is None or self._is_mailed:
            return
        settings, clock = self._context.settings, self._context.clock
        lasted = clock.monotonic() - since

        def send() -> None:
            notifications.mail_absence(reason, settings, clock, lasted=lasted)

        notify(self._context, send)

    def _notify(self, reason: str) -> None:
        settings, clock = self._context.settings, self._context.clock

        def send() -> None:
            notifications.ping_absence(reason, settings)
            self._is_mailed = notifications.mail_absence(reason, settings, clock)

        notify(self._context, send)
