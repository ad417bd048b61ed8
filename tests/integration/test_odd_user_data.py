"""Odd data of real databases in one with a hundred users: the other users' reports are not affected."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.support.app_database import CellarFile, ago
from tests.support.commands import Result
from tests.support.fake_smtp.dialogue import Mail
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.in_process import command

USERS = 100


class NotUtf8(bytes):
    """A text in Latin-1 that another program stored; SQLite does not check the encoding."""


sqlite3.register_adapter(NotUtf8, bytes)


_WINE: Mapping[str, Mapping[str, Any]] = {
    "malformed JSON": {"attributes": '{"year": '},
    "empty JSON": {"attributes": ""},
    "JSON list": {"attributes": "[2015]"},
    "JSON number": {"attributes": "2015"},
    "JSON null": {"attributes": "null"},
    "Infinity": {"attributes": '{"year": Infinity, "apogee": -Infinity}'},
    "NaN": {"attributes": '{"year": NaN, "apogee": NaN}'},
    "deep JSON": {"attributes": "[" * 20_000},
    "year 99999": {"attributes": {"year": 99999, "apogee": 99999}},
    "year of a thousand digits": {"attributes": '{"apogee": ' + "9" * 1000 + "}"},
    "year of ten thousand digits": {"attributes": '{"apogee": "' + "9" * 10_000 + '"}'},
    "fractional year": {"attributes": {"year": "2015.0", "apogee": "NV"}},
    "region that is a list": {"attributes": {"region": ["x"]}, "created_at": ago(days=1)},
    "attributes that are a blob": {"attributes": b"\xff\xfe"},
    "NULL quantity": {"quantity": None},
    "fractional quantity": {"quantity": 1.5},
    "negative quantity": {"quantity": -3},
    "text quantity": {"quantity": "beaucoup"},
    "infinite quantity": {"quantity": float("inf")},
    "huge quantity": {"quantity": 2**62},
    "unreadable date": {"created_at": "hier"},
    "date with Z": {"created_at": "2026-11-20T08:00:00Z"},
    "blank date": {"created_at": ""},
    "date that is a number": {"created_at": 7},
    "date of the year 0": {"created_at": "0000-00-00 00:00:00"},
    "unknown subcategory": {"subcategory_id": 999},
    "unknown cellar": {"cellar": 999},
    "name that is a blob": {"name": b"\xff\xfe"},
    "name that is not UTF-8": {"name": NotUtf8(b"Ch\xe2teau Margaux")},
    "name with a lone surrogate": {"name": NotUtf8(b"\xed\xa0\xbc")},
    "attributes that are not UTF-8": {"attributes": NotUtf8(b'{"region": "C\xf4te"}')},
    "date that is not UTF-8": {"created_at": NotUtf8(b"2026-11-20 \xff")},
    "name with HTML": {"name": "<script>alert(1)</script>"},
}
_NOTES = {
    "window 5 à 5": "garde 5 à 5 ans",
    "window 0 à 3": "garde 0 à 3 ans",
    "window 9999 à 9999": "garde 9999 à 9999 ans",
    "window 0 à 0": "garde 0 à 0 ans",
    "note that is a blob": b"\xff garde",
    "note that is not UTF-8": NotUtf8(b"\xc0 garder"),
    "blank note": "",
}
_FLOORS = {"negative floors": -5, "text floors": "x", "huge floors": 2**62, "half a floor": 0.5}
_ADDRESSES = {
    "spaces around": "  padded@example.org ",
    "accent": "hélène@example.org",
    "space inside": "marie dupont@example.org",
    "line break": "a@example.org\r\nBcc: b@example.org",
    "two addresses": "a@example.org, b@example.org",
    "no address": "marie",
    "a blob": b"\xff@example.org",
    "not UTF-8": NotUtf8(b"ren\xe9@example.org"),
}
_DELIVERED = ("spaces around", "accent")
ODDITIES = [*_WINE, *_NOTES, *_FLOORS, *_ADDRESSES]
_ADDRESSED = len(ODDITIES) - len(_ADDRESSES)


def _fill(cellar: CellarFile) -> None:
    """Add a hundred users with one bottle each."""
    for number in range(USERS):
        user = cellar.user(f"user{number}")
        cave = cellar.cellar(user, f"cave {number}")
        cellar.wine(user, cave, f"bonne {number}", quantity=6, attributes={"year": 2010, "apogee": 2025})


def _spoil(cellar: CellarFile) -> None:
    """Add one oddity to each of the first users."""
    users = iter(range(1, USERS + 1))
    for user, columns in zip(users, _WINE.values(), strict=False):
        cellar.wine(user, **{"cellar": user, "name": "odd", **columns})
    for user, note in zip(range(len(_WINE) + 1, USERS), _NOTES.values(), strict=False):
        cellar.insight(cellar.wine(user, user, attributes={"year": 2030}), note)
    for user, floors in zip(range(len(_WINE) + len(_NOTES) + 1, USERS), _FLOORS.values(), strict=False):
        cellar.cellar(user, "odd", floors=floors)
    for user, address in zip(range(_ADDRESSED + 1, USERS), _ADDRESSES.values(), strict=False):
        cellar.execute('UPDATE "user" SET email = ? WHERE id = ?', (address, user))
    for table, column, stored in _not_utf8():
        cellar.execute(f"UPDATE {table} SET {column} = CAST({column} AS TEXT) WHERE {column} = ?", (stored,))


def _not_utf8() -> Iterator[tuple[str, str, NotUtf8]]:
    """Yield the places of texts that are not UTF-8, which cannot be written as bound values."""
    for columns in _WINE.values():
        for column, stored in columns.items():
            if isinstance(stored, NotUtf8):
                yield "wine", {"attributes": "extra_attributes"}.get(column, column), stored
    yield from (("wine_insight", "content", note) for note in _NOTES.values() if isinstance(note, NotUtf8))
    yield from (('"user"', "email", item) for item in _ADDRESSES.values() if isinstance(item, NotUtf8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results for all users: the lines of `preview`, the run, its mails and its log."""

    reports: list[dict[str, Any]]
    run: Result
    mails: list[Mail]
    log: list[tuple[object, ...]]


