"""What can go wrong between cavecron and a mail server, sorted by whom it concerns.

It knows no protocol and no configuration: the texts come from those who raise.
"""

from cavecron.errors import CavecronError, TemporaryError


class RecipientError(CavecronError):
    """This user's mail is refused for good; the others' may go out."""


class TemporaryRecipientError(TemporaryError):
    """This user's mail is refused for now: it is worth one more try after the others."""


class ServerError(CavecronError):
    """No mail can go out until somebody changes something: it ends the run."""


class ServerUnavailableError(TemporaryError):
    """No mail can go out at this moment: it ends the run, which may succeed later."""
