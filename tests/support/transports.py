"""Small transports for tests: they keep what they were given, and fail as they are told to."""

from collections.abc import Mapping, Sequence
from threading import Event, Lock
from time import sleep

from cavecron.mail.models import Message
from cavecron.mail.transport import Transport


class Recorder:
    """Makes transports and keeps what goes over them, in order.

    `troubles` are raised in turn for an address, then it works; those of the address '' at `open`, where
    None lets one pass.
    """

    def __init__(self, troubles: Mapping[str, Sequence[Exception | None]] | None = None) -> None:
        self._troubles = {address: list(errors) for address, errors in (troubles or {}).items()}
        self.lock = Lock()
        self.connections = 0
        self.opened = 0
        self.closed = 0
        self.tried: list[str] = []
        self.delivered: list[str] = []

    def connect(self) -> Transport:
        """Return a new transport."""
        self.connections += 1
        return _Line(self)

    def send(self, address: str) -> None:
        """Keep the address, or fail as told for it."""
        with self.lock:
            self.tried.append(address)
            self.fail(address)
            self.delivered.append(address)

    def fail(self, address: str) -> None:
        """Raise the next trouble of an address, if there is one."""
        if self._troubles.get(address):
            trouble = self._troubles[address].pop(0)
            if trouble:
                raise trouble


class SlowRecorder(Recorder):
    """Takes five milliseconds for each mail, as a server does: so there are always mails that wait."""

    def send(self, address: str) -> None:
        """Take its time."""
        sleep(0.005)
        super().send(address)


class Held(Recorder):
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


class _Line:
    """One connection; after `close` it has to be opened anew, after a trouble too."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._open = False

    def open(self) -> None:
        """Count, and fail as told for the address ''."""
        if not self._open:
            with self._recorder.lock:
                self._recorder.opened += 1
                self._recorder.fail("")
            self._open = True

    def send(self, message: Message, address: str) -> None:
        """Hand it to the recorder."""
        del message
        self._recorder.send(address)

    def close(self) -> None:
        """Count."""
        with self._recorder.lock:
            self._recorder.closed += self._open
            self._open = False
