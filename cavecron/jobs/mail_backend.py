"""Where mails go: the mail server that the application names, or an outbox folder.

It opens nothing by itself; what it returns does, when the first mail is sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cavecron.appdb.smtp_settings import active
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.mail.maildir import MaildirTransport
from cavecron.mail.message import Sender
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.transport import Transport

_OUTBOX_SENDER = Sender(address="cave-a-vin@localhost", name="Cave à Vin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A way for mails to go out, each connection by `connect`; `config` is None for the outbox."""

    connect: Callable[[], Transport]
    sender: Sender
    config: SmtpConfig | None


def post_of(settings: Settings, database: Database) -> Post:
    """Return the way that `settings` choose.

    Raises:
        CavecronError: there is no usable SMTP configuration in the database.

    """
    if settings.outbox is not None:
        return Post(connect=partial(MaildirTransport, settings.outbox), sender=_OUTBOX_SENDER, config=None)
    config = active(database, settings.smtp_keys)
    # smtplib and ssl cost a tenth of a second to import: only who mails pays.
    from cavecron.mail.smtp.transport import connector  # noqa: PLC0415

    return Post(
        connect=connector(config, settings.smtp_ca_file),
        sender=Sender(address=config.sender_email, name=config.sender_name),
        config=config,
    )
