"""Errors of one mail, and errors that slow down or end the delivery of all mails.

Pure: it knows no SMTP; a transport raises these errors, and `delivery` handles them.
"""

from cavecron.errors import CavecronError, TemporaryError

#: The message of a mail whose result was not waited for.
NO_ANSWER = "le serveur n'avait pas encore répondu à la fin de l'envoi : le message est peut-être arrivé"


class RecipientRefusedError(CavecronError):
    """One mail was refused permanently; others may be accepted."""


class SenderRefusedError(RecipientRefusedError):
    """One mail was refused because of its sender or the account, so that others may be refused too."""


class TemporaryRecipientError(TemporaryError):
    """One mail was not delivered; another try may succeed."""


class ServerBusyError(TemporaryRecipientError):
    """One mail was not delivered because the server is busy; the next ones should be sent more slowly."""


class ConnectionLostError(TemporaryRecipientError):
    """The connection was lost before the whole mail was sent; `timed_out` if the server did not answer."""

    def __init__(self, text: str, *, timed_out: bool) -> None:
        self.timed_out = timed_out
        super().__init__(text)


class DeliveryUnknownError(ConnectionLostError):
    """The connection was lost after the whole mail was sent, so that it may have arrived."""


class PermanentServerError(CavecronError):
    """No mail can be delivered until a person changes something."""


class ServerUnavailableError(TemporaryError):
    """No mail can be delivered now."""


class ThrottledError(ServerUnavailableError):
    """The server accepts no mail for some time; `closing` if it may only be closing this connection."""

    def __init__(self, text: str, *, closing: bool = False) -> None:
        self.closing = closing
        super().__init__(text)
