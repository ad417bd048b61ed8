"""Addresses, a mail as it is sent, the headers that all mails share, and mails of plain text. Pure."""

import re
from base64 import encodebytes
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import quote

from cavecron.errors import CavecronError
from cavecron.mail.headers import mailbox_header, text_header
from cavecron.text import plain

# A dot-atom on both sides (RFC 5322, 3.2.3), non-ASCII allowed (RFC 6532). Refused are quoted local parts,
# encoded words (RFC 2047), which readers would decode to another address than that of the envelope, and
# U+FFFD, which replaces bytes that could not be decoded.
_ATOM = r'[^\s<>()\[\],;:\\"@.\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffd]+'
_ADDRESS = re.compile(rf"(?!.*=\?){_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
#: A line of a header has 998 bytes at most (RFC 5322, 2.1.1), its name included.
_LONGEST_VALUE = 900
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

#: The subject of the message of `cavecron check --send-to`.
TRIAL_SUBJECT = "Essai - Cave à Vin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The sender of a mail; the name can be blank."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as it is sent, with CRLF at the end of each line; `subject` is not encoded.

    It has only those methods of `email.message.EmailMessage` that a transport needs: creating and writing
    one of these for each report takes five times as long.
    """

    message_id: str  # the only header that a transport reads
    recipient: str
    subject: str
    content: bytes

    def __bytes__(self) -> bytes:
        return self.content

    def __getitem__(self, name: str) -> str:
        return {"message-id": self.message_id}[name.lower()]


def message_id(run_key: str, recipient: int | str, domain: str) -> str:
    """Return the Message-ID of a mail, always the same for one run and recipient, to recognise duplicates."""
    digest = sha256(f"{run_key}\0{recipient}".encode("utf-8", "backslashreplace")).hexdigest()[:32]
    return f"<{digest}@{domain if _DOMAIN.fullmatch(domain) else 'cavecron.invalid'}>"


def check_address(text: str) -> str:
    """Return the address without blanks around it.

    Raises CavecronError unless it is exactly one address of at most 254 bytes (RFC 5321, 4.5.3.1.3).
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
) -> Mail:
    """Return a mail of plain text, dated `at` (aware); the subject is shortened to one line.

    Raises CavecronError if the recipient or the sender is not valid.
    """
    line, address = plain(subject, 200), check_address(recipient)
    lines = "".join(f"{part}\r\n" for part in re.split("\r\n|\r|\n", text.removesuffix("\n")))
    content = (
        head(line, sender, at)
        + f"To: {address}\nMessage-ID: {message_id}\n"
        + 'Content-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: base64\n\n'
    ).encode() + encodebytes(lines.encode("utf-8", "replace"))
    return Mail(
        message_id=message_id,
        recipient=address,
        subject=line,
        content=content.replace(b"\n", b"\r\n"),
    )


def trial_message(recipient: str, sender: Sender, at: datetime) -> Mail:
    """Return the message of `cavecron check --send-to`, dated `at` (aware).

    Raises CavecronError if the sender is not valid.
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
    """Raise CavecronError unless `sender` is valid."""
    _from(sender)


def head(subject: str, sender: Sender, at: datetime) -> str:
    """Return the headers that all our mails share, dated `at` (aware).

    Raises CavecronError if the sender is not valid.
    """
    return (
        f"{text_header('Subject', subject)}{_from(sender)}Date: {format_datetime(at)}\n"
        "Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\n"
        "MIME-Version: 1.0\nContent-Language: fr\n"
    )


def unsubscribe(address: str, subject: str) -> str:
    """Return the value of List-Unsubscribe (RFC 2369, 3.2): a mailto URL with `address` and `subject`.

    It is ASCII, percent-encoded UTF-8 (RFC 6068, 2). A long one is folded within the brackets, where blanks
    are ignored (RFC 2369, 2).
    """
    target, query = f"<mailto:{quote(address, safe='@')}", f"?subject={quote(subject, safe='')}>"
    return f"{target}{query}" if len(target) + len(query) <= _LONGEST_VALUE else f"{target}\n {query}"


def _from(sender: Sender) -> str:
    if _CONTROL.search(sender.name) or len(sender.name) > 200:
        raise CavecronError(
            f"Nom d'expéditeur {sender.name[:80]!a} : une seule ligne de 200 caractères au plus est "
            "attendue ; le corriger dans Cave à Vin, Administration, Configuration SMTP"
        )
    return mailbox_header("From", sender.name, check_address(sender.address))
