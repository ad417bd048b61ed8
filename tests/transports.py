"""Small transports for tests: they keep what they were given, and fail as they are told to."""

from collections.abc import Mapping, Sequence
from email.message import EmailMessage


class Recorder:
    """Keeps the addresses it delivered to; `troubles` are raised in turn for an address, then it works."""

    def __init__(self, troubles: Mapping[str, Sequence[Exception]] | None = None) -> None:
        self._troubles = {address: list(errors) for address, errors in (troubles or {}).items()}
        self.opened = 0
        self.closed = 0
        self.tried: list[str] = []
        self.delivered: list[str] = []

    def open(self) -> None:
        """Count, and fail as told for the address ''."""
        self.opened += 1
        self._raise("")

    def send(self, message: EmailMessage, address: str) -> None:
        """Keep the address, or fail as told for it."""
        del message
        self.tried.append(address)
        self._raise(address)
        self.delivered.append(address)

    def close(self) -> None:
        """Count."""
        self.closed += 1

    def _raise(self, address: str) -> None:
        if self._troubles.get(address):
            raise self._troubles[address].pop(0)
