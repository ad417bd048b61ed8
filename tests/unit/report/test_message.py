"""The mail of one report: its headers, its parts, and invalid addresses."""

from dataclasses import replace
from email.message import Message

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavecron.errors import CavecronError
from cavecron.mail.message import Sender, check_address, message_id, trial_message
from cavecron.report.html import html_part
from cavecron.report.message import SUBJECT, fitting_page
from cavecron.report.model import UrgencyCounts, WeeklyReport
from cavecron.report.text import text_part
from tests.support.parsed_message import content, parsed_message
from tests.support.report_factories import (
    NOW,
    PARIS,
    a_report,
    a_wine,
    an_empty_report,
    any_report,
    composed,
    html_of,
    text_of,
)

#: Servers refuse messages with longer lines (RFC 5322, 2.1.1).
LONGEST_LINE = 998


def test_headers_survive_the_round_trip() -> None:
    """A mail program reads exactly the values that were given."""
    parsed = parsed_message(composed(a_report()))
    assert parsed["Subject"] == SUBJECT
    assert [str(origin) for origin in parsed["From"].addresses] == ['"Cave à Vin, maison" <cave@example.org>']
    assert parsed["To"] == "marie@example.org"
    assert parsed["Date"].datetime == NOW
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["X-Auto-Response-Suppress"] == "All"
    assert parsed["Content-Language"] == "fr"
    assert parsed["MIME-Version"] == "1.0"
    assert parsed["Message-ID"] == message_id("weekly_reports/2026-11-23", 1, "example.org")


def test_every_header_is_there_once() -> None:
    """Servers refuse a message with a second From or To."""
    names = [name.lower() for name in parsed_message(composed(a_report()))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("moves", [0, 3, 500], ids=["quiet", "usual", "huge"])
def test_both_parts_arrive_as_they_were_rendered(moves: int) -> None:
    """HTML comes last, because a mail program shows the last part that it knows (RFC 2046, 5.1.4)."""
    report = a_report(moves=moves)
    text, page = parsed_message(composed(report)).iter_parts()
    assert [text.get_content_type(), page.get_content_type()] == ["text/plain", "text/html"]
    layout = fitting_page(report, PARIS, NOW)
    assert content(text) == text_part(layout)
    assert content(page) == html_part(layout).encode("ascii", "xmlcharrefreplace").decode()


def test_the_same_run_and_user_get_the_same_message_id() -> None:
    """A repeated mail is recognised by it, so different runs and users have different ones."""
    assert message_id("a", 1, "example.org") == message_id("a", 1, "example.org")
    assert len({message_id(key, user, "example.org") for key in "ab" for user in (1, 2)}) == 4


@pytest.mark.parametrize("domain", ["x>\r\nBcc: b@c", "exämple.fr", "", "a b.fr"])
def test_a_domain_that_a_message_id_cannot_contain_is_left_out(domain: str) -> None:
    """The Message-ID is ASCII and valid, whatever the sender's address is."""
    assert message_id("a", 1, domain).endswith("@cavecron.invalid>")
    assert message_id("a", 1, domain).isascii()


def test_the_same_report_is_the_same_message() -> None:
    """The bytes are the same, because the boundary of the parts is derived from the Message-ID."""
    assert bytes(composed(a_report())) == bytes(composed(a_report()))


def test_text_of_a_user_never_divides_the_parts() -> None:
    """A user who has seen a mail can predict the boundary of the next one, so it is broken in texts."""
    boundary = parsed_message(composed(a_report())).get_boundary()
    wine = a_wine(note=f"--{boundary}--")
    report = replace(a_report(), wines=(wine,), urgencies=UrgencyCounts(urgent=1))
    page = html_of(report)
    assert f"--{boundary}--" in page.replace("\u200b", "")
    assert str(boundary) not in page
    assert [content(part) for part in parsed_message(composed(report)).iter_parts()] == [
        text_of(report),
        page.encode("ascii", "xmlcharrefreplace").decode(),
    ]


@settings(derandomize=True)
@given(any_report())
def test_no_line_is_longer_than_servers_take(report: WeeklyReport) -> None:
    """For any text of users; the whole message is ASCII, which needs no SMTP extension."""
    message = bytes(composed(report))
    assert max(map(len, message.split(b"\r\n"))) <= LONGEST_LINE
    assert message.isascii()
    assert b"\n" not in message.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "name",
    ["é" * 120, "\U0001f377" * 120, "a" * 5000, "\U0001f377 " * 60],
    ids=["accents", "bottles", "long", "blanks"],
)
def test_no_line_is_too_long_for_names_without_blanks(name: str) -> None:
    """One character can take nine bytes in the HTML part, which is ASCII."""
    report = replace(a_report(name=name), user=replace(a_report().user, username=name))
    lines = bytes(composed(report, Sender(address=f"{'a' * 60}@example.org", name=name[:200]))).split(b"\r\n")
    assert max(map(len, lines)) <= LONGEST_LINE


