"""List-Unsubscribe: a mail to the sender that names the user who wants no report, for any name."""

import re
from dataclasses import replace
from email import message_from_bytes
from urllib.parse import unquote, urlsplit

import pytest

from cavecron.mail.message import Sender
from cavecron.text import plain
from tests.support.report_factories import a_report, composed

#: Servers refuse messages with longer lines (RFC 5322, 2.1.1).
LONGEST_LINE = 998

NAMES = {
    "plain": "marie",
    "accents": "Hélène d'Été",
    "question mark and ampersand": "a?b&body=c#d%20",
    "angle brackets": "<mailto:x@y.z>, <http://a>",
    "line end": "marie\r\nBcc: eve@example.org",
    "controls": "a\x00b\u202ec",
    "lone surrogate": "a\ud800b",
    "emoji": "\U0001f377" * 300,
    "endless": "x" * 5000,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("address", ["cave@example.org", "rené+vin@exämple.fr", f"{'é' * 100}@{'à' * 20}.fr"])
def test_the_unsubscribe_mail_names_the_user(name: str, address: str) -> None:
    """The mailto URL has the sender as recipient, and the user's name and id as subject (RFC 2369, 3.2)."""
    report = replace(a_report(), user=replace(a_report().user, username=name))
    message = bytes(composed(report, Sender(address=address)))
    head = message.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= LONGEST_LINE
    (header,) = received_headers(head)
    uri = urlsplit(re.sub(r"\s", "", header)[1:-1])
    assert (uri.scheme, unquote(uri.path), uri.fragment) == ("mailto", address, "")
    assert re.fullmatch(r"[\w.~%@-]+", uri.path + uri.query.removeprefix("subject="), re.ASCII)
    assert unquote(uri.query) == f"subject=Plus de rapport pour {plain(name, 50)} (utilisateur 1)"


def received_headers(head: bytes) -> list[str]:
    """Return the values of List-Unsubscribe, as a program reads them that decodes nothing."""
    return [str(value) for value in message_from_bytes(head).get_all("List-Unsubscribe", [])]
