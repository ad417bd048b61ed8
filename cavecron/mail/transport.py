"""What carries mails, whatever it is: an SMTP connection, or a folder."""

from typing import Protocol

from cavecron.mail.models import Message


class Transport(Protocol):
    """What carries mails: an SMTP connection, or a folder. Its errors are those of `mail.errors`."""

    def open(self) -> None:
        """Get ready to send, where that is not done yet."""
        ...

    def send(self, message: Message, address: str) -> None:
        """Deliver one message to one address."""
        ...

    def close(self) -> None:
        """Let go of everything; `open` makes it ready again."""
        ...
