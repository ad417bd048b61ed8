"""How mails are sent: by the application's mail server, or written into a Maildir.

Nothing is opened before the first mail is sent. It knows neither jobs nor the ledger.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cavecron.appdb.smtp_settings import active
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.lazy import lazy_module
from cavecron.mail.delivery.single import send_single
from cavecron.mail.maildir import MaildirTransport
from cavecron.mail.message import Sender, message_id
from cavecron.mail.models import Message
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.transport import Transport

if TYPE_CHECKING:
    from cavecron.mail.smtp import transport as smtp
else:
    smtp = lazy_module("cavecron.mail.smtp.transport")  # loads ssl: a tenth of a second

_LOG = logging.getLogger(__name__)

#: Seconds of the stop grace that are kept for the database, after the last mail.
_RESERVE = 2.0

_OUTBOX_SENDER = Sender(address="cave-a-vin@localhost", name="Cave à Vin")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailBackend:
    """A way to send mails; `connect` creates a transport. `config` is None for a Maildir."""

    connect: Callable[[], Transport]
    sender: Sender
    config: SmtpConfig | None

    def message_id(self, key: str, recipient: str) -> str:
        """Return the Message-ID of the mail to `recipient` in the run that `key` identifies."""
        return message_id(key, recipient, self.sender.address.rpartition("@")[2])

    def probe(self) -> None:
        """Open a connection, log in if that is configured, and close it; nothing is sent.

        Raises:
            CavecronError: that is not possible.

        """
        transport = self.connect()
        try:
            transport.open()
        finally:
            transport.close()

    def send(
        self,
        message: Message,
        address: str,
        *,
        must_stop: Callable[[], bool] = lambda: False,
        grace: float = 0.0,
    ) -> None:
        """Deliver one message to one address, over a connection of its own.

        A mail that is on its way when `must_stop` returns True gets `grace` seconds.

        Raises:
            CavecronError: it was not delivered; temporary where a later try may succeed.

        """
        send_single(self.connect, message, address, must_stop=must_stop, grace=grace)
        _LOG.debug("Mail envoyé à %s", address)


def mail_backend(settings: Settings, database: Database) -> MailBackend:
    """Return the backend that CAVECRON_MAIL selects.

    Raises:
        CavecronError: the database has no usable SMTP configuration.

    """
    if settings.maildir is not None:
        connect = partial(MaildirTransport, settings.maildir)
        return MailBackend(connect=connect, sender=_OUTBOX_SENDER, config=None)
    config = active(database, settings.smtp_keys)
    return MailBackend(
        connect=smtp.connector(config, settings.smtp_ca_file, ehlo_name=settings.ehlo_name),
        sender=Sender(address=config.sender_email, name=config.sender_name),
        config=config,
    )


def answer_grace(settings: Settings) -> float:
    """Return the seconds that mails on their way get once their run has to end."""
    return max(0.5, settings.stop_grace - _RESERVE)
