"""Deciding which worker may send which mail when: the queue and the limits that all share, under one lock.

It starts no thread, opens no connection and records nothing.
"""

import logging
from collections.abc import Callable
from threading import Condition, Lock
from time import monotonic

from cavecron.errors import CavecronError
from cavecron.mail.delivery.limits import ConnectionLimit, DeliveryPolicy, RateLimiter
from cavecron.mail.delivery.queue import RetryQueue
from cavecron.mail.errors import ServerBusyError, ServerUnavailableError, ThrottledError
from cavecron.mail.models import DeliveryResult, DeliveryStatus, OutgoingMail, PendingMail

_LOG = logging.getLogger(__name__)


class SendingRules:
    """The queue and the limits, and how each result changes them; the caller holds the lock."""

    def __init__(self, policy: DeliveryPolicy) -> None:
        self.queue = RetryQueue(policy.retry_after)
        self.limit = ConnectionLimit(policy)
        self._limiter = RateLimiter(policy)

    def seconds_until_next(self) -> float | None:
        """Return the seconds until a mail may start; None if that depends on a result or a new mail."""
        now = monotonic()
        seconds = self.queue.seconds_until_next(now)
        if seconds is None:
            return None
        return max(seconds, self._limiter.seconds_until_next(now, self.queue.in_flight))

    def fail(self, error: Exception) -> None:
        """End the delivery with an error, unless another one has ended it already."""
        self.queue.failure = self.queue.failure or error

    def finish(
        self, pending: PendingMail, error: Exception | None, *, is_first: bool
    ) -> DeliveryResult | None:
        """Return the result of a mail; `is_first` is whether it was the first one over its connection."""
        now = monotonic()
        self._limiter.add_answer(now)
        if isinstance(error, ThrottledError):
            if is_first or not error.closing:  # otherwise the server only closes this connection
                self.limit.maximum = 1
                self._pause(error)
        elif isinstance(error, ServerBusyError):
            self._limiter.slow_down(now)
        elif error is None:
            self._limiter.reset_pauses()
        return self.queue.record_result(pending, error, now)

    def not_connected(self, error: Exception) -> bool:
        """Return whether a worker that could not connect continues; it ends if other connections work."""
        if not isinstance(error, CavecronError):
            self.fail(error)
        elif self.limit.count > 1 and not self.queue.sends_singly:
            remaining = self.limit.remove()
            _LOG.info("Le serveur n'accepte pas plus de connexions (%d gardées) : %s", remaining, error)
            return False
        elif isinstance(error, ThrottledError) and self.limit.has_connected:
            self._pause(error)
        else:  # a server that has accepted a connection before may do so again
            self.fail(ServerUnavailableError(str(error)) if self.limit.has_connected else error)
        return True

    def _pause(self, error: ThrottledError) -> None:
        seconds = self._limiter.pause(monotonic())
        if seconds is None:
            self.fail(ServerUnavailableError(str(error)))
        elif seconds:
            _LOG.warning("Le serveur demande de ralentir, pause de %g s : %s", seconds, error)


