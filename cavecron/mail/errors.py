"""What can go wrong with one mail, and what slows down or ends the mailing.

It knows no SMTP: a transport tells its troubles in these words, and `delivery` acts on them.
"""

from cavecron.errors import CavecronError, TemporaryError


class RecipientError(CavecronError):
    """One mail cannot be delivered, now or later; the others can."""


class SenderRefusedError(RecipientError):
    """One mail was refused because of whom it is from: everybody's trouble, where the next one is too."""


class TemporaryRecipientError(TemporaryError):
    """One mail was not delivered this time; it is worth another try."""


class BusyError(TemporaryRecipientError):
    """One mail was not delivered this time, and the server would like the next ones to come more slowly."""


class LostError(TemporaryRecipientError):
    """The connection was lost before the whole mail was handed over; by a time-out, or at once."""

    def __init__(self, text: str, *, timed_out: bool) -> None:
        self.timed_out = timed_out
        super().__init__(text)

    @property
    def at_once(self) -> bool:
        """Return whether it may be tried again over a new connection without waiting."""
        return not self.timed_out


class UnknownFateError(LostError):
    """The connection was lost after the whole mail was handed over: it may have arrived."""

    @property
    def at_once(self) -> bool:
        """Return False: whether it may be sent again is not for the connection to say."""
        return False


class ServerError(CavecronError):
    """No mail at all can be delivered until a person has changed something."""


class ServerUnavailableError(TemporaryError):
    """No mail at all can be delivered at this moment."""


class ThrottledError(ServerUnavailableError):
    """The server wants to be left alone for a while; `at_once` where it may only mean this connection."""

    def __init__(self, text: str, *, at_once: bool = False) -> None:
        self.at_once = at_once
        super().__init__(text)
