"""Sending a single mail, and waiting for the server no longer than the caller may.

It knows neither SMTP nor what a mail says, and no database.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

from cavecron.errors import NO_THREAD, CavecronError, TemporaryError
from cavecron.mail.errors import NO_ANSWER, DeliveryUnknownError, TemporaryRecipientError
from cavecron.mail.models import Message
from cavecron.mail.transport import Transport

#: Seconds between two checks whether the caller has to stop.
_CHECK_INTERVAL = 0.2
_NOT_BEGUN = "envoi interrompu avant que le serveur n'ait reçu le message"


def send_single(
    connect: Callable[[], Transport],
    message: Message,
    address: str,
    *,
    must_stop: Callable[[], bool],
    grace: float,
) -> None:
    """Deliver one message to one address, over a connection of its own.

    `must_stop` is called a few times a second, in the caller's thread. Once it returns True a mail that is on
    its way gets `grace` seconds; one for which there is no connection yet is not sent any more.

    Raises:
        CavecronError: it was not delivered; temporary where a later try may succeed, and
            DeliveryUnknownError where it may have arrived.

    """
    sending = _Sending(connect(), message, address)
    sending.start()
    while not sending.done.wait(_CHECK_INTERVAL):
        if must_stop():
            sending.end_within(grace)
            break
    if sending.error is not None:
        raise sending.error


class _Sending:
    """Sends one mail in a thread of its own, so that a server that hangs blocks only that thread."""

    def __init__(self, transport: Transport, message: Message, address: str) -> None:
        self._transport, self._message, self._address = transport, message, address
        self._lock = Lock()
        self._is_begun, self._is_given_up = False, False
        self.done = Event()
        self.error: Exception | None = None

    def start(self) -> None:
        """Start the thread; raises TemporaryError where the system has none left."""
        try:
            Thread(target=self._run, name="cavecron-mail", daemon=True).start()
        except RuntimeError as error:  # can't start new thread
            raise TemporaryError(NO_THREAD) from error

    def end_within(self, grace: float) -> None:
        """Wait `grace` seconds for a mail that has begun; give up one that has not, so that it never does."""
        with self._lock:
            self._is_given_up = not self._is_begun
        if self._is_given_up:
            self.error = TemporaryRecipientError(_NOT_BEGUN)
        elif not self.done.wait(grace):
            self.error = DeliveryUnknownError(NO_ANSWER, timed_out=True)

    def _run(self) -> None:
        try:
            self._transport.open()
            if self._begin():
                self._transport.send(self._message, self._address)
        except Exception as error:  # raised again where the mail was to be sent
            self.error = error
        finally:
            self.done.set()  # the result counts, however long the server takes to say goodbye
        with suppress(CavecronError):
            self._transport.close()

    def _begin(self) -> bool:
        """Mark the mail as begun unless it was given up; return whether it is to be sent."""
        with self._lock:
            self._is_begun = not self._is_given_up
            return self._is_begun