class Dispatcher:
    """The state that the caller and all workers share, under one lock."""

    def __init__(self, policy: DeliveryPolicy) -> None:
        self.policy = policy
        self._rules = SendingRules(policy)
        self._queue, self._limit = self._rules.queue, self._rules.limit
        #: By worker, the mail whose start is recorded, or about to be, and whose result is not.
        self.unrecorded: dict[object, PendingMail] = {}
        self._lock = Lock()
        #: Notified when a worker, or the caller, may have something to do.
        self._for_workers, self._for_caller = Condition(self._lock), Condition(self._lock)

    @property
    def losses(self) -> int:
        """Return how many times connections were lost; those lost together count once."""
        return self._queue.losses

    @property
    def failure(self) -> Exception | None:
        """Return the error that has ended the delivery, None while it continues."""
        return self._queue.failure

    def put(self, mail: OutgoingMail) -> None:
        """Add a mail."""
        with self._lock:
            self._queue.put(mail)
            self._for_workers.notify()

    def close(self) -> int:
        """Declare that no more mails will be added; return how many wait for their second try."""
        with self._lock:
            self._queue.closed = True
            self._for_workers.notify_all()
            return self._queue.retries

    def wait_for_room(self, seconds: float) -> bool:
        """Wait at most `seconds` until more mails should be added; return whether they should."""
        return self._wait(lambda: self._queue.ready < 2 * self.policy.connections, seconds)

    def wait_until_done(self, seconds: float) -> bool:
        """Wait at most `seconds` until every mail has its final result; return whether all have it."""
        return self._wait(lambda: self._queue.is_done and not self.unrecorded, seconds)

    def wait_for_answers(self, seconds: float, error: str) -> list[DeliveryResult]:
        """Wait at most `seconds` for mails that are being sent; the rest become UNKNOWN with `error`."""
        with self._lock:
            self._for_caller.wait_for(lambda: not self.unrecorded, seconds)
            unknown = DeliveryStatus.UNKNOWN
            results = [self._queue.end(pending, unknown, error) for pending in self.unrecorded.values()]
            return [result for result in results if result]

    def has_tried_everybody(self) -> bool:
        """Return whether a connection has worked and each mail was tried, so that nobody was left out."""
        with self._lock:
            return self._limit.has_connected and not self._queue.has_untried

    def fail(self, error: Exception) -> None:
        """End the delivery with an error: no mail is started any more."""
        with self._lock:
            self._rules.fail(error)
            self._notify()

    def add_worker(self) -> bool:
        """Return whether one more worker should be started; if so, it is counted."""
        with self._lock:
            return self._queue.ready > 0 and self._limit.add(self._queue.ready + self._queue.in_flight)

    def drop_worker(self) -> int:
        """Lower the number of workers by one; return the new number."""
        with self._lock:
            return self._limit.remove()

    def take(self, *, wait: bool) -> PendingMail | None:
        """Return the next mail for the calling worker; None if there is none now.

        With `wait` it waits for one, and None says that the worker has to end.
        """
        with self._lock:
            while not (self._queue.failure or self._queue.is_done):
                if self._limit.is_exceeded:
                    if wait:
                        self._limit.remove()
                    return None
                seconds = self._rules.seconds_until_next()
                if seconds is not None and seconds <= 0:
                    self._for_caller.notify()
                    return self._queue.take()
                if not wait:
                    return None
                self._for_workers.wait(seconds)
            return None

    def connected(self) -> None:
        """Note that a connection is open."""
        with self._lock:
            self._limit.has_connected = True
            self._for_caller.notify()

    def not_connected(self, pending: PendingMail, error: Exception) -> bool:
        """Put a mail back because there is no connection; return whether the worker continues."""
        with self._lock:
            self._queue.put_back(pending)
            continues = self._rules.not_connected(error)
            self._notify()
            return continues

    def begin(self, worker: object, pending: PendingMail) -> bool:
        """Return whether the start of a mail may be recorded; if so, its result is waited for."""
        with self._lock:
            if self._queue.failure:
                self._queue.put_back(pending)
                return False
            self.unrecorded[worker] = pending
            return True

    def withdraw(self, pending: PendingMail) -> DeliveryResult | None:
        """Return the result of a mail that was started and is not sent; None if it has a result already."""
        with self._lock:
            return self._queue.end(pending, DeliveryStatus.DEFERRED, None)

    def finish(
        self, pending: PendingMail, error: Exception | None, *, is_first: bool
    ) -> DeliveryResult | None:
        """Return the result of a mail, see `SendingRules.finish`; None if it has a result already."""
        with self._lock:
            result = self._rules.finish(pending, error, is_first=is_first)
            self._for_workers.notify_all()
            if self._queue.failure or self._queue.is_done:
                self._for_caller.notify()
            return result

    def mark_recorded(self, worker: object) -> None:
        """Declare that all results of a worker are recorded."""
        with self._lock:
            if self.unrecorded.pop(worker, None):
                self._for_caller.notify()

    def _notify(self) -> None:
        self._for_workers.notify_all()
        self._for_caller.notify()

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        with self._lock:
            if not condition() and not self._queue.failure:
                self._for_caller.wait(seconds)
            return condition()
