"""A database that stays away: after an hour a person is told, once until it is back."""

from typing import TYPE_CHECKING

from cavecron.lazy import lazy_module
from cavecron.scheduler.context import RunContext
from cavecron.scheduler.finish import notify

if TYPE_CHECKING:
    from cavecron.scheduler import notifications
else:
    notifications = lazy_module("cavecron.scheduler.notifications")

#: Seconds that a database can be away before a person is told.
_LONG_AWAY = 3600.0


class DatabaseAbsence:
    """Since when the database has been away, and whether a person has been told; for the loop's thread."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._since: float | None = None
        self._reason: str | None = None
        self._is_mailed = True

    def note_failure(self, reason: str) -> None:
        """Note that the database cannot be used; tell of it when that has lasted for an hour."""
        seconds = self._context.clock.monotonic()
        if self._since is None:
            self._since = seconds
        elif self._reason is None and seconds - self._since >= _LONG_AWAY:
            self._reason, self._is_mailed = reason, True
            self._notify(reason)

    def note_success(self) -> None:
        """Note that the database is there; mail what could not be mailed while it was away."""
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
