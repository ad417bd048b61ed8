"""Reading the environment once into frozen Settings, or reporting all its problems at once.

Pure: it takes a mapping of strings and a function that reads a file. It knows no job's code, no table and no
clock; the jobs and their default schedules are an argument.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from zoneinfo import ZoneInfo

from cavecron.config import parsing
from cavecron.config.database_url import database_path, display_url
from cavecron.config.parsing import EnvReader, InvalidValueError, Variable, hidden
from cavecron.config.timezone import SCHEDULER_TIMEZONE, UTC, ZoneOf, read_zone
from cavecron.config.variables import declared, misspelt, setting
from cavecron.errors import ConfigurationError
from cavecron.lazy import lazy_module
from cavecron.schedule import Schedule, ScheduleError, parse

if TYPE_CHECKING:
    from cavecron.config import mail_access
else:
    mail_access = lazy_module("cavecron.config.mail_access")  # only if a key or a file of certificates is set

LogFormat = Literal["text", "json"]

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
#: The settings that are paths; that of the backups is relative to the database.
_PATHS = ("database", "smtp_ca_file", "maildir", "status_dir")

#: Whole numbers with a limit against typing errors: a century of days, a day of seconds.
_days = partial(parsing.whole_number, unit="jours", most=36_500)
_seconds = partial(parsing.whole_number, unit="secondes", most=86_400)
_connections = partial(parsing.whole_number, unit="connexions", most=20)
_messages = partial(parsing.whole_number, unit="messages", most=100_000)
_running_jobs = partial(parsing.whole_number, unit="jobs", most=1_000)
_copies = partial(parsing.whole_number, unit="copies", most=10_000)


def _optional_messages(text: str) -> int | None:
    return _messages(text) if text else None


def _log_level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise InvalidValueError(f"un niveau parmi {', '.join(_LOG_LEVELS)} est attendu")
    return text.upper()


def _log_format(text: str) -> LogFormat:
    if text.lower() not in ("text", "json"):
        raise InvalidValueError("text ou json est attendu")
    return cast(LogFormat, text.lower())


def _expression(text: str, *, zone: ZoneInfo) -> Schedule:
    try:
        return parse(text, zone)
    except ScheduleError as error:
        raise InvalidValueError(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefaults:
    """The default schedule of a job: `cron`, or `day`, `hour` and `minute`, in the zone of all schedules.

    Its variables begin with `SCHEDULER_` and `prefix`. `enabled` is the default of its `…_ENABLED` variable.
    """

    name: str
    prefix: str
    day: str = "*"
    hour: int = 0
    minute: int = 0
    cron: str = ""
    enabled: bool = True


#: The built-in jobs. The prefix of weekly_reports is in the singular, as in the application.
BUILT_IN = (
    JobDefaults(name="weekly_reports", prefix="WEEKLY_REPORT", day="mon", hour=8),
    JobDefaults(name="cleanup", prefix="CLEANUP", day="sun", hour=3),
    JobDefaults(name="backup", prefix="BACKUP", hour=2, minute=30, enabled=False),
)


#: Jobs that run only if somebody enables them.
_OFF_BY_DEFAULT = frozenset(job.name for job in BUILT_IN if not job.enabled)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """The settings of one job; `time_limit` in seconds, `ping_url` is that of a monitoring service."""

    prefix: str
    schedule: Schedule
    enabled: bool = setting("ENABLED", "1", parsing.boolean)
    time_limit: int = setting("TIMEOUT", "3600", _seconds)
    ping_url: str | None = setting("PING_URL", "", parsing.ping_url, display=hidden)


#: The variables of a schedule; each job has its own defaults.
_DAY = Variable(name="DAY", default="*", parse=parsing.days)
_HOUR = Variable(name="HOUR", default="0", parse=parsing.hour)
_MINUTE = Variable(name="MINUTE", default="0", parse=parsing.minute)
_CRON = Variable(name="CRON", default="", parse=partial(_expression, zone=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many days the rows of the three log tables are kept, and those of cavecron's past runs."""

    email_log_days: int = setting("SCHEDULER_CLEANUP_EMAIL_LOG_DAYS", "90", _days)
    activity_log_days: int = setting("SCHEDULER_CLEANUP_ACTIVITY_LOG_DAYS", "180", _days)
    api_usage_days: int = setting("SCHEDULER_CLEANUP_API_USAGE_DAYS", "30", _days)
    ledger_days: int = setting("SCHEDULER_CLEANUP_LEDGER_DAYS", "400", _days)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings:
    """The folder of backups, relative to that of the database, and how many are kept."""

    folder: Path = setting("SCHEDULER_BACKUP_DIR", "backups", Path)
    keep: int = setting("SCHEDULER_BACKUP_KEEP", "14", _copies)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLimits:
    """Limits for the mail server's sake; `max_per_minute` is None if there is no limit."""

    connections: int = setting("SCHEDULER_WEEKLY_REPORT_CONNECTIONS", "2", _connections)
    max_per_connection: int = setting("SCHEDULER_WEEKLY_REPORT_MAX_PER_CONNECTION", "100", _messages)
    max_per_minute: int | None = setting("SCHEDULER_WEEKLY_REPORT_MAX_PER_MINUTE", "", _optional_messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; `jobs` is by name, `stop_grace` in seconds, `report_exclude` has names or ids of users.

    Each `setting` here and in the classes above declares one variable. `maildir` is None if mails are sent,
    `ehlo_name` if EHLO has this machine's address. `max_running` is how many jobs run at a time, `status_dir`
    the folder into which the scheduler writes its status. Paths can be relative; `jobs.loader` makes them
    absolute.
    """

    zone: ZoneInfo
    jobs: Mapping[str, JobSettings]
    retention: Retention
    mail_limits: MailLimits
    backup: BackupSettings
    warnings: tuple[str, ...]
    database: Path = setting("DATABASE_URL", "sqlite:////data/wine.db", database_path, display=display_url)
    smtp_keys: tuple[str, ...] = setting("SMTP_ENCRYPTION_KEY", "", parsing.names, display=hidden)
    smtp_ca_file: Path | None = setting("SMTP_CA_FILE", "", parsing.optional_path)
    ehlo_name: str | None = setting("CAVECRON_EHLO_NAME", "", parsing.optional_host)
    maildir: Path | None = setting("CAVECRON_MAIL", "smtp", parsing.maildir)
    report_exclude: tuple[str, ...] = setting("SCHEDULER_WEEKLY_REPORT_EXCLUDE", "", parsing.user_names)
    job_sources: tuple[str, ...] = setting("CAVECRON_JOBS", "", parsing.names)
    alert_to: str | None = setting("CAVECRON_ALERT_TO", "", parsing.address)
    status_dir: Path | None = setting("CAVECRON_STATUS_DIR", "", parsing.optional_path)
    max_running: int = setting("CAVECRON_MAX_RUNNING", "16", _running_jobs)
    stop_grace: int = setting("CAVECRON_STOP_GRACE", "8", _seconds)
    log_level: str = setting("CAVECRON_LOG_LEVEL", "INFO", _log_level)
    log_format: LogFormat = setting("CAVECRON_LOG_FORMAT", "text", _log_format)

    @property
    def schedules(self) -> Mapping[str, Schedule | None]:
        """Return the schedule of each job by its name, None where it is disabled."""
        return {name: job.schedule if job.enabled else None for name, job in self.jobs.items()}

    @property
    def enabled_schedules(self) -> Mapping[str, Schedule]:
        """Return the schedule of each enabled job by its name."""
        return {name: job.schedule for name, job in self.jobs.items() if job.enabled}

    @property
    def disabled(self) -> Mapping[str, JobSettings]:
        """Return the disabled jobs without those that are disabled by default."""
        return {
            name: job for name, job in self.jobs.items() if not job.enabled and name not in _OFF_BY_DEFAULT
        }

    def __repr__(self) -> str:
        """Return a text without secrets, because it can end up in a log."""
        return f"Settings(database={str(self.database)!r}, zone={self.zone.key!r})"


#: The dataclasses whose variables exist once, not for each job.
_GLOBAL_SETTINGS = (Settings, MailLimits, Retention, BackupSettings)


def variables(jobs: Iterable[JobDefaults] = BUILT_IN) -> tuple[Variable[Any], ...]:
    """Return all variables that `load` reads for these jobs; each can be given as `NAME_FILE` too."""
    once = (variable for settings in _GLOBAL_SETTINGS for variable in declared(settings).values())
    return (SCHEDULER_TIMEZONE, *once, *(variable for job in jobs for variable in _variables_of(job)))


def _variables_of(job: JobDefaults) -> Iterator[Variable[Any]]:
    yield from _own_variables_of(job).values()
    yield from _simple_variables_of(job)
    yield _CRON.of_job(job.prefix, job.cron)


def _own_variables_of(job: JobDefaults) -> Mapping[str, Variable[Any]]:
    """Return the variables of one job's JobSettings by the names of their fields."""
    own = {name: variable.of_job(job.prefix) for name, variable in declared(JobSettings).items()}
    return own if job.enabled else {**own, "enabled": replace(own["enabled"], default="0")}


def _simple_variables_of(job: JobDefaults) -> tuple[Variable[str], Variable[int], Variable[int]]:
    return (
        _DAY.of_job(job.prefix, job.day),
        _HOUR.of_job(job.prefix, str(job.hour)),
        _MINUTE.of_job(job.prefix, str(job.minute)),
    )


def known_names(jobs: Iterable[JobDefaults] = BUILT_IN) -> frozenset[str]:
    """Return the names of all variables that `load` reads for these jobs, without `_FILE`."""
    return frozenset(variable.name for variable in variables(jobs))


def check_defaults(job: JobDefaults) -> None:
    """Raise ValueError, with the reason in French, unless the default schedule of a job is valid."""
    try:
        _schedule(EnvReader({}, str), job, UTC)
    except InvalidValueError as error:
        raise ValueError(str(error)) from error


def job_sources(environ: Mapping[str, str], read_file: Callable[[str], str]) -> tuple[str, ...]:
    """Return the files and modules of `CAVECRON_JOBS`; `load` reports problems of its value."""
    return EnvReader(environ, read_file).read(declared(Settings)["job_sources"])


def load(
    environ: Mapping[str, str],
    read_file: Callable[[str], str],
    jobs: Sequence[JobDefaults] = BUILT_IN,
    problems: Sequence[str] = (),
    *,
    zone_of: ZoneOf = ZoneInfo,
    folder: Path = Path(),
) -> Settings:
    """Return the Settings that `environ` describes for these `jobs`.

    `read_file` is that of EnvReader, `zone_of` returns a zone by its IANA name. `problems` are those that the
    caller has found; all are reported together. The paths of `_PATHS` are resolved from `folder`.

    Raises:
        ConfigurationError: it lists all problems.

    """
    reader = EnvReader(environ, read_file)
    zone, warnings = read_zone(reader, zone_of)
    settings = Settings(
        zone=zone,
        jobs={job.name: _job(reader, job, zone) for job in jobs},
        retention=Retention(**_read(reader, Retention)),
        mail_limits=MailLimits(**_read(reader, MailLimits)),
        backup=BackupSettings(**_read(reader, BackupSettings)),
        warnings=(*warnings, *misspelt(environ, known_names(jobs))),
        **_read(reader, Settings),
    )
    if problems or reader.problems:
        raise ConfigurationError([*problems, *reader.problems])
    settings = replace(
        settings, **{name: folder / path for name in _PATHS if (path := getattr(settings, name))}
    )
    if not settings.smtp_keys and settings.smtp_ca_file is None:
        return settings
    unusable = mail_access.problems(settings.smtp_keys, settings.smtp_ca_file, read_file)
    return replace(settings, warnings=(*settings.warnings, *unusable))


def _read(reader: EnvReader, settings: type[Any]) -> dict[str, Any]:
    return {name: reader.read(variable) for name, variable in declared(settings).items()}


def _job(reader: EnvReader, job: JobDefaults, zone: ZoneInfo) -> JobSettings:
    own = {name: reader.read(variable) for name, variable in _own_variables_of(job).items()}
    return JobSettings(prefix=job.prefix, schedule=_schedule(reader, job, zone), **own)


def _schedule(reader: EnvReader, job: JobDefaults, zone: ZoneInfo) -> Schedule:
    """Return the schedule of a job, from its CRON variable, or from those of day, hour and minute."""
    day, hour, minute = _simple_variables_of(job)
    cron = _CRON.of_job(job.prefix)
    simple = [name for name in (day.name, hour.name, minute.name) if reader.has(name)]
    if simple and reader.has(cron.name):
        reader.problems.append(
            f"{cron.name} et {', '.join(simple)} s'excluent : ne garder que l'un ou les autres"
        )
    of_week, of_day, of_hour = reader.read(day), reader.read(hour), reader.read(minute)
    by_fields = f"{of_hour} {of_day} * * {of_week}"
    default = job.cron if job.cron and not simple else by_fields
    return reader.read(replace(cron, default=default, parse=partial(_expression, zone=zone)))
