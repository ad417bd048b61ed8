"""The environment, read once into frozen Settings, or every problem in it at once.

Pure: it takes a mapping of strings and a function that reads a file. It knows no job's code, no table
and no clock; which jobs there are, and when they run by default, is handed in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, cast
from zoneinfo import ZoneInfo

from cavecron.config import parsing as variables
from cavecron.config.parsing import Variables, WrongValueError
from cavecron.errors import ConfigurationError
from cavecron.schedule import Schedule, ScheduleError, parse
from cavecron.text import nearest

LogFormat = Literal["text", "json"]

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_SIMPLE_FIELDS = ("DAY", "HOUR", "MINUTE")
_JOB_SUFFIXES = ("ENABLED", *_SIMPLE_FIELDS, "CRON", "TIMEOUT", "PING_URL")
_NAMES = frozenset(
    {
        "DATABASE_URL",
        "SMTP_ENCRYPTION_KEY",
        "SMTP_CA_FILE",
        "SCHEDULER_TIMEZONE",
        "SCHEDULER_CLEANUP_EMAIL_LOG_DAYS",
        "SCHEDULER_CLEANUP_ACTIVITY_LOG_DAYS",
        "SCHEDULER_CLEANUP_API_USAGE_DAYS",
        "SCHEDULER_WEEKLY_REPORT_CONNECTIONS",
        "SCHEDULER_WEEKLY_REPORT_MAX_PER_CONNECTION",
        "SCHEDULER_WEEKLY_REPORT_MAX_PER_MINUTE",
        "SCHEDULER_WEEKLY_REPORT_EXCLUDE",
        "CAVECRON_ALERT_TO",
        "CAVECRON_MAIL",
        "CAVECRON_JOBS",
        "CAVECRON_STOP_GRACE",
        "CAVECRON_LOG_LEVEL",
        "CAVECRON_LOG_FORMAT",
    }
)
#: A century of days, and a day of seconds: beyond these a number is a slip of the finger.
_MOST_DAYS = 36_500
_MOST_SECONDS = 86_400
_MOST_CONNECTIONS, _MOST_MESSAGES = 20, 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefaults:
    """When a job runs where the environment says nothing.

    Its variables begin with `SCHEDULER_` and `prefix`. Where `cron` is given it counts, else `day`, `hour`
    and `minute` do, in the zone of all schedules.
    """

    name: str
    prefix: str
    day: str = "*"
    hour: int = 0
    minute: int = 0
    cron: str = ""


#: The two jobs of Cave à Vin. One report a week: its prefix has been in the singular ever since.
BUILT_IN = (
    JobDefaults(name="weekly_reports", prefix="WEEKLY_REPORT", day="mon", hour=8),
    JobDefaults(name="cleanup", prefix="CLEANUP", day="sun", hour=3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """When one job runs; `time_limit` in seconds, `ping_url` of a dead-man service."""

    prefix: str
    enabled: bool
    schedule: Schedule
    time_limit: int
    ping_url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many days rows of the three log tables are kept."""

    email_log_days: int = 90
    activity_log_days: int = 180
    api_usage_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """How hard the mail server is leant on; `per_minute` is None where there is no limit."""

    connections: int = 2
    per_connection: int = 100
    per_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says; `jobs` by name, `stop_grace` in seconds, `report_exclude` names or ids."""

    zone: ZoneInfo
    database: Path
    smtp_keys: tuple[str, ...]
    smtp_ca_file: Path | None
    outbox: Path | None
    retention: Retention
    mailing: Mailing
    report_exclude: tuple[str, ...]
    jobs: Mapping[str, JobSettings]
    stop_grace: int
    alert_to: str | None
    log_level: str
    log_format: LogFormat
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        """Leave the keys out: a repr ends up in logs."""
        return f"Settings(database={str(self.database)!r}, zone={self.zone.key!r})"


def check_defaults(job: JobDefaults) -> None:
    """Return if the schedule that a job declares makes sense, else raise ValueError with a French reason."""
    reader = Variables({}, str)
    try:
        _schedule(reader, job, ZoneInfo("UTC"))
    except WrongValueError as error:
        raise ValueError(str(error)) from error


def known_names(jobs: Iterable[JobDefaults] = BUILT_IN) -> frozenset[str]:
    """Return the names of all variables that `load` reads for these jobs, without their `_FILE` forms."""
    return _NAMES | {f"SCHEDULER_{job.prefix}_{suffix}" for job in jobs for suffix in _JOB_SUFFIXES}


def job_sources(environ: Mapping[str, str], read_file: Callable[[str], str]) -> tuple[str, ...]:
    """Return the files and modules of `CAVECRON_JOBS`; what is wrong with it is for `load` to tell."""
    return variables.names(Variables(environ, read_file).text("CAVECRON_JOBS"))


def load(
    environ: Mapping[str, str],
    read_file: Callable[[str], str],
    jobs: Sequence[JobDefaults] = BUILT_IN,
    problems: Sequence[str] = (),
) -> Settings:
    """Return the Settings that `environ` describes for these `jobs`.

    `read_file` returns the text of a file named by a `…_FILE` variable, or raises OSError or ValueError.
    `problems` are those that the caller has found already: all are told together.

    Raises:
        ConfigurationError: with every problem, not only the first.

    """
    secrets = {"DATABASE_URL", "SMTP_ENCRYPTION_KEY", *(f"SCHEDULER_{job.prefix}_PING_URL" for job in jobs)}
    reader = Variables(environ, read_file, secrets=secrets)
    zone = reader.value(
        "SCHEDULER_TIMEZONE" if reader.has("SCHEDULER_TIMEZONE") else "TZ", "Europe/Paris", variables.zone
    )
    reader.text("CAVECRON_JOBS")  # only to tell what is wrong with its file
    keys = reader.value("SMTP_ENCRYPTION_KEY", "", variables.names)
    authority = reader.value("SMTP_CA_FILE", "", variables.optional_path)
    settings = Settings(
        zone=zone,
        database=reader.value("DATABASE_URL", "sqlite:////data/wine.db", variables.database),
        smtp_keys=keys,
        smtp_ca_file=authority,
        outbox=reader.value("CAVECRON_MAIL", "smtp", variables.outbox),
        retention=_retention(reader),
        mailing=_mailing(reader),
        report_exclude=reader.value("SCHEDULER_WEEKLY_REPORT_EXCLUDE", "", variables.names),
        jobs={job.name: _job(reader, job, zone) for job in jobs},
        stop_grace=reader.value("CAVECRON_STOP_GRACE", "8", _seconds),
        alert_to=reader.value("CAVECRON_ALERT_TO", "", variables.address),
        log_level=reader.value("CAVECRON_LOG_LEVEL", "INFO", _log_level),
        log_format=reader.value("CAVECRON_LOG_FORMAT", "text", _log_format),
        warnings=(*_misspelt(environ, known_names(jobs)), *_useless(keys, authority, read_file)),
    )
    if problems or reader.problems:
        raise ConfigurationError([*problems, *reader.problems])
    return settings


def _retention(reader: Variables) -> Retention:
    return Retention(
        email_log_days=reader.value("SCHEDULER_CLEANUP_EMAIL_LOG_DAYS", "90", _days),
        activity_log_days=reader.value("SCHEDULER_CLEANUP_ACTIVITY_LOG_DAYS", "180", _days),
        api_usage_days=reader.value("SCHEDULER_CLEANUP_API_USAGE_DAYS", "30", _days),
    )


def _mailing(reader: Variables) -> Mailing:
    prefix = "SCHEDULER_WEEKLY_REPORT"
    connections = partial(variables.whole_number, unit="connexions", most=_MOST_CONNECTIONS)
    return Mailing(
        connections=reader.value(f"{prefix}_CONNECTIONS", "2", connections),
        per_connection=reader.value(f"{prefix}_MAX_PER_CONNECTION", "100", _messages),
        per_minute=reader.value(f"{prefix}_MAX_PER_MINUTE", "", _optional_messages),
    )


def _job(reader: Variables, job: JobDefaults, zone: ZoneInfo) -> JobSettings:
    prefix = f"SCHEDULER_{job.prefix}"
    return JobSettings(
        prefix=job.prefix,
        enabled=reader.value(f"{prefix}_ENABLED", "1", variables.boolean),
        schedule=_schedule(reader, job, zone),
        time_limit=reader.value(f"{prefix}_TIMEOUT", "3600", _seconds),
        ping_url=reader.value(f"{prefix}_PING_URL", "", variables.ping_url),
    )


def _schedule(reader: Variables, job: JobDefaults, zone: ZoneInfo) -> Schedule:
    """Return when the job runs: by `_CRON`, or by day, hour and minute, each where it is set."""
    prefix = f"SCHEDULER_{job.prefix}"
    simple = [f"{prefix}_{field}" for field in _SIMPLE_FIELDS if reader.has(f"{prefix}_{field}")]
    if simple and reader.has(f"{prefix}_CRON"):
        reader.problems.append(
            f"{prefix}_CRON et {', '.join(simple)} s'excluent : ne garder que l'un ou les autres"
        )
    day = reader.value(f"{prefix}_DAY", job.day, variables.days)
    hour = reader.value(f"{prefix}_HOUR", str(job.hour), variables.hour)
    minute = reader.value(f"{prefix}_MINUTE", str(job.minute), variables.minute)
    by_fields = f"{minute} {hour} * * {day}"
    default = job.cron if job.cron and not simple else by_fields
    return reader.value(f"{prefix}_CRON", default, partial(_expression, zone=zone))


def _expression(text: str, *, zone: ZoneInfo) -> Schedule:
    try:
        return parse(text, zone)
    except ScheduleError as error:
        raise WrongValueError(str(error)) from error


def _days(text: str) -> int:
    return variables.whole_number(text, "jours", most=_MOST_DAYS)


def _seconds(text: str) -> int:
    return variables.whole_number(text, "secondes", most=_MOST_SECONDS)


def _messages(text: str) -> int:
    return variables.whole_number(text, "messages", most=_MOST_MESSAGES)


def _optional_messages(text: str) -> int | None:
    return _messages(text) if text else None


def _log_level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise WrongValueError(f"un niveau parmi {', '.join(_LOG_LEVELS)} est attendu")
    return text.upper()


def _log_format(text: str) -> LogFormat:
    if text.lower() not in ("text", "json"):
        raise WrongValueError("text ou json est attendu")
    return cast(LogFormat, text.lower())


def _useless(keys: Sequence[str], authority: Path | None, read_file: Callable[[str], str]) -> Iterator[str]:
    """Yield a warning for each thing that a mail server may need and that cannot work as it is."""
    for position, key in enumerate(keys, start=1):
        if not variables.is_fernet_key(key):
            which = f" (clé n° {position} sur {len(keys)})" if len(keys) > 1 else ""
            yield f"SMTP_ENCRYPTION_KEY{which} : une clé Fernet, 32 octets en base64 url-safe, est attendue"
    if authority is not None:
        try:
            usable = "-----BEGIN CERTIFICATE-----" in read_file(str(authority))
        except (OSError, ValueError):
            usable = False
        if not usable:
            yield f"SMTP_CA_FILE={str(authority)!r} : un fichier lisible de certificats PEM est attendu"


def _misspelt(environ: Mapping[str, str], known: frozenset[str]) -> tuple[str, ...]:
    """Return a warning for each name that looks like one of ours and is none."""
    names = [
        name
        for name in sorted(environ)
        if name.startswith(("SCHEDULER_", "CAVECRON_")) and name.removesuffix("_FILE") not in known
    ]
    return tuple(f"Variable inconnue, ignorée : {name}{_hint(name, known)}" for name in names)


def _hint(name: str, known: frozenset[str]) -> str:
    meant = nearest(name, sorted(known), cutoff=0.75)
    return f" (vouliez-vous dire {meant} ?)" if meant else ""