HOSTILE = {
    "blank": "",
    "no at": "marie",
    "no local part": "@example.org",
    "no domain": "a@",
    "two @": "a@b@c",
    "space": "a b@c.fr",
    "comma": "a@c.fr, d@e.fr",
    "semicolon": "a@c.fr;d@e.fr",
    "line feed": "a@c.fr\nBcc: d@e.fr",
    "line end": "a@c.fr\r\n",
    "angle brackets": "<a@c.fr>",
    "name": "Marie <a@c.fr>",
    "group": "amis:a@c.fr,d@e.fr;",
    "comment": "a@c.fr(Bcc)",
    "quoted": '"a@b"@c.fr',
    "NUL": "a@c\x00.fr",
    "line separator": "a@c\u2028.fr",
    "no-break space": "a\u00a0b@c.fr",
    "surrogate": "a@\ud800.fr",
    "too long": "a" * 300 + "@c.fr",
    "empty atom": "a..b@c.fr",
    "encoded word": "=?utf-8?q?b?=@c.fr",
    "encoded line end": "=?utf-8?q?b=0D=0ABcc:_d@e.fr?=@c.fr",
}


@pytest.mark.parametrize("address", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_address_is_never_a_header(address: str) -> None:
    """It is refused, both as recipient and as sender."""
    with pytest.raises(CavecronError, match="une seule adresse"):
        composed(a_report(email=address))
    with pytest.raises(CavecronError, match="une seule adresse"):
        composed(a_report(), Sender(address=address))


_LETTERS = st.text(
    st.sampled_from("ab.=?_@,<>()[]\\\"' \t\r\n:;é\u00a0\u200b%!#+/\x1f\u2028İß字"), max_size=12
)


@settings(derandomize=True, deadline=None, max_examples=4 * settings().max_examples)
@given(_LETTERS | st.builds("{}@{}".format, _LETTERS, _LETTERS))
def test_an_address_is_refused_or_arrives_as_it_is(address: str) -> None:
    """An address that is accepted is exactly what a mail program reads in To."""
    try:
        accepted = check_address(address)
    except CavecronError:
        return
    assert [
        _addr_spec(parsed) for parsed in parsed_message(composed(report_to(address)))["To"].addresses
    ] == [accepted]


def report_to(address: str) -> WeeklyReport:
    """Return a small report for this address."""
    report = an_empty_report()
    return replace(report, user=replace(report.user, email=address))


def _addr_spec(parsed: object) -> str:
    # The parser stores the bytes of an internationalised header (RFC 6532) as surrogates.
    return str(parsed.addr_spec).encode("utf-8", "surrogateescape").decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", ["marie@example.org", "rené@exämple.fr", "a.b+c@d-e.co", "o'neil@c.fr"])
def test_an_ordinary_address_is_accepted(address: str) -> None:
    """Accents are accepted too, because only the server knows whether it allows them."""
    assert check_address(f" {address} ") == address
    parsed = parsed_message(composed(a_report(email=address)))
    assert _addr_spec(parsed["To"].addresses[0]) == address


def test_a_line_break_in_the_sender_name_is_refused() -> None:
    """Otherwise the rest of the name would become another header."""
    with pytest.raises(CavecronError, match="Nom d'expéditeur"):
        composed(a_report(), Sender(address="a@b.fr", name="Cave\r\nBcc: d@e.fr"))


@pytest.mark.parametrize(
    "name", ["", "Cave", 'Cave "du" fond, à gauche <a@b>', "Été à la cave " * 7 + "!", "x" * 200]
)
def test_the_sender_is_read_with_its_name_and_address(name: str) -> None:
    """For any name that an administrator enters, From has one mailbox with the sender's address."""
    (origin,) = parsed_message(composed(a_report(), Sender(address="a@b.fr", name=name)))["From"].addresses
    assert (origin.display_name, origin.addr_spec) == (name, "a@b.fr")


def test_the_trial_message_has_the_headers_of_a_report() -> None:
    """`check --send-to` shows whether mails like the reports arrive; its body is one text part."""
    message = trial_message("marie@example.org", Sender(address="a@b.fr", name="Cave"), NOW)
    parsed = parsed_message(message)
    report: Message = parsed_message(composed(a_report()))
    assert set(report.keys()) - {"Content-Type", "List-Unsubscribe"} <= set(parsed.keys())
    assert "Bonjour" in parsed.get_content()
