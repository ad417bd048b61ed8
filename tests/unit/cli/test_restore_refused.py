"""`cavecron restore` of what is no backup: refused in one sentence, and nothing is changed."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.app_database import NOW, CellarFile
from tests.support.house import HOUR, House


@pytest.fixture
def house(cellar: CellarFile) -> House:
    """Return the house."""
    return House(cellar)


def foreign(house: House) -> Path:
    """Return a database of somebody else."""
    path = house.cellar.path.with_name("other.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    return path


def torn(house: House) -> Path:
    """Return a backup of which the end is missing."""
    path = house.backup(NOW - HOUR)
    os.truncate(path, path.stat().st_size // 2)
    return path


def raw(house: House) -> Path:
    """Return a raw copy of an open file, with its journal."""
    path = house.cellar.path.with_name("raw.db")
    path.write_bytes(house.cellar.path.read_bytes())
    path.with_name("raw.db-journal").write_bytes(b"journal")
    return path


def empty(house: House) -> Path:
    """Return an empty file."""
    path = house.cellar.path.with_name("empty.sqlite")
    path.touch()
    return path


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda house: house.cellar.path.with_name("none.sqlite"), "il n'existe pas"),
        (lambda house: house.cellar.path, "est la base elle-même"),
        (lambda house: house.cellar.path.parent, "n'est pas un fichier"),
        (empty, "est vide"),
        (foreign, "n'est pas une base de Cave à Vin"),
        (torn, "est abîmée"),
        (raw, "copie brute d'une base ouverte"),
        (lambda _house: Path(__file__), "n'est pas une base SQLite"),
    ],
    ids=["missing", "live", "folder", "empty", "foreign", "torn", "raw", "text"],
)
def test_what_is_no_backup_is_refused(house: House, source: Callable[[House], Path], words: str) -> None:
    """Exit code 2, one sentence, and the database is untouched."""
    path = source(house)
    before = house.cellar.path.read_bytes()
    result = house.restore(path, "--yes")
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert len(result.err.splitlines()) == 1
    assert house.cellar.path.read_bytes() == before
