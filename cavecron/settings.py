"""The environment, read once into frozen Settings, or every problem in it at once.

Pure: it takes a mapping of strings and a function that reads a file. It knows no job's code, no table
and no clock.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cavecron.errors import ConfigurationError, reason

LogFormat = Literal["text", "json"]
_T = TypeVar("_T")

#: The built-in jobs and the prefix of their variables.
JOB_VARIABLES: Mapping[str, str] = {"weekly_reports": "WEEKLY_REPORT", "cleanup": "CLEANUP"}

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_JOB_SUFFIXES = ("ENABLED", "DAY", "HOUR", "MINUTE", "CRON", "TIMEOUT")
_NAMES = frozenset(
    {
        "DATABASE_URL",
        "SMTP_ENCRYPTION_KEY",
        "SMTP_CA_FILE",
        "SCHEDULER_TIMEZONE",
        "SCHEDULER_CLEANUP_EMAIL_LOG_DAYS",
        "SCHEDULER_CLEANUP_ACTIVITY_LOG_DAYS",
        "SCHEDULER_CLEANUP_API_USAGE_DAYS",
        "CAVECRON_MAIL",
        "CAVECRON_JOBS",
        "CAVECRON_STOP_GRACE",
        "CAVECRON_LOG_LEVEL",
        "CAVECRON_LOG_FORMAT",
        *(f"SCHEDULER_{job}_{suffix}" for job in JOB_VARIABLES.values() for suffix in _JOB_SUFFIXES),
    }
)
#: A century of days, and a day of seconds: beyond these a number is a slip of the finger.
_MOST_DAYS = 36_500
_MOST_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many days rows of the three log tables are kept."""

    email_log_days: int = 90
    activity_log_days: int = 180
    api_usage_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says; `time_limits` in seconds for each job."""

    zone: ZoneInfo
    database: Path
    smtp_keys: tuple[str, ...]
    smtp_ca_file: Path | None
    outbox: Path | None
    retention: Retention
    time_limits: Mapping[str, int]
    log_level: str
    log_format: LogFormat
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        """Leave the keys out: a repr ends up in logs."""
        return f"Settings(database={str(self.database)!r}, zone={self.zone.key!r})"


class _WrongValueError(Exception):
    """One value is wrong; the text says what is wanted instead."""


def load(environ: Mapping[str, str], read_file: Callable[[str], str]) -> Settings:
    """Return the Settings that `environ` describes.

    `read_file` returns the text of a file named by a `…_FILE` variable, or raises OSError or ValueError.
    A blank value counts as not set, as compose files write it.

    Raises:
        ConfigurationError: with every problem, not only the first.

    """
    reader = _Reader(environ, read_file)
    settings = Settings(
        zone=reader.value(
            "SCHEDULER_TIMEZONE" if reader.has("SCHEDULER_TIMEZONE") else "TZ", "Europe/Paris", _zone
        ),
        database=reader.value("DATABASE_URL", "sqlite:////data/wine.db", _database),
        smtp_keys=reader.value("SMTP_ENCRYPTION_KEY", "", _keys),
        smtp_ca_file=reader.value("SMTP_CA_FILE", "", _optional_path),
        outbox=reader.value("CAVECRON_MAIL", "smtp", _outbox),
        retention=Retention(
            email_log_days=reader.value("SCHEDULER_CLEANUP_EMAIL_LOG_DAYS", "90", _days),
            activity_log_days=reader.value("SCHEDULER_CLEANUP_ACTIVITY_LOG_DAYS", "180", _days),
            api_usage_days=reader.value("SCHEDULER_CLEANUP_API_USAGE_DAYS", "30", _days),
        ),
        time_limits={
            job: reader.value(f"SCHEDULER_{name}_TIMEOUT", "3600", _seconds)
            for job, name in JOB_VARIABLES.items()
        },
        log_level=reader.value("CAVECRON_LOG_LEVEL", "INFO", _log_level),
        log_format=reader.value("CAVECRON_LOG_FORMAT", "text", _log_format),
        warnings=_misspelt(environ),
    )
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return settings


class _Reader:
    """Reads values one by one and keeps what is wrong with them."""

    def __init__(self, environ: Mapping[str, str], read_file: Callable[[str], str]) -> None:
        self._environ = environ
        self._read_file = read_file
        self.problems: list[str] = []

    def value(self, name: str, default: str, parse: Callable[[str], _T]) -> _T:
        """Return the parsed value of `name`; where it is wrong, note why and go on with the default."""
        text = self._text(name) or default
        try:
            return parse(text)
        except _WrongValueError as problem:
            shown = "" if name in {"DATABASE_URL", "SMTP_ENCRYPTION_KEY"} else f"={text!r}"
            self.problems.append(f"{name}{shown} : {problem}")
        return parse(default)

    def has(self, name: str) -> bool:
        """Return whether `name` is set, directly or by a file."""
        return bool((self._environ.get(name, "") + self._environ.get(f"{name}_FILE", "")).strip())

    def _text(self, name: str) -> str:
        text = self._environ.get(name, "").strip()
        path = self._environ.get(f"{name}_FILE", "").strip()
        if not path:
            return text
        if text:
            self.problems.append(f"{name} et {name}_FILE sont définies toutes les deux : n'en gardez qu'une")
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


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text.removeprefix(":"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _WrongValueError("un fuseau IANA est attendu, comme Europe/Paris ou America/Montreal") from None


def _database(text: str) -> Path:
    scheme, separator, path = text.partition("://")
    if not separator or scheme != "sqlite":
        wanted = "sqlite:////data/wine.db (quatre barres : chemin absolu) ou sqlite:///wine.db (relatif)"
        raise _WrongValueError(f"Cave à Vin garde sa cave dans SQLite ; {wanted} est attendu")
    path = path.removeprefix("/").partition("?")[0]
    if not path or path == ":memory:" or "\0" in path:
        raise _WrongValueError("le chemin d'un fichier est attendu, comme sqlite:////data/wine.db")
    return Path(path)


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in text.split(",") if key.strip())


def _optional_path(text: str) -> Path | None:
    return Path(text) if text else None


def _outbox(text: str) -> Path | None:
    if text == "smtp":
        return None
    scheme, _, path = text.partition(":")
    if scheme != "maildir" or not path:
        raise _WrongValueError("smtp ou maildir:CHEMIN est attendu")
    return Path(path)


def _days(text: str) -> int:
    return _whole_number(text, "jours", _MOST_DAYS)


def _seconds(text: str) -> int:
    return _whole_number(text, "secondes", _MOST_SECONDS)


def _whole_number(text: str, unit: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise _WrongValueError(f"un nombre entier de {unit}, de 1 à {most}, est attendu")
    return int(text)


def _log_level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise _WrongValueError(f"un niveau parmi {', '.join(_LOG_LEVELS)} est attendu")
    return text.upper()


def _log_format(text: str) -> LogFormat:
    if text.lower() not in ("text", "json"):
        raise _WrongValueError("text ou json est attendu")
    return cast(LogFormat, text.lower())


def _misspelt(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning for each name that looks like one of ours and is none."""
    warnings = []
    for name in sorted(environ):
        if not name.startswith(("SCHEDULER_", "CAVECRON_")) or name.removesuffix("_FILE") in _NAMES:
            continue
        nearest: Sequence[str] = difflib.get_close_matches(name, sorted(_NAMES), n=1, cutoff=0.75)
        hint = f" (vouliez-vous dire {nearest[0]} ?)" if nearest else ""
        warnings.append(f"Variable inconnue, ignorée : {name}{hint}")
    return tuple(warnings)
