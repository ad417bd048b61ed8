"""One user's report as a mail: headers, a text part and an HTML part.

Pure: it knows nothing of servers, files or the time; the instant is handed in.
"""

import re
from base64 import encodebytes
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from zoneinfo import ZoneInfo

from cavecron.cellar.report import WeeklyReport
from cavecron.errors import CavecronError
from cavecron.mail.html import html_part
from cavecron.mail.text import text_part
from cavecron.mail.wording import plain

SUBJECT = "🍷 Votre rapport hebdomadaire - Cave à Vin"

_LONGEST_LINE = 900
# A dot-atom on both sides (RFC 5322, 3.2.3), non-ASCII allowed (RFC 6532); no quoted local part. Nor an
# encoded word (RFC 2047), which `email` and receivers would read as something else than the envelope says;
# nor U+FFFD, which stands for octets that could not be read.
_ATOM = r'[^\s<>()\[\],;:\\"@.\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffd]+'
_ADDRESS = re.compile(rf"(?!.*=\?){_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as it is sent, every line ended by CRLF.

    Of what `email.message.EmailMessage` can do it has what a transport needs: making one of those for each
    report, and writing it, takes five times as long.
    """

    message_id: str  # the one header that a transport asks for
    content: bytes

    def __bytes__(self) -> bytes:
        return self.content

    def __getitem__(self, name: str) -> str:
        return {"message-id": self.message_id}[name.lower()]


def compose(
    report: WeeklyReport, *, zone: ZoneInfo, generated: datetime, sender: Sender, message_id: str
) -> Mail:
    """Return the mail of one report; `generated` is an aware datetime, told in `zone`.

    Raises CavecronError for an address, or a sender's name, that does not belong in a header.
    """
    recipient = check_address(report.user.email)
    text = text_part(report, zone, generated).encode()
    page = html_part(report, zone, generated).encode("ascii", "xmlcharrefreplace")
    # In no part, whatever a user typed: base64 has no '_', and the page breaks words that are so long.
    boundary = f"=_{sha256(message_id.encode()).hexdigest()[:32]}"
    content = (
        _report_head(sender, generated.astimezone(zone), ascii_only=recipient.isascii())
        + f"To: {recipient}\nMessage-ID: {message_id}\n".encode()
        + f'Content-Type: multipart/alternative; boundary="{boundary}"\n\n'.encode()
        + f'--{boundary}\nContent-Type: text/plain; charset="utf-8"\n'.encode()
        + _encoded(text, "base64")
        + f'\n--{boundary}\nContent-Type: text/html; charset="utf-8"\n'.encode()
        + _encoded(page, _lightest_encoding(page))
        + f"\n--{boundary}--\n".encode()
    )
    return Mail(message_id=message_id, content=content.replace(b"\n", b"\r\n"))


def plain_message(
    subject: str, text: str, *, recipient: str, sender: Sender, at: datetime, message_id: str
) -> EmailMessage:
    """Return a mail of text only, sent at `at` (aware); the subject is made one line.

    Raises CavecronError for a sender that does not belong in a header.
    """
    message = _headed(plain(subject, 200), sender, at, ascii_only=recipient.isascii())
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
        "Essai - Cave à Vin",
        "Bonjour,\n\nce message d’essai vient de cavecron check --send-to : les rapports hebdomadaires de"
        "\nCave à Vin peuvent prendre le même chemin.\n",
        recipient=recipient,
        sender=sender,
        at=at,
        message_id=message_id(f"check.{at.isoformat()}", 0, sender.address.rpartition("@")[2]),
    )


def check_sender(sender: Sender) -> None:
    """Return if mails can come from `sender`, else raise CavecronError."""
    _mailbox(sender)


@lru_cache(maxsize=4)
def _report_head(sender: Sender, at: datetime, *, ascii_only: bool) -> bytes:
    """Return the headers that all reports of a mailing have in common: folding them takes its time."""
    message = _headed(SUBJECT, sender, at, ascii_only=ascii_only)
    message["MIME-Version"] = "1.0"
    message["Content-Language"] = "fr"
    return message.as_bytes().replace(b"\r\n", b"\n").removesuffix(b"\n")


def _headed(subject: str, sender: Sender, at: datetime, *, ascii_only: bool) -> EmailMessage:
    """Return a message with the headers that every one of ours has, but for those that are its own."""
    message = EmailMessage(policy=SMTP if ascii_only and sender.address.isascii() else SMTPUTF8)
    message["Subject"] = subject
    message["From"] = _mailbox(sender)
    message["Date"] = format_datetime(at)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    return message


def _encoded(part: bytes, encoding: str) -> bytes:
    """Return the end of a part's headers, and the part."""
    if encoding == "base64":  # which hides the line ends: they have to be right before
        part = encodebytes(part.replace(b"\n", b"\r\n"))
    return f"Content-Transfer-Encoding: {encoding}\n\n".encode() + part


def _lightest_encoding(page: bytes) -> str:
    """Return what keeps lines under 998 octets (RFC 5322, 2.1.1): base64, a third more, only where needed.

    Quoted-printable would cost less, but Python takes its time over it.
    """
    longest = max(map(len, page.split(b"\n")))
    return "7bit" if longest <= _LONGEST_LINE else "base64"


def _mailbox(sender: Sender) -> Address:
    if _CONTROL.search(sender.name) or len(sender.name) > 200:
        raise CavecronError(
            f"Nom d'expéditeur {sender.name[:80]!a} : une seule ligne de 200 caractères au plus est "
            "attendue ; le corriger dans Cave à Vin, Administration, Configuration SMTP"
        )
    local, _, domain = check_address(sender.address).rpartition("@")
    return Address(display_name=sender.name.strip(), username=local, domain=domain)
