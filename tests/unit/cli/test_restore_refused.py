"""`cavecron restore` refuses a file that is no backup, in one sentence, and changes nothing."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.app_database import NOW, CellarFile
from tests.support.app_installation import HOUR, AppInstallation


@pytest.fixture
def app(cellar: CellarFile) -> AppInstallation:
    """Return a database with two users who get reports."""
    return AppInstallation(cellar)


def other_database(app: AppInstallation) -> Path:
    """Return a SQLite database that is not the application's."""
    path = app.cellar.path.with_name("other.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    return path


def truncated_backup(app: AppInstallation) -> Path:
    """Return a backup that lacks its second half."""
    path = app.backup(NOW - HOUR)
    os.truncate(path, path.stat().st_size // 2)
    return path


def raw_copy(app: AppInstallation) -> Path:
    """Return a byte-by-byte copy of an open database, with a journal beside it."""
    path = app.cellar.path.with_name("raw.db")
    path.write_bytes(app.cellar.path.read_bytes())
    path.with_name("raw.db-journal").write_bytes(b"journal")
    return path


def empty_file(app: AppInstallation) -> Path:
    """Return an empty file."""
    path = app.cellar.path.with_name("empty.sqlite")
    path.touch()
    return path


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda app: app.cellar.path.with_name("none.sqlite"), "il n'existe pas"),
        (lambda app: app.cellar.path, "est la base elle-même"),
        (lambda app: app.cellar.path.parent, "n'est pas un fichier"),
        (empty_file, "est vide"),
        (other_database, "n'est pas une base de Cave à Vin"),
        (truncated_backup, "est abîmée"),
        (raw_copy, "copie brute d'une base ouverte"),
        (lambda _house: Path(__file__), "n'est pas une base SQLite"),
    ],
    ids=["missing", "live", "folder", "empty", "foreign", "torn", "raw", "text"],
)
def test_a_file_that_is_no_backup_is_refused(
    app: AppInstallation, source: Callable[[AppInstallation], Path], words: str
) -> None:
    """The exit code is 2, one sentence says why, and the database is unchanged."""
    path = source(app)
    before = app.cellar.path.read_bytes()
    result = app.restore(path, "--yes")
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert len(result.err.splitlines()) == 1
    assert app.cellar.path.read_bytes() == before