def _results(path: Path, *, spoilt: bool) -> Results:
    cellar = CellarFile(path)
    _fill(cellar)
    if spoilt:
        _spoil(cellar)
    url = f"sqlite:///{path}"
    preview = command("preview", "--all", "--json", "--at", "2026-11-23T07:00:00Z", DATABASE_URL=url)
    assert (preview.code, preview.err) == (0, "")
    with FakeSmtpServer() as server:
        cellar.smtp(server.port)
        run = command("run", "weekly_reports", "--json", DATABASE_URL=url)
    log = cellar.rows("SELECT recipient_user_id, status, error_message FROM email_log ORDER BY 1")
    cellar.close()
    lines = [json.loads(line) for line in preview.out.splitlines()]
    return Results(reports=lines, run=run, mails=server.accepted, log=log)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return the results without oddities."""
    return _results(tmp_path_factory.mktemp("clean") / "wine.db", spoilt=False)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return the results with an oddity for each of the first users."""
    return _results(tmp_path_factory.mktemp("odd") / "wine.db", spoilt=True)


def _words(mail: Mail) -> list[list[str]]:
    """Return the words of both parts of a mail, without the time at which they were made."""
    message = message_from_bytes(mail.content, policy=default)
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    texts = [unescape(part.get_content()) for part in parts if part]
    assert len(texts) == 2
    return [text.partition("Rapport généré")[0].split() for text in texts]


def test_oddities_change_no_other_report(clean: Results, odd: Results) -> None:
    """Users without an oddity have exactly the same report as in a database without oddities."""
    assert len(odd.reports) == len(clean.reports) == USERS
    assert odd.reports[len(ODDITIES) :] == clean.reports[len(ODDITIES) :]


def test_oddities_change_no_other_mail(clean: Results, odd: Results) -> None:
    """In a real run over a real server, each user without an oddity gets one mail, the right one."""
    expected = {mail.recipient: mail for mail in clean.mails}
    mails = {mail.recipient: mail for mail in odd.mails}
    assert len(clean.mails) == len(expected) == USERS
    assert len(odd.mails) == len(mails) == USERS - len(_ADDRESSES) + len(_DELIVERED)
    for number in range(len(ODDITIES), USERS):
        address = f"user{number}@example.org"
        assert _words(mails[address]) == _words(expected[address])


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_oddity_affects_its_own_row_only(odd: Results, oddity: str) -> None:
    """The other bottle of the same user is in the report unchanged."""
    number = ODDITIES.index(oddity)
    wines = odd.reports[number]["wines_to_drink"]
    assert [wine["name"] for wine in wines if wine["score"] == 85] == [f"bonne {number}"]


@pytest.mark.parametrize("oddity", [name for name in _ADDRESSES if name not in _DELIVERED])
def test_an_unusable_address_is_a_failure_of_its_user(odd: Results, oddity: str) -> None:
    """The mail is recorded as failed with the reason, and the address is in no header."""
    user = ODDITIES.index(oddity) + 1
    (outcome,) = [item for item in json.loads(odd.run.out)["recipients"] if item["id"] == user]
    assert outcome["status"] == "failed"
    assert "une seule adresse de la forme nom@domaine est attendue" in outcome["reason"]
    assert odd.log[user - 1] == (user, "failed", outcome["reason"])
    assert not [mail for mail in odd.mails if b"Bcc" in mail.content]


def test_the_records_agree_with_the_sent_mails(clean: Results, odd: Results) -> None:
    """`email_log`, the JSON output and the exit code agree with the mails that were sent."""
    assert (clean.run.code, odd.run.code) == (0, 1)
    assert [(user, status) for user, status, _error in clean.log] == [(n + 1, "sent") for n in range(USERS)]
    refused = {ODDITIES.index(name) + 1 for name in _ADDRESSES if name not in _DELIVERED}
    assert [(user, status) for user, status, _error in odd.log] == [
        (user, "failed" if user in refused else "sent") for user in range(1, USERS + 1)
    ]
    output = json.loads(odd.run.out)
    assert (output["ok"], output["sent"], output["failed"]) == (False, USERS - len(refused), len(refused))
    assert "Traceback" not in odd.run.err
