"""Each oddity that was seen in the wild, in one cellar of a hundred users: the others must not notice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cavecron.cellar.reader import recipients, reports
from cavecron.cellar.report import as_json
from tests.cellars import NOW, CellarFile, ago

PARIS = ZoneInfo("Europe/Paris")
USERS = 100

_WINE: Mapping[str, Mapping[str, Any]] = {
    "malformed JSON": {"attributes": '{"year": '},
    "empty JSON": {"attributes": ""},
    "JSON list": {"attributes": "[2015]"},
    "JSON number": {"attributes": "2015"},
    "JSON null": {"attributes": "null"},
    "Infinity": {"attributes": '{"year": Infinity, "apogee": -Infinity}'},
    "deep JSON": {"attributes": "[" * 20_000},
    "year 99999": {"attributes": {"year": 99999, "apogee": 99999}},
    "year of a thousand digits": {"attributes": '{"apogee": ' + "9" * 1000 + "}"},
    "region that is a list": {"attributes": {"region": ["x"]}, "created_at": ago(days=1)},
    "attributes that are a blob": {"attributes": b"\xff\xfe"},
    "NULL quantity": {"quantity": None},
    "text quantity": {"quantity": "beaucoup"},
    "infinite quantity": {"quantity": float("inf")},
    "huge quantity": {"quantity": 2**62},
    "unreadable date": {"created_at": "hier"},
    "date with Z": {"created_at": "2026-11-20T08:00:00Z"},
    "blank date": {"created_at": ""},
    "date that is a number": {"created_at": 7},
    "unknown subcategory": {"subcategory_id": 999},
    "unknown cellar": {"cellar": 999},
    "name that is not UTF-8": {"name": b"\xff\xfe"},
}
_NOTES = ("garde 5 à 5 ans", "garde 0 à 3 ans", "garde 9999 à 9999 ans", b"\xff garde", "")
_FLOORS = (-5, "x", 2**62, 0.5)
_ODDITIES = len(_WINE) + len(_NOTES) + len(_FLOORS)


def _fill(cellar: CellarFile) -> None:
    """Add a hundred users who each keep one good bottle."""
    for number in range(USERS):
        user = cellar.user(f"user{number}")
        cave = cellar.cellar(user, f"cave {number}")
        cellar.wine(user, cave, f"bonne {number}", quantity=6, attributes={"year": 2010, "apogee": 2025})


def _spoil(cellar: CellarFile) -> None:
    """Give each of the first users one oddity."""
    for user, columns in enumerate(_WINE.values(), start=1):
        cellar.wine(user, **{"cellar": user, "name": "odd", **columns})
    for user, note in enumerate(_NOTES, start=len(_WINE) + 1):
        cellar.insight(cellar.wine(user, user, attributes={"year": 2030}), note)
    for user, floors in enumerate(_FLOORS, start=len(_WINE) + len(_NOTES) + 1):
        cellar.cellar(user, "odd", floors=floors)


def _reports(cellar: CellarFile) -> list[dict[str, object]]:
    people = recipients(cellar.database).recipients
    return [as_json(report) for report in reports(cellar.database, people, at=NOW, zone=PARIS)]


def test_oddities_cost_nobody_else_anything(cellar: CellarFile, tmp_path: Path) -> None:
    """Whoever has no oddity gets to the letter the report of a cellar without any."""
    clean = CellarFile(tmp_path / "clean.db")
    _fill(clean)
    _fill(cellar)
    _spoil(cellar)
    found, wanted = _reports(cellar), _reports(clean)
    clean.close()
    assert len(found) == len(wanted) == USERS
    assert found[_ODDITIES:] == wanted[_ODDITIES:]


@pytest.mark.parametrize("number", range(_ODDITIES))
def test_an_oddity_costs_its_own_row_at_most(cellar: CellarFile, number: int) -> None:
    """The good bottle of the same user is told as it is."""
    _fill(cellar)
    _spoil(cellar)
    report = _reports(cellar)[number]
    wines = report["wines_to_drink"]
    assert isinstance(wines, list)
    assert [wine["name"] for wine in wines if wine["score"] == 85] == [f"bonne {number}"]
