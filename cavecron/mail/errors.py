"""What can go wrong with one mail, and what slows down or ends the delivery of all.

It knows no SMTP: a transport raises these errors, and `delivery` acts on them.
"""

from cavecron.errors import CavecronError, TemporaryError


class RecipientRefusedError(CavecronError):
    """One mail cannot be delivered, now or later; the others can."""


class SenderRefusedError(RecipientRefusedError):
    """One mail was refused because of its sender or the account: others may be refused too."""


class TemporaryRecipientError(TemporaryError):
    """One mail was not delivered this time; it is worth another try."""


class ServerBusyError(TemporaryRecipientError):
    """One mail was not delivered this time, and the server would like the next ones to come more slowly."""


class ConnectionLostError(TemporaryRecipientError):
    """The connection was lost before the whole mail was handed over; `timed_out`, or cut."""

    def __init__(self, text: str, *, timed_out: bool) -> None:
        self.timed_out = timed_out
        super().__init__(text)


class DeliveryUnknownError(ConnectionLostError):
    """The connection was lost after the whole mail was handed over: it may have arrived."""


class PermanentServerError(CavecronError):
    """No mail at all can be delivered until a person has changed something."""


class ServerUnavailableError(TemporaryError):
    """No mail at all can be delivered at this moment."""


class ThrottledError(ServerUnavailableError):
    """The server accepts no mail for a while; `closing` where it may only close this connection."""

    def __init__(self, text: str, *, closing: bool = False) -> None:
        self.closing = closing
        super().__init__(text)
