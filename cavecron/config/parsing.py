"""Reading typed values from the environment: each is parsed, or told with what is wanted instead.

Pure: it takes a mapping of strings and a function that reads a file. It knows no variable by name, save
that the values of some are secrets.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cavecron.errors import reason

_T = TypeVar("_T")

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class WrongValueError(Exception):
    """One value is wrong; the text says what is wanted instead."""


class Variables:
    """Reads values one by one and keeps what is wrong with them in `problems`.

    A blank value counts as not set, as compose files write it. Values of `secrets` are never shown.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        read_file: Callable[[str], str],
        *,
        secrets: Collection[str] = (),
    ) -> None:
        self._environ = environ
        self._read_file = read_file
        self._secrets = secrets
        self.problems: list[str] = []

    def value(self, name: str, default: str, parse: Callable[[str], _T]) -> _T:
        """Return the parsed value of `name`; where it is wrong, note why and go on with the default."""
        text = self.text(name) or default
        try:
            return parse(text)
        except WrongValueError as problem:
            self.refuse(name, text, str(problem))
        return parse(default)

    def refuse(self, name: str, text: str, why: str) -> None:
        """Note that the value `text` of `name` is wrong."""
        shown = "" if name in self._secrets else f"={text[:200]!r}"
        self.problems.append(f"{name}{shown} : {why}")

    def has(self, name: str) -> bool:
        """Return whether `name` is set, directly or by a file."""
        return bool((self._environ.get(name, "") + self._environ.get(f"{name}_FILE", "")).strip())

    def text(self, name: str) -> str:
        """Return the value of `name`, or what the file that `name`_FILE names holds; '' where neither is."""
        text = self._environ.get(name, "").strip()
        path = self._environ.get(f"{name}_FILE", "").strip()
        if not path:
            return text
        if text:
            self.problems.append(f"{name} et {name}_FILE sont définies toutes les deux : n'en garder qu'une")
            return ""
        try:
            return self._read_file(path).strip()
        except OSError as error:
            self.problems.append(
                f"{name}_FILE={path!r} : fichier illisible ({reason(error)}) ; le secret est-il monté ?"
            )
        except ValueError:
            self.problems.append(f"{name}_FILE={path!r} : un fichier de texte UTF-8 est attendu")
        return ""


def boolean(text: str) -> bool:
    """Return what 1/0, true/false, yes/no or on/off says."""
    if text.lower() not in _BOOLEANS:
        raise WrongValueError("1 ou 0 est attendu (ou true/false, yes/no, on/off)")
    return _BOOLEANS[text.lower()]


def whole_number(text: str, unit: str, *, least: int = 1, most: int) -> int:
    """Return a number of `unit` (French, plural) from `least` to `most`."""
    number = number_within(text, least, most)
    if number is None:
        raise WrongValueError(f"un nombre entier de {unit}, de {least} à {most}, est attendu")
    return number


def hour(text: str) -> int:
    """Return an hour of the day."""
    number = number_within(text, 0, 23)
    if number is None:
        raise WrongValueError("une heure de 0 à 23 est attendue")
    return number


def minute(text: str) -> int:
    """Return a minute of the hour."""
    number = number_within(text, 0, 59)
    if number is None:
        raise WrongValueError("une minute de 0 à 59 est attendue")
    return number


def number_within(text: str, least: int, most: int) -> int | None:
    """Return the number that `text` writes in ASCII digits, None where it is none from `least` to `most`."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        return None
    return int(text) if least <= int(text) <= most else None


def days(text: str) -> str:
    """Return a day, a list (`mon,thu`) or a range (`mon-fri`) of days, or `*`, as cron's fifth field."""
    if text == "*":
        return text
    chosen: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.strip().partition("-")
        start, end = _day(first), _day(last if dash else first)
        chosen.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return "*" if len(chosen) == 7 else ",".join(DAYS[number] for number in sorted(chosen))


def _day(text: str) -> int:
    name = text.strip()
    if name in DAYS:
        return DAYS.index(name)
    if name.isdecimal():
        raise WrongValueError(
            "un jour par son nom (mon, tue, wed, thu, fri, sat, sun) est attendu : le nombre 0 est lundi pour"
            " APScheduler et dimanche pour cron"
        )
    nearest = [day for day in DAYS if name[:3] == day or name[:2] == day[:2]]
    hint = f" (vouliez-vous dire {nearest[0]!r} ?)" if nearest else ""
    raise WrongValueError(f"un jour parmi {', '.join(DAYS)} est attendu{hint}")


def zone(text: str) -> ZoneInfo:
    """Return an IANA zone; TZ may carry the colon that POSIX allows."""
    try:
        return ZoneInfo(text.removeprefix(":"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongValueError("un fuseau IANA est attendu, comme Europe/Paris ou America/Montreal") from None


def database(text: str) -> Path:
    """Return the path of an SQLite file, named as SQLAlchemy does."""
    scheme, separator, path = text.partition("://")
    if not separator or scheme != "sqlite":
        wanted = "sqlite:////data/wine.db (quatre barres : chemin absolu) ou sqlite:///wine.db (relatif)"
        raise WrongValueError(f"Cave à Vin garde sa cave dans SQLite ; {wanted} est attendu")
    path = path.removeprefix("/").partition("?")[0]
    if not path or path == ":memory:" or "\0" in path:
        raise WrongValueError("le chemin d'un fichier est attendu, comme sqlite:////data/wine.db")
    return Path(path)


def names(text: str) -> tuple[str, ...]:
    """Return the comma-separated parts, without blanks."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def is_fernet_key(text: str) -> bool:
    """Return whether the text is 32 octets in url-safe base64, as the Fernet specification has it."""
    try:
        return len(urlsafe_b64decode(text.encode())) == 32
    except ValueError:
        return False


def optional_path(text: str) -> Path | None:
    """Return a path, None for a blank."""
    return Path(text) if text else None


def outbox(text: str) -> Path | None:
    """Return the folder of `maildir:PATH`, None for `smtp`."""
    if text == "smtp":
        return None
    scheme, _, path = text.partition(":")
    if scheme != "maildir" or not path:
        raise WrongValueError("smtp ou maildir:CHEMIN est attendu")
    return Path(path)


def address(text: str) -> str | None:
    """Return one mail address, None for a blank."""
    if text and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", text):
        raise WrongValueError("une seule adresse e-mail de la forme nom@domaine est attendue")
    return text or None


def ping_url(text: str) -> str | None:
    """Return the URL of a dead-man service, None for a blank: `https`, or `http` on the local network."""
    if not text:
        return None
    found = re.fullmatch(
        r"(https?)://(?:[^\s/@]*@)?(\[[0-9a-fA-F:.]+\]|[^\s/:@?#]+)(?::\d{1,5})?(?:[/?]\S*)?", text
    )
    if not found or (found[1] == "http" and not _is_local(found[2])):
        raise WrongValueError("une adresse https://… est attendue (http:// seulement sur le réseau local)")
    return text


def _is_local(host: str) -> bool:
    if host in ("localhost", "[::1]") or host.endswith((".local", ".lan", ".home.arpa", ".localhost")):
        return True
    if re.fullmatch(r"[0-9.]+", host):
        return bool(re.match(r"127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.", host))
    return "." not in host and ":" not in host  # a name that only this network knows
