"""Workers, each a thread with one connection, that take mails from the queue and send them.

They are daemon threads, and waiting for their end is limited, so that a server that hangs cannot keep the
process alive. They decide nothing about a mail, because the dispatcher does, and know neither SMTP nor a
database.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from time import monotonic

from cavecron.errors import NO_THREAD, CavecronError, TemporaryError
from cavecron.mail.delivery.dispatcher import Dispatcher
from cavecron.mail.errors import ConnectionLostError, ThrottledError
from cavecron.mail.models import DeliveryLog, DeliveryResult, PendingMail
from cavecron.mail.transport import Transport

#: Seconds that all workers together get to close their connections.
_LONGEST_CLOSE = 1.0


class MailWorker:
    """One thread with one connection: it takes a mail, records its start, sends it, records its result."""

    def __init__(
        self, dispatcher: Dispatcher, transport: Transport, log: DeliveryLog, check: Callable[[], None]
    ) -> None:
        self._dispatcher, self._transport, self._log, self._check = dispatcher, transport, log, check
        self._finished: list[DeliveryResult] = []
        #: Mails sent over this connection, and how many connections had been lost when it was opened.
        self._sent, self._losses = 0, 0
        self._thread = Thread(target=self._run, name="cavecron-mail", daemon=True)

    def start(self) -> None:
        """Start the thread; raises RuntimeError if the system allows no more threads."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait at most `seconds` for the end of the thread."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # `deliver` raises it in the caller's thread
            self._dispatcher.fail(error)
        finally:
            self._dispatcher.mark_recorded(self)
            with suppress(CavecronError):
                self._transport.close()

    def _work(self) -> None:
        while True:
            pending = self._dispatcher.take(wait=not self._finished)
            if pending is None and not self._finished:
                return
            if pending is None or not self._is_connected():
                self._record_finished()
            if pending is not None:
                error = self._connect()
                if error is None:
                    self._send(pending)
                elif not self._dispatcher.not_connected(pending, error):
                    return

    def _record_finished(self) -> None:
        if self._finished:
            self._log.record(self._finished, ())
            self._finished = []
            self._dispatcher.mark_recorded(self)

    def _is_connected(self) -> bool:
        """Return whether the connection is used for the next mail.

        It is replaced after `max_per_connection` mails, and after another connection was lost, because this
        one may be broken as well.
        """
        limit = self._dispatcher.policy.max_per_connection
        return 0 < self._sent < limit and self._losses == self._dispatcher.losses

    def _connect(self) -> Exception | None:
        """Open the connection unless it is open; return the error if that failed."""
        if self._is_connected():
            return None
        try:
            if self._sent or self._losses != self._dispatcher.losses:
                self._transport.close()
            self._sent, self._losses = 0, self._dispatcher.losses
            self._transport.open()
        except Exception as error:  # the dispatcher decides what it means
            return error
        self._dispatcher.connected()
        return None

    def _send(self, pending: PendingMail) -> None:
        """Record the start of a mail together with the result of the one before, and send it."""
        if not self._dispatcher.begin(self, pending):
            return
        self._log.record(self._finished, (pending.mail,))
        result = self._dispatcher.withdraw(pending) if self._is_stopped() else self._sent_result(pending)
        self._finished = [result] if result else []

    def _is_stopped(self) -> bool:
        """Return whether the delivery has ended meanwhile."""
        try:
            self._check()
        except CavecronError as error:
            self._dispatcher.fail(error)
        return self._dispatcher.failure is not None

    def _sent_result(self, pending: PendingMail) -> DeliveryResult | None:
        self._sent += 1
        error: Exception | None = None
        is_first = self._sent == 1
        try:
            self._transport.send(pending.mail.message, pending.mail.address)
        except Exception as raised:  # the dispatcher decides what it means
            error = raised
            if isinstance(error, ConnectionLostError | ThrottledError):
                self._sent = 0
        return self._dispatcher.finish(pending, error, is_first=is_first)


class WorkerPool:
    """The workers of a delivery: one at first, more once a connection has worked."""

    def __init__(
        self,
        connect: Callable[[], Transport],
        dispatcher: Dispatcher,
        log: DeliveryLog,
        check: Callable[[], None],
    ) -> None:
        self._connect, self._dispatcher, self._log, self._check = connect, dispatcher, log, check
        self._workers: list[MailWorker] = []

    def grow(self) -> None:
        """Start as many workers as there is work for.

        Raises:
            TemporaryError: the system allows no more threads, and there is no worker yet.

        """
        while self._dispatcher.add_worker():
            worker = MailWorker(self._dispatcher, self._connect(), self._log, self._check)
            try:
                worker.start()
            except RuntimeError as error:  # can't start new thread
                if not self._dispatcher.drop_worker():
                    raise TemporaryError(NO_THREAD) from error
                return
            self._workers.append(worker)

    def shut_down(self) -> None:
        """Wait a moment for the workers to close their connections."""
        limit = monotonic() + _LONGEST_CLOSE
        for worker in self._workers:
            worker.join(max(0.0, limit - monotonic()))
