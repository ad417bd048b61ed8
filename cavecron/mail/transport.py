"""The interface of all transports. Pure: it knows neither SMTP nor files."""

from typing import Protocol

from cavecron.mail.models import Message


class Transport(Protocol):
    """A way to deliver mails: an SMTP connection, or a Maildir. Its methods raise errors of `mail.errors`."""

    def open(self) -> None:
        """Get ready to send, unless it is ready."""
        ...

    def send(self, message: Message, address: str) -> None:
        """Deliver one message to one address."""
        ...

    def close(self) -> None:
        """Close the connection; `open` opens a new one."""
        ...
