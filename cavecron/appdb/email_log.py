"""The application's list of mails: one row for each mail, written within the caller's transaction.

The columns are in appdb/README.md, Tables. It knows neither the contents of a mail nor how it is sent.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from cavecron.database.timestamps import utc_text


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailLogRow:
    """One mail as the application's admin pages show it: sent at `at` (aware), or failed with an error."""

    smtp_config_id: int | None
    recipient_email: str
    recipient_user_id: int | None
    subject: str
    template_name: str
    error_message: str | None
    at: datetime


def record_mail(connection: sqlite3.Connection, mail: int | None, sent: EmailLogRow) -> int:
    """Write `sent` into `email_log`, within the caller's transaction; return the id of its row.

    A mail has one row: `mail` is the id of the row of an earlier try, None for the first one. If that row was
    deleted, and its id perhaps given to another mail, a new row is inserted.
    """
    at = utc_text(sent.at)
    failed = sent.error_message is not None
    values = {
        "mail": mail,
        "config": sent.smtp_config_id,
        "email": sent.recipient_email,
        "user": sent.recipient_user_id,
        "subject": sent.subject,
        "template": sent.template_name,
        "status": "failed" if failed else "sent",
        "error": sent.error_message,
        "sent": None if failed else at,
        "created": at,
    }
    if mail is not None:
        rewritten = connection.execute(
            "UPDATE email_log SET smtp_config_id = :config, recipient_email = :email, status = :status,"
            " error_message = :error, sent_at = :sent WHERE id = :mail AND template_name = :template"
            " AND recipient_user_id IS :user AND (:user IS NOT NULL OR recipient_email = :email)",
            values,
        )
        if rewritten.rowcount:
            return mail
    inserted = connection.execute(
        "INSERT INTO email_log (smtp_config_id, recipient_email, recipient_user_id, subject, template_name,"
        " status, error_message, sent_at, created_at) VALUES (:config, :email, :user, :subject, :template,"
        " :status, :error, :sent, :created)",
        values,
    )
    return inserted.lastrowid or 0


def forget_missing_mails(connection: sqlite3.Connection) -> None:
    """Remove the references of deliveries to rows that `email_log` lacks, because ids are used again."""
    connection.execute(
        "UPDATE cavecron_delivery SET mail = NULL WHERE mail IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM email_log WHERE id = cavecron_delivery.mail)"
    )


def user_with_address(connection: sqlite3.Connection, address: str) -> int | None:
    """Return the id of the user whose mails go to `address`, whatever its case; None if no user has it."""
    row = connection.execute(
        'SELECT id FROM "user" WHERE lower(trim(email)) = lower(:address)'
        " ORDER BY email <> :address, id LIMIT 1",
        {"address": address},
    ).fetchone()
    return row[0] if row else None
