"""`DATABASE_URL` as SQLAlchemy reads it, and what an error shows of it."""

from pathlib import Path

import pytest

from cavecron.config.database_url import database_path, display_url
from cavecron.config.parsing import InvalidValueError


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////data/wine.db", "/data/wine.db"),
        ("sqlite+pysqlite:////data/wine.db", "/data/wine.db"),
        ("sqlite+pysqlite:///wine.db", "wine.db"),
        ("sqlite:////data/wine.db?timeout=15", "/data/wine.db"),
        ("sqlite:///a@b.db", "a@b.db"),
        ("sqlite:////data/50%.db", "/data/50%.db"),
        ("sqlite:////data/ma%20cave.db", "/data/ma%20cave.db"),
    ],
)
def test_a_file_is_named(url: str, path: str) -> None:
    """Percent escapes are not decoded, because that depends on the application's version of SQLAlchemy."""
    assert database_path(url) == Path(path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite+aiosqlite:////data/wine.db", "SQLite ; sqlite:////data/wine.db"),
        ("SQLite:////data/wine.db", "SQLite ; sqlite:////data/wine.db"),
        ("sqlite:/data/wine.db", "SQLite ; sqlite:////data/wine.db"),
        ("sqlite://data/wine.db", "SQLite n'a pas de serveur"),
        ("sqlite://u:p@host/wine.db", "SQLite n'a pas de serveur"),
        ("sqlite://", "le chemin d'un fichier"),
        ("sqlite:///", "le chemin d'un fichier"),
        ("sqlite:///?timeout=5", "le chemin d'un fichier"),
        ("sqlite:///:memory:", "le chemin d'un fichier"),
        ("sqlite:///file:/data/wine.db?uri=true", "le chemin d'un fichier"),
        ("sqlite:////data/a%00b", "le chemin d'un fichier"),
    ],
)
def test_a_url_without_a_file_is_refused(url: str, message: str) -> None:
    """SQLAlchemy refuses two slashes too, because they begin the name of a server."""
    with pytest.raises(InvalidValueError, match=message):
        database_path(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////data/wine.db", "='sqlite:////data/wine.db'"),
        ("sqlite:////data/wine.db?key=hunter2", "='sqlite:////data/wine.db?…'"),
        ("sqlite://u:hunter2@host/wine.db", "='sqlite://…'"),
        ("sqlite+pysqlcipher://:hunter2@/wine.db", "='sqlite+pysqlcipher://…'"),
        ("postgresql://u:hunter2@h/db?password=hunter2", "='postgresql://…'"),
        ("'mysql://u:hunter2@h/db'", "=\"'mysql://…'\""),
        ("mysql://u:hunter2'@h/db", ""),
        ("mysql://u:p@h/?a=hunter2'x!!", "='mysql://…'"),
        ("/data/wine.db", "='/data/wine.db'"),
        ("/u:hunter2@h/db", ""),
        ("postgresql:u:hunter2@h", ""),
        ("hunter2", ""),
    ],
)
def test_no_password_is_shown(url: str, expected: str) -> None:
    """Only the scheme is shown, or the whole value if it can only be a path."""
    assert display_url(url) == expected
