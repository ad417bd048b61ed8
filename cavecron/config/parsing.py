"""Reading typed values from the environment; an invalid value is reported with what is expected instead.

Pure: it takes a mapping of strings and a function that reads a file. It knows no variable by name. All
parsers raise InvalidValueError.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from cavecron.errors import reason
from cavecron.text import as_utf8, suggestion

_T = TypeVar("_T")

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: What the file of a `…_FILE` variable has to be; keys and URLs are far shorter.
REGULAR_FILE = "un fichier ordinaire de 64 ko au plus est attendu"
_LONGEST_VALUE = 65_536
_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
#: Quotes at the beginning of a value, which would be a part of it.
QUOTES = ('"', "'", "«", "“", "‘")
#: The byte order mark, and what Python makes of it if the environment is not UTF-8.
BYTE_ORDER_MARKS = ("\ufeff", "\udcef\udcbb\udcbf")


class InvalidValueError(Exception):
    """A value is invalid; the text says in French what is expected instead."""


def visible(text: str) -> str:
    """Return what an error shows of a value: all of it."""
    return f"={text[:200]!r}"


def hidden(_text: str) -> str:
    """Return what an error shows of a secret value: nothing."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable(Generic[_T]):
    """One variable of the environment; `default` is the text that is used if it is not set or blank.

    `parse` returns the value of a text, or raises InvalidValueError. `display` returns what an error may show
    of it, with a `=` in front.
    """

    name: str
    default: str
    parse: Callable[[str], _T]
    display: Callable[[str], str] = visible

    def of_job(self, prefix: str, default: str | None = None) -> "Variable[_T]":
        """Return the variable of one job, with `SCHEDULER_` and the job's `prefix` in its name."""
        name = f"SCHEDULER_{prefix}_{self.name}"
        return replace(self, name=name, default=self.default if default is None else default)


class EnvReader:
    """Reads values one by one, and collects their problems in `problems`.

    A blank value counts as not set, because compose files set variables like that. `read_file` returns the
    text of a file; it raises OSError, ValueError if it is not text, or InvalidValueError with the reason.
    """

    def __init__(self, environ: Mapping[str, str], read_file: Callable[[str], str]) -> None:
        self._environ = environ
        self._read_file = read_file
        self.problems: list[str] = []

    def read(self, variable: Variable[_T]) -> _T:
        """Return the parsed value; if it is invalid, add a problem and return the default."""
        text = self.text(variable) or variable.default
        try:
            return variable.parse(text)
        except InvalidValueError as problem:
            self.add_problem(variable, text, str(problem))
        return variable.parse(variable.default)

    def add_problem(self, variable: Variable[_T], text: str, why: str) -> None:
        """Add the problem that the value `text` is invalid, showing only what may be shown of it."""
        self.problems.append(f"{variable.name}{variable.display(text)} : {why}")

    def has(self, name: str) -> bool:
        """Return whether `name` or `NAME_FILE` is set."""
        return bool((self._environ.get(name, "") + self._environ.get(f"{name}_FILE", "")).strip())

    def text(self, variable: Variable[_T]) -> str:
        """Return the value, or the text of the file that `NAME_FILE` names; '' after adding a problem."""
        name = variable.name
        text = self._environ.get(name, "").strip()
        path = self._environ.get(f"{name}_FILE", "").strip()
        if path and text:
            self.problems.append(f"{name} et {name}_FILE sont définies toutes les deux : n'en garder qu'une")
            return ""
        if path:
            text = self._text_of_file(f"{name}_FILE", path)
        if problem := _malformation(text):
            self.add_problem(variable, text, problem)
            return ""
        return text

    def _text_of_file(self, name: str, path: str) -> str:
        try:
            text = self._read_file(path).strip()
        except OSError as error:
            whole = "" if error.filename in (None, path) else f"{error.filename} "
            unreadable = f"fichier {whole}illisible ({reason(error)}) ; le secret est-il monté ?"
            why = _malformation(path) or unreadable
        except ValueError:
            why = "un fichier de texte UTF-8 est attendu"
        except InvalidValueError as problem:
            why = str(problem)
        else:
            if len(text) <= _LONGEST_VALUE:
                return text
            why = REGULAR_FILE
        self.problems.append(f"{name}{visible(path)} : {why}")
        return ""


def _malformation(text: str) -> str:
    """Return the problem of a value with a byte order mark, quotes or a carriage return, '' for none."""
    if text.startswith(BYTE_ORDER_MARKS):
        return "sans marque d'ordre des octets (BOM) : enregistrer le fichier en UTF-8 sans BOM"
    if text.startswith(QUOTES):
        return "sans guillemets : ils feraient partie de la valeur ; écrire NOM=valeur"
    if "\r" in text:
        return "sans retour chariot (CR) : enregistrer le fichier avec des fins de ligne Unix (LF)"
    return ""


