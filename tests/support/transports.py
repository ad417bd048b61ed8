"""Transports for tests that record mails, and fail as the test wants."""

from collections.abc import Mapping, Sequence
from threading import Event, Lock
from time import sleep

from cavecron.mail.models import Message
from cavecron.mail.transport import Transport


class Recorder:
    """Creates transports, and records the mails that are sent over them, in order.

    `errors` are raised in turn for an address, then it works; those of the address '' at `open`, where
    None lets one pass.
    """

    def __init__(self, errors: Mapping[str, Sequence[Exception | None]] | None = None) -> None:
        self._errors = {address: list(errors) for address, errors in (errors or {}).items()}
        self.lock = Lock()
        self.connections = 0
        self.opened = 0
        self.closed = 0
        self.tried: list[str] = []
        self.delivered: list[str] = []

    def connect(self) -> Transport:
        """Return a new transport."""
        self.connections += 1
        return _Connection(self)

    def send(self, address: str) -> None:
        """Record the address, or raise its next error."""
        with self.lock:
            self.tried.append(address)
            self.fail(address)
            self.delivered.append(address)

    def fail(self, address: str) -> None:
        """Raise the next error of an address, if there is one."""
        if self._errors.get(address):
            error = self._errors[address].pop(0)
            if error:
                raise error


class SlowRecorder(Recorder):
    """Takes five milliseconds for each mail, like a server, so that mails have to wait."""

    def send(self, address: str) -> None:
        """Send after a delay."""
        sleep(0.005)
        super().send(address)


class BlockedRecorder(Recorder):
    """Delivers nothing before `released` is set; `sending` is set once it has something to deliver."""

    def __init__(self) -> None:
        super().__init__()
        self.sending = Event()
        self.released = Event()

    def send(self, address: str) -> None:
        """Wait, then deliver."""
        self.sending.set()
        assert self.released.wait(10)
        super().send(address)


class _Connection:
    """One connection; after `close` it has to be opened anew, after an error too."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._open = False

    def open(self) -> None:
        """Count the call, and raise the next error of the address ''."""
        if not self._open:
            with self._recorder.lock:
                self._recorder.opened += 1
                self._recorder.fail("")
            self._open = True

    def send(self, message: Message, address: str) -> None:
        """Record the mail."""
        del message
        self._recorder.send(address)

    def close(self) -> None:
        """Count."""
        with self._recorder.lock:
            self._recorder.closed += self._open
            self._open = False
