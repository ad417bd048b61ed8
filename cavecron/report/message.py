"""One user's report as a mail: headers, a text part and an HTML part.

Pure: it knows nothing of servers and files; the present instant is an argument.
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
#: Gmail clips mails longer than 102 kB.
_LONGEST_MAIL = 100_000
#: Characters of a user's name in a header: its line is short enough even with twelve bytes for each.
_LONGEST_NAME = 50


def compose(
    report: WeeklyReport, *, zone: ZoneInfo, generated: datetime, sender: Sender, message_id: str
) -> Mail:
    """Return the mail of one report; `generated` is an aware datetime, shown in `zone`.

    Raises:
        CavecronError: an address or the sender's name is not valid in a header.

    """
    recipient = check_address(report.user.email)
    layout = _layout(report, zone, generated)
    # No part can contain it, whatever a user typed: base64 has no '_', and the page breaks such long words.
    boundary = f"=_{sha256(message_id.encode()).hexdigest()[:32]}"
    content = (
        head(SUBJECT, sender, generated.astimezone(zone)).encode()
        + f"To: {recipient}\nMessage-ID: {message_id}\n".encode()
        + f"List-Unsubscribe: {unsubscribe(sender.address, _request(report))}\n".encode()
        + f'Content-Type: multipart/alternative; boundary="{boundary}"\n\n'.encode()
        + f'--{boundary}\nContent-Type: text/plain; charset="utf-8"\n'.encode()
        + layout.text
        + f'\n--{boundary}\nContent-Type: text/html; charset="utf-8"\n'.encode()
        + layout.html
        + f"\n--{boundary}--\n".encode()
    )
    return Mail(
        message_id=message_id,
        recipient=recipient,
        subject=SUBJECT,
        content=content.replace(b"\n", b"\r\n"),
    )


def fitting_page(report: WeeklyReport, zone: ZoneInfo, generated: datetime) -> Page:
    """Return the page of the mail that `compose` makes for `generated` (aware).

    It is so short that mail programs do not clip it.
    """
    return _layout(report, zone, generated).page


class _Layout(NamedTuple):
    """A page with both parts of its mail, encoded, each after its Content-Transfer-Encoding."""

    page: Page
    text: bytes
    html: bytes


def _layout(report: WeeklyReport, zone: ZoneInfo, generated: datetime) -> _Layout:
    """Lay out a report with the first limits under which no mail program clips it."""
    for limits in (FULL, LONG, SHORT, SHORTEST):
        page = wording.page(report, zone, generated, limits)
        html = html_part(page).encode("ascii", "xmlcharrefreplace")
        parts = _Layout(
            page=page,
            text=_encoded(text_part(page).encode(), "base64"),
            html=_encoded(html, _lightest_encoding(html)),
        )
        if len(parts.text) + len(parts.html) <= _LONGEST_MAIL:
            break
    return parts


def _request(report: WeeklyReport) -> str:
    """Return the subject of a mail that asks to stop the reports; the id is for names that were cut."""
    user = report.user
    return f"Plus de rapport pour {plain(user.username, _LONGEST_NAME)} (utilisateur {user.id})"


def _encoded(part: bytes, encoding: str) -> bytes:
    """Return the Content-Transfer-Encoding of a part, and the encoded part."""
    if encoding == "base64":  # the line ends are encoded as well, so they are replaced before
        part = encodebytes(part.replace(b"\n", b"\r\n"))
    return f"Content-Transfer-Encoding: {encoding}\n\n".encode() + part


def _lightest_encoding(page: bytes) -> str:
    """Return an encoding with lines under 998 bytes (RFC 5322, 2.1.1); base64, a third longer, if necessary.

    Quoted-printable would be shorter, but Python is slow at it.
    """
    longest = max(map(len, page.split(b"\n")))
    return "7bit" if longest <= _LONGEST_LINE else "base64"
