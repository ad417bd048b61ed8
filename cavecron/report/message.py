"""One user's report as a mail: headers, a text part and an HTML part.

Pure: it knows nothing of servers, files or the time; the instant is handed in.
"""

from base64 import encodebytes
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cavecron.mail.message import Mail, Sender, check_address, head, unsubscribe
from cavecron.report import wording
from cavecron.report.html import html_part
from cavecron.report.model import WeeklyReport
from cavecron.report.page import Page
from cavecron.report.phrases import FULL, LONG, SHORT, SHORTEST
from cavecron.report.text import text_part
from cavecron.text import plain

SUBJECT = "🍷 Votre rapport hebdomadaire - Cave à Vin"
_LONGEST_LINE = 900
#: Gmail cuts off what is longer than 102 kB.
_LONGEST_MAIL = 100_000
#: Characters of a user's name in a header: its line stays short enough even if each takes twelve octets.
_LONGEST_NAME = 50


def compose(
    report: WeeklyReport, *, zone: ZoneInfo, generated: datetime, sender: Sender, message_id: str
) -> Mail:
    """Return the mail of one report; `generated` is an aware datetime, shown in `zone`.

    Raises CavecronError for an address, or a sender's name, that does not belong in a header.
    """
    recipient = check_address(report.user.email)
    laid_out = _laid_out(report, zone, generated)
    # In no part, whatever a user typed: base64 has no '_', and the page breaks words that are so long.
    boundary = f"=_{sha256(message_id.encode()).hexdigest()[:32]}"
    content = (
        head(SUBJECT, sender, generated.astimezone(zone)).encode()
        + f"To: {recipient}\nMessage-ID: {message_id}\n".encode()
        + f"List-Unsubscribe: {unsubscribe(sender.address, _request(report))}\n".encode()
        + f'Content-Type: multipart/alternative; boundary="{boundary}"\n\n'.encode()
        + f'--{boundary}\nContent-Type: text/plain; charset="utf-8"\n'.encode()
        + laid_out.text
        + f'\n--{boundary}\nContent-Type: text/html; charset="utf-8"\n'.encode()
        + laid_out.html
        + f"\n--{boundary}--\n".encode()
    )
    return Mail(
        message_id=message_id,
        recipient=recipient,
        subject=SUBJECT,
        content=content.replace(b"\n", b"\r\n"),
    )


def fitting_page(report: WeeklyReport, zone: ZoneInfo, generated: datetime) -> Page:
    """Return the page of the mail that `compose` makes: as full as mail programs show whole."""
    return _laid_out(report, zone, generated).page


class _LaidOut(NamedTuple):
    """A page with both parts of its mail, each encoded, with the end of its headers."""

    page: Page
    text: bytes
    html: bytes


def _laid_out(report: WeeklyReport, zone: ZoneInfo, generated: datetime) -> _LaidOut:
    """Lay out a report under the first limits that keep it from being cut off by a mail program."""
    for limits in (FULL, LONG, SHORT, SHORTEST):
        page = wording.page(report, zone, generated, limits)
        html = html_part(page).encode("ascii", "xmlcharrefreplace")
        parts = _LaidOut(
            page=page,
            text=_encoded(text_part(page).encode(), "base64"),
            html=_encoded(html, _lightest_encoding(html)),
        )
        if len(parts.text) + len(parts.html) <= _LONGEST_MAIL:
            break
    return parts


def _request(report: WeeklyReport) -> str:
    """Return the subject of a mail that asks for no more reports; the id is there for names that were cut."""
    user = report.user
    return f"Plus de rapport pour {plain(user.username, _LONGEST_NAME)} (utilisateur {user.id})"


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
