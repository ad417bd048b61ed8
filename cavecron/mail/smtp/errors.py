"""Errors of a session with a mail server, and the step at which they occur. Pure."""

from enum import Enum, auto


class Step(Enum):
    """A step of a session with the server."""

    CONNECT = auto()
    HANDSHAKE = auto()
    GREETING = auto()
    HELLO = auto()
    STARTTLS = auto()
    LOGIN = auto()
    SENDER = auto()
    RECIPIENT = auto()
    CONTENT = auto()
    #: The whole message was sent, with its final dot; only the server knows whether it accepted it.
    DATA_REPLY = auto()
    RESET = auto()
    QUIT = auto()


class SmtpError(Exception):
    """Something went wrong at a step."""

    def __init__(self, step: Step, reply: bytes = b"") -> None:
        self.step = step
        self.reply = reply
        super().__init__(step.name)


class RefusedError(SmtpError):
    """The server refused: `code` is 400 or more."""

    def __init__(self, step: Step, code: int, reply: bytes) -> None:
        self.code = code
        super().__init__(step, reply)


class BrokenError(SmtpError):
    """The connection is broken; `cause` is the error of the system."""

    def __init__(self, step: Step, cause: OSError) -> None:
        self.cause = cause
        super().__init__(step)


class GarbledError(SmtpError):
    """A reply that is not SMTP, or does not fit the command."""


class MissingError(SmtpError):
    """The server does not offer an extension that is needed; `reply` is what it offers instead."""

    def __init__(self, step: Step, extension: str, reply: bytes = b"") -> None:
        self.extension = extension
        super().__init__(step, reply)


def timed_out(error: SmtpError) -> bool:
    """Return whether the connection broke because the server did not answer in time."""
    return isinstance(error, BrokenError) and isinstance(error.cause, TimeoutError)