def boolean(text: str) -> bool:
    """Return the meaning of 1/0, true/false, yes/no or on/off."""
    if text.lower() not in _BOOLEANS:
        raise InvalidValueError("1 ou 0 est attendu (ou true/false, yes/no, on/off)")
    return _BOOLEANS[text.lower()]


def whole_number(text: str, *, unit: str, most: int) -> int:
    """Return a number of `unit` (French, plural) from 1 to `most`."""
    number = int_in_range(text, 1, most)
    if number is None:
        raise InvalidValueError(f"un nombre entier de {unit}, de 1 à {most}, est attendu")
    return number


def hour(text: str) -> int:
    """Return an hour of the day."""
    number = int_in_range(text, 0, 23)
    if number is None:
        raise InvalidValueError("une heure de 0 à 23 est attendue")
    return number


def minute(text: str) -> int:
    """Return a minute of the hour."""
    number = int_in_range(text, 0, 59)
    if number is None:
        raise InvalidValueError("une minute de 0 à 59 est attendue")
    return number


def int_in_range(text: str, least: int, most: int) -> int | None:
    """Return the number that `text` is in ASCII digits, None unless it is from `least` to `most`."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        return None
    return int(text) if least <= int(text) <= most else None


def days(text: str) -> str:
    """Return a day, a list (`mon,thu`) or a range (`mon-fri`) of days, or `*`, as the fifth field of cron."""
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
        raise InvalidValueError(
            "un jour par son nom (mon, tue, wed, thu, fri, sat, sun) est attendu : le nombre 0 est lundi pour"
            " APScheduler et dimanche pour cron"
        )
    similar = next((repr(day) for day in DAYS if name[:3] == day or name[:2] == day[:2]), None)
    raise InvalidValueError(f"un jour parmi {', '.join(DAYS)} est attendu{suggestion(similar)}")


def names(text: str) -> tuple[str, ...]:
    """Return the comma-separated parts, without blanks."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def user_names(text: str) -> tuple[str, ...]:
    """Return the comma-separated names of users, decoded as UTF-8 in any locale."""
    return names(as_utf8(text))


def is_fernet_key(text: str) -> bool:
    """Return whether the text is 32 octets in url-safe base64, as the Fernet specification has it."""
    try:
        return len(urlsafe_b64decode(text.encode())) == 32
    except ValueError:
        return False


_HOST = re.compile(r"\[[0-9A-Za-z.:]+\]|(?=.{1,255}$)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


def optional_host(text: str) -> str | None:
    """Return a host name, or an address in brackets (RFC 5321, 4.1.3); None for a blank."""
    if text and not _HOST.fullmatch(text):
        raise InvalidValueError("un nom de machine comme nas.example.org est attendu")
    return text or None


def optional_path(text: str) -> Path | None:
    """Return a path, None for a blank."""
    return Path(text) if text else None


def maildir(text: str) -> Path | None:
    """Return the folder of `maildir:PATH`, None for `smtp`."""
    if text == "smtp":
        return None
    scheme, _, path = text.partition(":")
    if scheme != "maildir" or not path:
        raise InvalidValueError("smtp ou maildir:CHEMIN est attendu")
    return Path(path)


def address(text: str) -> str | None:
    """Return one mail address, None for a blank."""
    if text and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", text):
        raise InvalidValueError("une seule adresse e-mail de la forme nom@domaine est attendue")
    return text or None


def ping_url(text: str) -> str | None:
    """Return the URL of a monitoring service, None for a blank: `https`, or `http` on the local network."""
    if not text:
        return None
    url = re.fullmatch(
        r"(https?)://(?:[^\s/@]*@)?(\[[0-9a-fA-F:.]+\]|[^\s/:@?#]+)(?::\d{1,5})?(?:[/?]\S*)?", text
    )
    if not url or (url[1] == "http" and not _is_local(url[2])):
        raise InvalidValueError("une adresse https://… est attendue (http:// seulement sur le réseau local)")
    return text


def _is_local(host: str) -> bool:
    if host in ("localhost", "[::1]") or host.endswith((".local", ".lan", ".home.arpa", ".localhost")):
        return True
    if re.fullmatch(r"[0-9.]+", host):
        return bool(re.match(r"127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.", host))
    return "." not in host and ":" not in host  # a name in the local network
