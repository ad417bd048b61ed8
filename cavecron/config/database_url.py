"""`DATABASE_URL` as SQLAlchemy reads it: the file that it names, and what an error may show of it. Pure."""

import re
from pathlib import Path

from cavecron.config.parsing import InvalidValueError, visible

_WANTED = "sqlite:////data/wine.db (quatre barres : chemin absolu) ou sqlite:///wine.db (relatif)"
#: With SQLAlchemy's default driver, named or not.
_SCHEMES = ("sqlite", "sqlite+pysqlite")
#: A URL, perhaps in quotes: opening quotes, scheme, authority and path, query, closing quotes.
_QUOTED_URL = re.compile(r"""(["'«“‘ ]{0,2})([\w+.-]{1,40})://(/?[^?"'»”’]*)(\?.*?)?(["'»”’ ]{0,2})""")


def database_path(text: str) -> Path:
    """Return the path of the SQLite file as it is written; it can be relative, and have percent escapes.

    Raises:
        InvalidValueError: it is not the URL of a SQLite file.

    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise InvalidValueError(f"Cave à Vin garde sa cave dans SQLite ; {_WANTED} est attendu")
    authority, slash, path = rest.partition("?")[0].partition("/")
    if authority:
        raise InvalidValueError(f"SQLite n'a pas de serveur ; {_WANTED} est attendu")
    if not slash or path in ("", ":memory:") or path.startswith("file:") or "\0" in path or "%00" in path:
        raise InvalidValueError("le chemin d'un fichier est attendu, comme sqlite:////data/wine.db")
    return Path(path)


def display_url(text: str) -> str:
    """Return what an error may show: the scheme and the path of a file, never a password or a query."""
    if re.match(r"/[^@]*$", text):
        return visible(text)  # a bare path
    url = _QUOTED_URL.fullmatch(text)
    if not url:
        return ""
    opening, scheme, path, query, closing = url.groups("")
    plain = scheme in _SCHEMES and path.startswith("/")
    rest = f"{path}{'?…' if query else ''}" if plain else "…"
    return visible(f"{opening}{scheme}://{rest}{closing}")
