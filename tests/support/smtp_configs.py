"""Configurations of mail servers, by default on loopback and without a login."""

from dataclasses import replace
from email.message import EmailMessage

from cavecron.mail.smtp.config import SmtpConfig

_LOOPBACK = SmtpConfig(
    id=1,
    name="essai",
    host="127.0.0.1",
    port=25,
    username=None,
    password=None,
    security="plain",
    sender_email="cave@example.org",
    sender_name="",
    timeout=0.5,
)


def smtp_config(port: int, **changes: object) -> SmtpConfig:
    """Return the configuration of a server on this port; `changes` are fields of SmtpConfig."""
    return replace(_LOOPBACK, port=port, **changes)  # type: ignore[arg-type]


def remote_config(**changes: object) -> SmtpConfig:
    """Return the configuration of a server that is never connected to; a password comes with a username."""
    username = "marie@example.org" if changes.get("password") else None
    remote = {"name": "maison", "host": "mail.example.org", "security": "starttls", "timeout": 10.0}
    return smtp_config(587, **{**remote, "username": username, **changes})


def numbered_message(number: int, text: str = "Bonjour\n") -> EmailMessage:
    """Return a message whose Message-ID has this number."""
    message = EmailMessage()
    message["Message-ID"] = f"<{number}@cave.example>"
    message.set_content(text)
    return message
