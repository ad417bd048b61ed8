"""Addresses, headers that all mails have in common, and mails of text only.

Pure: it knows nothing of servers, files or the time; the instant is handed in.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import quote

from cavecron.errors import CavecronError
from cavecron.text import plain

# A dot-atom on both sides (RFC 5322, 3.2.3), non-ASCII allowed (RFC 6532); no quoted local part. Nor an
# encoded word (RFC 2047), which `email` and receivers would read as something else than the envelope says;
# nor U+FFFD, which stands for octets that could not be read.
_ATOM = r'[^\s<>()\[\],;:\\"@.\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffd]+'
_ADDRESS = re.compile(rf"(?!.*=\?){_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
#: A header's line is 998 octets long at most (RFC 5322, 2.1.1), its name included.
_LONGEST_VALUE = 900
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: Of the message of `cavecron check --send-to`.
TRIAL_SUBJECT = "Essai - Cave à Vin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whom the mail is from; the name can be blank."""

    address: str
    name: str = ""


def message_id(run_key: str, recipient: int | str, domain: str) -> str:
    """Return the Message-ID that this run and user always get, so that a receiver knows a repetition."""
    digest = sha256(f"{run_key}\0{recipient}".encode("utf-8", "backslashreplace")).hexdigest()[:32]
    return f"<{digest}@{domain if _DOMAIN.fullmatch(domain) else 'cavecron.invalid'}>"


def check_address(text: str) -> str:
    """Return the address without blanks around it.

    Raises CavecronError if it is not exactly one address of at most 254 octets (RFC 5321, 4.5.3.1.3).
    """
    address = text.strip(" ")
    if len(address.encode("utf-8", "replace")) <= 254 and _ADDRESS.fullmatch(address):
        return address
    raise CavecronError(
        f"Adresse {text[:80]!a} : une seule adresse de la forme nom@domaine est attendue, sans espace "
        "ni retour à la ligne ; la corriger dans l'application"
    )


def plain_message(
    subject: str, text: str, *, recipient: str, sender: Sender, at: datetime, message_id: str
) -> EmailMessage:
    """Return a mail of text only, sent at `at` (aware); the subject is made one line.

    Raises CavecronError for a sender that does not belong in a header.
    """
    message = headed(plain(subject, 200), sender, at, ascii_only=recipient.isascii())
    message["To"] = recipient
    message["Message-ID"] = message_id
    message.set_content(text, cte="base64")
    message["Content-Language"] = "fr"
    return message


def trial_message(recipient: str, sender: Sender, at: datetime) -> EmailMessage:
    """Return the message of `cavecron check --send-to`, sent at `at` (aware).

    Raises CavecronError for a sender that does not belong in a header.
    """
    return plain_message(
        TRIAL_SUBJECT,
        "Bonjour,\n\nce message d’essai vient de cavecron check --send-to : les rapports hebdomadaires de"
        "\nCave à Vin peuvent prendre le même chemin.\n",
        recipient=recipient,
        sender=sender,
        at=at,
        message_id=message_id(f"check.{at.isoformat()}", 0, sender.address.rpartition("@")[2]),
    )


def check_sender(sender: Sender) -> None:
    """Raise CavecronError unless mails can come from `sender`."""
    _mailbox(sender)


def headed(subject: str, sender: Sender, at: datetime, *, ascii_only: bool) -> EmailMessage:
    """Return a message with the headers that every one of ours has, but for those that are its own."""
    message = EmailMessage(policy=SMTP if ascii_only and sender.address.isascii() else SMTPUTF8)
    message["Subject"] = subject
    message["From"] = _mailbox(sender)
    message["Date"] = format_datetime(at)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    return message


def unsubscribe(address: str, subject: str) -> str:
    """Return the value of List-Unsubscribe (RFC 2369, 3.2): a mail to `address` with this subject.

    All in it is ASCII, percent-encoded UTF-8 (RFC 6068, 2). Where it is long, it is folded within the
    brackets, where blanks mean nothing (RFC 2369, 2).
    """
    target, query = f"<mailto:{quote(address, safe='@')}", f"?subject={quote(subject, safe='')}>"
    return f"{target}{query}" if len(target) + len(query) <= _LONGEST_VALUE else f"{target}\n {query}"


def _mailbox(sender: Sender) -> Address:
    if _CONTROL.search(sender.name) or len(sender.name) > 200:
        raise CavecronError(
            f"Nom d'expéditeur {sender.name[:80]!a} : une seule ligne de 200 caractères au plus est "
            "attendue ; le corriger dans Cave à Vin, Administration, Configuration SMTP"
        )
    local, _, domain = check_address(sender.address).rpartition("@")
    return Address(display_name=sender.name.strip(), username=local, domain=domain)
