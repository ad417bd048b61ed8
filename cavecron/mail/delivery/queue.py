"""The queue of a delivery: which mail is next, which waits for its second try, and the result of each.

Pure: instants are seconds on a monotonic clock that the caller reads; it knows neither connections nor
threads.
"""

from collections import deque
from dataclasses import replace

from cavecron.mail.errors import (
    ConnectionLostError,
    DeliveryUnknownError,
    PermanentServerError,
    RecipientRefusedError,
    SenderRefusedError,
    ServerUnavailableError,
    TemporaryRecipientError,
    ThrottledError,
)
from cavecron.mail.models import DeliveryResult, DeliveryStatus, OutgoingMail, PendingMail

#: Mails that wait for their second try, which are kept in memory; more are left for a later delivery.
_MAX_WAITING = 200
#: Seconds before the second try of a mail whose connection was lost.
_AFTER_LOSS = 1.0
#: Connections that may be lost in a row, with no mail accepted in between; fewer if they time out.
_MAX_LOSSES, _MAX_TIME_OUTS = 3, 2


class RetryQueue:
    """The mails of a delivery: new ones first, then those that are tried a second and last time."""

    def __init__(self, retry_after: float) -> None:
        self._retry_after = retry_after
        self._new: deque[PendingMail] = deque()
        self._retries: list[PendingMail] = []
        self._in_flight: set[PendingMail] = set()
        #: Lost connections, in all and in a row; those that were lost together count once.
        self.losses, self._losses_in_a_row = 0, 0
        self._sender_accepted, self._sender_refusals = False, 0
        #: Whether no more mails will be added.
        self.closed = False
        #: The error that has ended the delivery.
        self.failure: Exception | None = None

    @property
    def ready(self) -> int:
        """Return how many mails wait for their first try."""
        return len(self._new)

    @property
    def retries(self) -> int:
        """Return how many mails wait for their second try."""
        return len(self._retries)

    @property
    def in_flight(self) -> int:
        """Return how many mails were taken and have no result yet."""
        return len(self._in_flight)

    @property
    def is_done(self) -> bool:
        """Return whether all mails have their final result."""
        return self.closed and not (self._new or self._retries or self._in_flight)

    @property
    def sends_singly(self) -> bool:
        """Return whether a connection was lost last; mails are then sent one at a time."""
        return self._losses_in_a_row > 0

    @property
    def has_untried(self) -> bool:
        """Return whether a mail was not tried yet."""
        return not self.closed or any(not pending.started for pending in self._new)

    def put(self, mail: OutgoingMail) -> None:
        """Add a new mail."""
        self._new.append(PendingMail(mail=mail, maybe_delivered=mail.maybe_delivered))

    def seconds_until_next(self, now: float) -> float | None:
        """Return the seconds until `take` has a mail; None if that depends on a result or a new mail."""
        if self.sends_singly and any(pending.losses == self.losses for pending in self._in_flight):
            return None
        if self._new:
            return 0.0
        if not self.closed or not self._retries:  # second tries come after all the others
            return None
        return max(0.0, self._retries[0].not_before - now)

    def take(self) -> PendingMail:
        """Return the next mail; it counts as in flight until it has a result."""
        waiting = self._new.popleft() if self._new else self._retries.pop(0)
        pending = replace(waiting, losses=self.losses)
        self._in_flight.add(pending)
        return pending

    def put_back(self, pending: PendingMail) -> None:
        """Put a mail that was taken and not sent back to the front."""
        if pending in self._in_flight:
            self._in_flight.remove(pending)
            self._new.appendleft(pending)

    def end(self, pending: PendingMail, status: DeliveryStatus, error: str | None) -> DeliveryResult | None:
        """Return the result of a mail whose answer is not waited for; None if it has a result already."""
        if pending not in self._in_flight:
            return None
        self._in_flight.remove(pending)
        return self._result(pending, status, error)

    def record_result(
        self, pending: PendingMail, error: Exception | None, now: float
    ) -> DeliveryResult | None:
        """Return the result of a mail, by its `error` if it failed; None if it has a result already."""
        if pending not in self._in_flight:
            return None
        self._in_flight.remove(pending)
        pending = replace(pending, started=True)
        if error is None:
            self._note_sender_accepted()
            return self._result(pending, DeliveryStatus.DELIVERED, None)
        if isinstance(error, SenderRefusedError):
            return self._sender_refused(pending, error, now)
        if isinstance(error, RecipientRefusedError):
            self._note_sender_accepted()
            return self._result(pending, DeliveryStatus.REFUSED, str(error))
        if isinstance(error, TemporaryRecipientError):
            return self._temporary_failure(pending, error, now)
        if not isinstance(error, ThrottledError):
            self.failure = self.failure or error
        self._new.appendleft(pending)
        return self._result(pending, DeliveryStatus.DEFERRED, str(error), is_final=False)

    def _result(
        self, pending: PendingMail, status: DeliveryStatus, error: str | None, *, is_final: bool = True
    ) -> DeliveryResult:
        if status is DeliveryStatus.DEFERRED and pending.maybe_delivered:
            status = DeliveryStatus.UNKNOWN
        return DeliveryResult(mail=pending.mail, status=status, error=error, is_final=is_final)

    def _sender_refused(self, pending: PendingMail, error: SenderRefusedError, now: float) -> DeliveryResult:
        """Refuse the mail if other mails of this sender are accepted; else end the delivery at the second."""
        if pending.is_retry and self._sender_accepted:
            return self._result(pending, DeliveryStatus.REFUSED, str(error))
        self._sender_refusals += 1
        if self._sender_refusals > 1:
            self.failure = self.failure or PermanentServerError(str(error))
        return self._try_later(pending, error, now + min(self._retry_after, _AFTER_LOSS))

    def _temporary_failure(
        self, pending: PendingMail, error: TemporaryRecipientError, now: float
    ) -> DeliveryResult:
        if not isinstance(error, ConnectionLostError):
            self._note_sender_accepted()
            return self._try_later(pending, error, now + self._retry_after)
        self._count_loss(pending, error)
        if isinstance(error, DeliveryUnknownError):
            if pending.maybe_delivered:
                return self._result(pending, DeliveryStatus.ABANDONED, str(error))
            pending = replace(pending, maybe_delivered=True)
        return self._try_later(pending, error, now + min(self._retry_after, _AFTER_LOSS))

    def _try_later(self, pending: PendingMail, error: Exception, not_before: float) -> DeliveryResult:
        last = pending.is_retry or len(self._retries) >= _MAX_WAITING
        if not last:
            self._retries.append(replace(pending, is_retry=True, not_before=not_before))
            self._retries.sort(key=lambda waiting: waiting.not_before)
        return self._result(pending, DeliveryStatus.DEFERRED, str(error), is_final=last)

    def _count_loss(self, pending: PendingMail, error: ConnectionLostError) -> None:
        """Count a lost connection, unless it was lost together with one that is counted."""
        if pending.losses == self.losses:
            self.losses += 1
            self._losses_in_a_row += 1
        if self._losses_in_a_row >= (_MAX_TIME_OUTS if error.timed_out else _MAX_LOSSES):
            self.failure = self.failure or ServerUnavailableError(str(error))

    def _note_sender_accepted(self) -> None:
        self._sender_accepted = True
        self._sender_refusals = self._losses_in_a_row = 0
