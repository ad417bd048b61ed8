"""The mail of one report: its headers, its size, and that both parts tell the same facts."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from zoneinfo import ZoneInfo

import pytest

from cavecron.cellar.report import (
    Activity,
    Cellar,
    Movement,
    Recipient,
    Statistics,
    WeeklyReport,
    WineToDrink,
)
from cavecron.errors import CavecronError
from cavecron.mail.html import html_part
from cavecron.mail.message import SUBJECT, Sender, check_address, compose, message_id
from cavecron.mail.text import text_part

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
NOTE = "À boire maintenant ou à garder 3 à 5 ans dans une cave fraîche, loin de la lumière. " * 3


def a_report(
    *, email: str = "marie@example.org", name: str = "Château Margaux", moves: int = 3
) -> WeeklyReport:
    """Make the report of a household with three cellars and ten bottles to drink."""
    names = ("Cave du salon", "Garage", "Vide")
    rates = (62.5, 113.3, 0.0)
    movements = tuple(
        Movement(
            name=name,
            vintage=2015,
            region="Bordeaux",
            quantity=2,
            cellar="Garage",
            at=NOW - timedelta(hours=i),
        )
        for i in range(moves)
    )
    wines = tuple(
        WineToDrink(
            id=i,
            name=f"{name} n° {i}",
            vintage=2012,
            peak=2020,
            score=95 - i,
            urgency="urgent",
            quantity=1,
            cellar="Garage",
            subcategory="Rouge",
            note=NOTE,
        )
        for i in range(10)
    )
    cellars = tuple(
        Cellar(name=cellar, bottles=50, capacity=80 if rate else -4, fill_rate=rate)
        for cellar, rate in zip(names, rates, strict=True)
    )
    return WeeklyReport(
        user=Recipient(id=1, username="marie", email=email),
        start=NOW - timedelta(days=7),
        end=NOW,
        statistics=Statistics(bottles=100, references=31, cellars=cellars),
        activity=Activity(entries=movements, exits=movements),
        wines=wines,
        wines_total=17,
    )


def composed(report: WeeklyReport, sender: Sender | None = None) -> EmailMessage:
    """Compose a mail at a fixed instant."""
    origin = sender or Sender(address="cave@example.org", name="Cave à Vin, maison")
    identity = message_id("weekly_reports/2026-11-23", 1, "example.org")
    return compose(report, zone=PARIS, generated=NOW, sender=origin, message_id=identity)


def test_headers_survive_the_round_trip() -> None:
    """What a mail program parses is what was meant."""
    parsed = message_from_bytes(bytes(composed(a_report())), policy=default)
    assert parsed["Subject"] == SUBJECT
    assert parsed["From"].addresses[0].display_name == "Cave à Vin, maison"
    assert parsed["To"] == "marie@example.org"
    assert parsed["Date"].datetime == NOW
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["X-Auto-Response-Suppress"] == "All"
    assert parsed["Content-Language"] == "fr"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]


def test_the_same_run_and_user_get_the_same_message_id() -> None:
    """A repetition can be known as one, and nothing else can be taken for it."""
    assert message_id("a", 1, "example.org") == message_id("a", 1, "example.org")
    assert len({message_id(key, user, "example.org") for key in "ab" for user in (1, 2)}) == 4
    assert message_id("a", 1, "x>\r\nBcc: b@c").endswith("@cavecron.invalid>")


@pytest.mark.parametrize(
    ("name", "moves"), [("Château Margaux", 5), ("x" * 5000, 500)], ids=["usual", "huge"]
)
def test_lines_and_mail_stay_small(name: str, moves: int) -> None:
    """No server refuses a line, and five hundred movements make no gigantic mail."""
    message = bytes(composed(a_report(name=name, moves=moves)))
    assert max(map(len, message.splitlines())) <= 998
    assert len(message) < (20_000 if moves == 5 else 80_000)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "marie",
        "@example.org",
        "a@",
        "a@b@c",
        "a b@c.fr",
        "a@c.fr, d@e.fr",
        "a@c.fr;d@e.fr",
        "a@c.fr\nBcc: d@e.fr",
        "a@c.fr\r\n",
        "<a@c.fr>",
        "a@c\x00.fr",
        "a@c\u2028.fr",
        "a@\ud800.fr",
        "a" * 300 + "@c.fr",
        "a..b@c.fr",
    ],
)
def test_a_hostile_address_is_never_a_header(address: str) -> None:
    """It fails for the recipient, and as a sender too."""
    with pytest.raises(CavecronError, match="une seule adresse"):
        composed(a_report(email=address))
    with pytest.raises(CavecronError, match="une seule adresse"):
        composed(a_report(), Sender(address=address))


@pytest.mark.parametrize("address", ["marie@example.org", "rené@exämple.fr", "a.b+c@d-e.co", "o'neil@c.fr"])
def test_an_ordinary_address_is_accepted(address: str) -> None:
    """Accents too: whether the server can take them is for the transport to say."""
    assert check_address(f" {address} ") == address
    parsed = message_from_bytes(bytes(composed(a_report(email=address))), policy=default)
    # The parser keeps the octets of an internationalised header (RFC 6532) as surrogates.
    assert parsed["To"].addresses[0].addr_spec.encode("utf-8", "surrogateescape").decode() == address


def test_a_line_break_in_the_sender_name_is_refused() -> None:
    """It would be a header of its own."""
    with pytest.raises(CavecronError, match="Nom d’expéditeur"):
        composed(a_report(), Sender(address="a@b.fr", name="Cave\r\nBcc: d@e.fr"))


@pytest.mark.parametrize(
    "fact",
    [
        "Bonjour marie,",
        "Du lundi 16 novembre 2026 au lundi 23 novembre 2026",
        "100 bouteilles · 31 références",
        "62,5\u00a0%",
        "113,3\u00a0%",
        "capacité inconnue",
        "50 bouteilles entrées · 50 bouteilles sorties · solde\u00a00",
        "et 5 autres mouvements",
        "Château Margaux n° 4 2012",
        "Urgent · 95/100",
        "et 12 autres vins",
        "Rapport généré le lundi 23 novembre 2026 à 08:00 (Europe/Paris).",
    ],
)
def test_both_parts_tell_the_fact(fact: str) -> None:
    """Nobody learns less for reading the text part."""
    report = a_report(moves=25)
    assert fact in text_part(report, PARIS, NOW)
    assert fact in html_part(report, PARIS, NOW)
