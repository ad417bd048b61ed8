"""Texts in headers are displayed unchanged, read by the rules of the RFCs and by Python's `email`."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavecron.mail.headers import mailbox_header, text_header
from cavecron.mail.message import Mail, Sender, check_sender, plain_message
from cavecron.text import plain
from tests.support.headers import displayed, header_lines, mailbox

AT = datetime(2026, 11, 23, 7, tzinfo=UTC)
NAMES = [
    *("Subject", "From", "Date", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version"),
    *("Content-Language", "To", "Message-ID", "Content-Type", "Content-Transfer-Encoding"),
]
#: Some versions of `email` decoded this into further headers and a body.
FORGED = "=?utf-8?q?X=0D=0AReply-To:_evil=40x.test=0D=0A=0D=0ABody?="

HOSTILE = {
    "forged header": FORGED,
    "forged in base64": "=?utf-8?b?WA0KUmVwbHktVG86IGV2aWxAeC50ZXN0DQoNCkJvZHk=?=",
    "forged in capitals, with a language": FORGED.replace("utf-8?q", "UTF-8*fr?Q"),
    "in the middle": f"Cave {FORGED} du fond",
    "without blanks around": f"Cave{FORGED}du fond",
    "in quotes": f'"{FORGED}"',
    "two adjacent encoded words": "=?utf-8?q?a?= =?utf-8?q?b?=",
    "beginning of an encoded word": "=?utf-8?q?a",
    "end of an encoded word": "b?=",
    "unknown charset": "=?x-nothing?q?a?=",
    "percent escapes": "a%0D%0ABcc: b@c.fr",
    "comma": "Cave du fond, à gauche, derrière l'escalier, " * 3 + "fin",
    "long and ASCII with a comma": "Cave commune, batiment principal, " * 4 + "<autre@example.net>, fin",
    "long and ASCII with an address": "Rapports de la maison de campagne autre@example.net " * 2 + "fin",
    "quotes": 'La "grande" cave \\ du fond',
    "an open quote": 'La "cave',
    "parentheses": "Cave (du fond) ((",
    "an address": "autre@example.net",
    "an address in brackets": "Autre <autre@example.net>",
    "a group": "amis: a@b.fr, c@d.fr;",
    "a long word": "a" * 190,
    "a long word beyond ASCII": "é" * 100 + "\U0001f377" * 90,
    "right to left": "שלום, עולם",
    "only marks": '.,;:<>()[]"\\@',
    "blanks only": "   ",
    "nothing": "",
}


def _message(subject: str = "Essai", name: str = "Cave") -> Mail:
    sender = Sender(address="cave@example.org", name=name)
    return plain_message(
        subject, "Bonjour", recipient="marie@example.org", sender=sender, at=AT, message_id="<1@example.org>"
    )


def _parse(mail: Mail) -> EmailMessage:
    return message_from_bytes(mail.content, policy=default)


def _without_blanks(name: str) -> str:
    # `email` keeps the blanks between encoded words in a name, which RFC 2047, 6.2 tells readers to ignore.
    return name.replace(" ", "")


def _check(mail: Mail, subject: str, name: str) -> None:
    """Check that both readers find exactly the expected headers, and that no line is too long."""
    lines = header_lines(mail.content)
    headers = dict(lines)
    assert [header for header, _value in lines] == NAMES
    assert displayed(headers["Subject"]) == subject
    assert mailbox(headers["From"]) == (name, "cave@example.org")
    assert not [line for line in mail.content.split(b"\r\n") if len(line) > (76 if b"=?" in line else 250)]
    parsed = _parse(mail)
    assert list(parsed) == NAMES
    assert not parsed.defects
    assert parsed.get_content().strip() == "Bonjour"
    assert [origin.addr_spec for origin in parsed["From"].addresses] == ["cave@example.org"]
    assert [_without_blanks(origin.display_name) for origin in parsed["From"].addresses] == [
        _without_blanks(name)
    ]
    assert str(parsed["Subject"]) == subject


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_is_shown_as_it_is(text: str) -> None:
    """As subject and as sender's name, nothing in it becomes a header, an address or an encoded word."""
    _check(_message(subject=text, name=text), subject=plain(text, 200), name=" ".join(text.split()))


_TEXTS = st.lists(
    st.sampled_from(["=?", "?=", "utf-8", "?q?", "?b?", "=0D=0A", "Bcc:", ",", "<", ">", "@", '"', "\\", "("])
    | st.text(max_size=8)
    | st.sampled_from("\r\n\t \x00\x1b\x7f\x85\u2028\u202e\ud800"),
    max_size=12,
).map("".join)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(_TEXTS)
def test_a_subject_is_displayed_as_it_was_given(text: str) -> None:
    """Only control characters and repeated blanks are changed, and no header is added or lost."""
    mail = _message(subject=text)
    lines = header_lines(mail.content)
    assert [header for header, _value in lines] == NAMES
    assert displayed(lines[0][1]) == " ".join(plain(text, 200).split()) == mail.subject
    assert list(_parse(mail)) == NAMES


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120) | _TEXTS)
def test_a_name_is_displayed_as_it_was_given(text: str) -> None:
    """The header has one mailbox with the sender's address, for any name, valid or not."""
    expected = " ".join(text.encode("utf-8", "replace").decode().split())
    octets = (mailbox_header("From", text, "cave@example.org") + "\n").replace("\n", "\r\n").encode()
    ((header, value),) = header_lines(octets)
    assert (header, mailbox(value)) == ("From", (expected, "cave@example.org"))
    (origin,) = message_from_bytes(octets, policy=default)["From"].addresses
    assert origin.addr_spec == "cave@example.org"


@pytest.mark.parametrize("text", ["Stock bas", "Cave - 2 bouteilles (Margaux), a boire!"])
def test_plain_text_stays_readable(text: str) -> None:
    """ASCII text is not encoded, because people and filters read the source of mails."""
    assert text_header("Subject", text) == f"Subject: {text}\n"
    assert mailbox_header("From", "Cave a Vin", "a@b.fr") == "From: Cave a Vin <a@b.fr>\n"


def test_a_name_that_looks_like_an_encoded_word_is_valid() -> None:
    """It is accepted, and displayed as it was typed."""
    check_sender(Sender(address="a@b.fr", name=FORGED))
    headers = dict(header_lines(_message(name=FORGED).content))
    assert mailbox(headers["From"]) == (FORGED, "cave@example.org")
