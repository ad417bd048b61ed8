"""Sending the test message of `cavecron check --send-to`, and recording it as the application does its own.

The record is a row of `email_log`, and columns of `smtp_config` about the last test. The database is not open
while the message is being sent.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cavecron.appdb.email_log import EmailLogRow, record_mail, user_with_address
from cavecron.appdb.smtp_settings import active_id, record_test
from cavecron.clock import Clock
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.mail_backend import MailBackend
from cavecron.mail.message import TRIAL_SUBJECT, trial_message

_TEMPLATE = "test_email"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialMail:
    """What is needed to send and record a test message; `backend` is None if none can be sent."""

    backend: MailBackend | None
    database: Database
    clock: Clock
    zone: ZoneInfo

    def send(self, recipient: str) -> str:
        """Send it, and return a French sentence about it.

        Raises:
            CavecronError: it was not delivered.

        """
        if self.backend is None:
            raise CavecronError("aucune configuration SMTP utilisable")
        at = self.clock.now().astimezone(self.zone)
        self.backend.send(trial_message(recipient, self.backend.sender, at), recipient)
        return f"un message d'essai est parti vers {recipient}"

    def record(self, recipient: str, error: str | None) -> None:
        """Record that it was sent, or that `error` prevented it.

        Raises:
            CavecronError: the database cannot be written.

        """
        at, config = self.clock.now(), self._config()
        with self.database.writing() as connection:
            row = EmailLogRow(
                smtp_config_id=config,
                recipient_email=recipient,
                recipient_user_id=user_with_address(connection, recipient),
                subject=TRIAL_SUBJECT,
                template_name=_TEMPLATE,
                error_message=error,
                at=at,
            )
            record_mail(connection, None, row)
            if config is not None:
                record_test(connection, config, at=at, error=error)

    def _config(self) -> int | None:
        """Return the id of the configuration that was tried, usable or not; None for a Maildir."""
        if self.backend is None:
            return active_id(self.database)
        return self.backend.config.id if self.backend.config else None
