"""What can go wrong with one mail, and what ends the mailing.

It knows no SMTP: a transport tells its troubles in these four words, and `dispatch` acts on them.
"""

from cavecron.errors import CavecronError, TemporaryError


class RecipientError(CavecronError):
    """One mail cannot be delivered, now or later; the others can."""


class TemporaryRecipientError(TemporaryError):
    """One mail was not delivered this time, or nobody knows; it is worth another try."""


class ServerError(CavecronError):
    """No mail at all can be delivered until a person has changed something."""


class ServerUnavailableError(TemporaryError):
    """No mail at all can be delivered at this moment."""
