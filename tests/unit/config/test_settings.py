"""Reading the settings from the environment, and reporting all problems at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavecron.config.settings import BUILT_IN, JobDefaults, MailLimits, Retention, Settings, load
from cavecron.errors import ConfigurationError

_PARSED = (
    "SCHEDULER_CLEANUP_DAY",
    "SCHEDULER_CLEANUP_CRON",
    "SCHEDULER_CLEANUP_PING_URL",
    "CAVECRON_ALERT_TO",
)


def _no_file(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def load_settings(**environ: str) -> Settings:
    """Return the settings of an environment without files."""
    return load(environ, _no_file)


def problems(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the problems of an environment."""
    with pytest.raises(ConfigurationError) as raised:
        load(environ, _no_file)
    return raised.value.problems


def test_nothing_has_to_be_configured() -> None:
    """A variable that is not set has the default that the README gives."""
    settings = load_settings()
    assert (settings.zone.key, settings.database) == ("Europe/Paris", Path("/data/wine.db"))
    assert settings.retention == Retention(email_log_days=90, activity_log_days=180, api_usage_days=30)
    assert {name: job.time_limit for name, job in settings.jobs.items()} == {
        "weekly_reports": 3600,
        "cleanup": 3600,
        "backup": 3600,
    }
    assert (settings.smtp_keys, settings.smtp_ca_file, settings.maildir) == ((), None, None)
    assert (settings.log_level, settings.log_format, settings.warnings) == ("INFO", "text", ())


def test_blank_counts_as_not_set() -> None:
    """Compose files set a variable to a blank value if nothing is given for it."""
    environ = {"SCHEDULER_CLEANUP_EMAIL_LOG_DAYS": " ", "DATABASE_URL": "", "TZ": "", "CAVECRON_MAIL": "\n"}
    assert load(environ, _no_file) == load_settings()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////data/wine.db", "/data/wine.db"),
        ("sqlite:///wine.db", "wine.db"),
        ("sqlite:///instance/wine.db?timeout=15", "instance/wine.db"),
        ("sqlite:////data/ma cave.db", "/data/ma cave.db"),
    ],
)
def test_the_database_is_named_as_sqlalchemy_does(url: str, path: str) -> None:
    """Four slashes begin an absolute path, three a relative one."""
    assert load_settings(DATABASE_URL=url).database == Path(path)


@pytest.mark.parametrize(
    ("environ", "zone"),
    [
        ({"SCHEDULER_TIMEZONE": "America/Montreal", "TZ": "Asia/Tokyo"}, "America/Montreal"),
        ({"TZ": "Asia/Tokyo"}, "Asia/Tokyo"),
        ({"TZ": ":Asia/Tokyo"}, "Asia/Tokyo"),
    ],
)
def test_the_zone_is_the_schedulers_before_the_systems(environ: Mapping[str, str], zone: str) -> None:
    """SCHEDULER_TIMEZONE goes before TZ, which may begin with the colon that POSIX allows."""
    assert load(environ, _no_file).zone.key == zone


def test_several_keys_can_be_given_while_one_replaces_the_other() -> None:
    """Keys are separated by commas, and blanks around them are ignored."""
    assert load_settings(SMTP_ENCRYPTION_KEY=" new , old,").smtp_keys == ("new", "old")


def test_mail_can_go_to_a_folder() -> None:
    """The path after "maildir:" may contain any character."""
    assert load_settings(CAVECRON_MAIL="maildir:/data/a:b").maildir == Path("/data/a:b")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "DATABASE_URL",
            "postgresql://u:hunter2@h/db",
            "DATABASE_URL='postgresql://…' : Cave à Vin garde sa cave dans SQLite",
        ),
        ("DATABASE_URL", "/data/wine.db", "quatre barres"),
        ("DATABASE_URL", "sqlite://", "le chemin d'un fichier est attendu"),
        ("DATABASE_URL", "sqlite:///:memory:", "le chemin d'un fichier est attendu"),
        ("SCHEDULER_TIMEZONE", "Paris", "SCHEDULER_TIMEZONE='Paris' : un fuseau IANA est attendu"),
        ("SCHEDULER_TIMEZONE", "../../etc/passwd", "un fuseau IANA est attendu"),
        ("TZ", "Europe/Pari", "TZ='Europe/Pari' : un fuseau IANA est attendu"),
        ("SCHEDULER_TIMEZONE", "CET-1CEST", "SCHEDULER_TIMEZONE='CET-1CEST' : un fuseau IANA est attendu"),
        ("SCHEDULER_CLEANUP_EMAIL_LOG_DAYS", "0", "un nombre entier de jours, de 1 à 36500, est attendu"),
        ("SCHEDULER_CLEANUP_ACTIVITY_LOG_DAYS", "-1", "un nombre entier de jours"),
        ("SCHEDULER_CLEANUP_API_USAGE_DAYS", "٣", "un nombre entier de jours"),
        ("SCHEDULER_CLEANUP_API_USAGE_DAYS", "9" * 5000, "un nombre entier de jours"),
        ("SCHEDULER_CLEANUP_TIMEOUT", "1h", "un nombre entier de secondes, de 1 à 86400, est attendu"),
        ("SCHEDULER_CLEANUP_ENABLED", "peut-être", "1 ou 0 est attendu (ou true/false, yes/no, on/off)"),
        ("SCHEDULER_CLEANUP_HOUR", "25", "SCHEDULER_CLEANUP_HOUR='25' : une heure de 0 à 23 est attendue"),
        ("SCHEDULER_CLEANUP_HOUR", "8h", "une heure de 0 à 23 est attendue"),
        ("SCHEDULER_CLEANUP_MINUTE", "60", "une minute de 0 à 59 est attendue"),
        (
            "SCHEDULER_WEEKLY_REPORT_DAY",
            "monday",
            "un jour parmi mon, tue, wed, thu, fri, sat, sun est attendu",
        ),
        ("SCHEDULER_WEEKLY_REPORT_DAY", "monday", "(vouliez-vous dire 'mon' ?)"),
        ("SCHEDULER_WEEKLY_REPORT_DAY", "mo,thu", "(vouliez-vous dire 'mon' ?)"),
        ("SCHEDULER_WEEKLY_REPORT_DAY", "0", "le nombre 0 est lundi pour APScheduler et dimanche pour cron"),
        ("SCHEDULER_WEEKLY_REPORT_DAY", "mon-", "un jour parmi"),
        ("SCHEDULER_WEEKLY_REPORT_CRON", "0 0 31 2 *", "cette date n'arrive jamais"),
        ("SCHEDULER_WEEKLY_REPORT_CRON", "0 0 8 * * mon", "SCHEDULER_WEEKLY_REPORT_CRON='0 0 8 * * mon' : "),
        (
            "SCHEDULER_WEEKLY_REPORT_CONNECTIONS",
            "0",
            "un nombre entier de connexions, de 1 à 20",
        ),
        ("SCHEDULER_WEEKLY_REPORT_MAX_PER_MINUTE", "vite", "un nombre entier de messages"),
        (
            "SCHEDULER_CLEANUP_PING_URL",
            "ftp://x",
            "PING_URL : une adresse https://… est attendue",
        ),
        (
            "SCHEDULER_CLEANUP_PING_URL",
            "http://hc.example.org/secret",
            "http:// seulement sur le réseau local",
        ),
        ("CAVECRON_ALERT_TO", "a@b.fr, c@d.fr", "une seule adresse e-mail"),
        ("CAVECRON_STOP_GRACE", "-1", "un nombre entier de secondes"),
        ("CAVECRON_MAIL", "sendmail", "smtp ou maildir:CHEMIN est attendu"),
        ("CAVECRON_MAIL", "maildir:", "smtp ou maildir:CHEMIN est attendu"),
        ("CAVECRON_LOG_LEVEL", "bavard", "un niveau parmi DEBUG, INFO, WARNING, ERROR est attendu"),
        ("CAVECRON_LOG_FORMAT", "xml", "text ou json est attendu"),
        ("SMTP_CA_FILE_FILE", "/absent", "SMTP_CA_FILE_FILE='/absent' : fichier illisible (il n'existe pas)"),
    ],
)
def test_a_wrong_value_is_a_problem_with_what_is_expected(name: str, value: str, message: str) -> None:
    """The message says what is expected, and shows no password of a URL."""
    (problem,) = problems({name: value})
    assert message in problem
    assert "hunter2" not in problem


def test_all_problems_are_reported_at_once() -> None:
    """Otherwise a user would correct one problem only to get the next one."""
    wrong = {"CAVECRON_LOG_FORMAT": "xml", "DATABASE_URL": "x", "SMTP_ENCRYPTION_KEY_FILE": "/absent"}
    with pytest.raises(ConfigurationError, match="Configuration invalide : 3 problèmes\n  ") as raised:
        load(wrong, _no_file)
    assert len(raised.value.problems) == 3


def test_a_secret_is_read_from_its_file() -> None:
    """The line end that an editor adds to the file of NAME_FILE is removed."""
    settings = load({"SMTP_ENCRYPTION_KEY_FILE": "/run/secrets/key"}, lambda path: f"key of {path}\n")
    assert settings.smtp_keys == ("key of /run/secrets/key",)


def test_a_value_and_its_file_exclude_each_other() -> None:
    """It would not be clear which of the two applies."""
    (problem,) = problems({"SMTP_ENCRYPTION_KEY": "secret", "SMTP_ENCRYPTION_KEY_FILE": "/x"})
    assert "sont définies toutes les deux" in problem
    assert "secret" not in problem


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    """The message says what is expected, instead of an error of Python's decoder."""
    path = tmp_path / "key"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="un fichier de texte UTF-8 est attendu"):
        load({"SMTP_ENCRYPTION_KEY_FILE": str(path)}, lambda name: Path(name).read_text(encoding="utf-8"))


def test_a_misspelt_name_is_a_warning_with_the_nearest() -> None:
    """The variable has no effect, so its user needs a message."""
    settings = load_settings(
        SCHEDULER_WEEKLY_REPORTS_HOUR="9", CAVECRON_ZZZ="1", SCHEDULER_CLEANUP_DAY="sun", PATH="/"
    )
    assert settings.warnings == (
        "Variable inconnue, ignorée : CAVECRON_ZZZ",
        "Variable inconnue, ignorée : SCHEDULER_WEEKLY_REPORTS_HOUR"
        " (vouliez-vous dire SCHEDULER_WEEKLY_REPORT_HOUR ?)",
    )


@pytest.mark.parametrize(
    ("environ", "expression"),
    [
        pytest.param({}, "0 8 * * mon", id="default"),
        pytest.param({"DAY": "FRI", "HOUR": "18", "MINUTE": "30"}, "30 18 * * fri", id="day, hour, minute"),
        pytest.param({"DAY": "mon, thu"}, "0 8 * * mon,thu", id="a list"),
        pytest.param({"DAY": "mon-fri"}, "0 8 * * mon,tue,wed,thu,fri", id="a range"),
        pytest.param({"DAY": "sat-mon"}, "0 8 * * mon,sat,sun", id="a range over the weekend"),
        pytest.param({"DAY": "mon-sun"}, "0 8 * * *", id="all days"),
        pytest.param({"CRON": "*/15 8-18 * * 1-5"}, "*/15 8-18 * * 1-5", id="cron"),
        pytest.param({"CRON": "@weekly"}, "@weekly", id="an alias"),
    ],
)
def test_a_schedule_is_given_by_fields_or_by_cron(environ: Mapping[str, str], expression: str) -> None:
    """Both are in the zone of all schedules."""
    variables = {f"SCHEDULER_WEEKLY_REPORT_{name}": value for name, value in environ.items()}
    schedule = load_settings(SCHEDULER_TIMEZONE="Asia/Tokyo", **variables).jobs["weekly_reports"].schedule
    assert (schedule.expression, schedule.zone.key) == (expression, "Asia/Tokyo")


def test_fields_and_cron_exclude_each_other() -> None:
    """It would not be clear which of them applies."""
    (problem,) = problems({"SCHEDULER_CLEANUP_CRON": "0 3 * * *", "SCHEDULER_CLEANUP_HOUR": "3"})
    assert problem == (
        "SCHEDULER_CLEANUP_CRON et SCHEDULER_CLEANUP_HOUR s'excluent : ne garder que l'un ou les autres"
    )


@pytest.mark.parametrize(
    ("text", "enabled"),
    [("1", True), ("TRUE", True), ("Yes", True), ("on", True), ("0", False), ("oFF", False)],
)
def test_a_job_is_enabled_by_any_boolean(text: str, *, enabled: bool) -> None:
    """All four pairs of words are read, in upper and lower case."""
    assert load_settings(SCHEDULER_CLEANUP_ENABLED=text).jobs["cleanup"].enabled is enabled


@pytest.mark.parametrize(
    "url",
    [
        "https://hc-ping.com/uuid",
        "http://localhost:8000/ping/x?y=1",
        "http://127.0.0.1/x",
        "http://192.168.1.9:8080/x",
        "http://nas/x",
        "http://nas.local/x",
        "http://[::1]:8000/x",
    ],
)
def test_a_ping_url_is_https_or_on_the_local_network(url: str) -> None:
    """Without encryption the request must not leave the local network."""
    assert load_settings(SCHEDULER_CLEANUP_PING_URL=url).jobs["cleanup"].ping_url == url


def test_a_job_of_ones_own_is_configured_like_the_others() -> None:
    """A custom job has variables with its own defaults, and a misspelt one is a warning too."""
    low_stock = JobDefaults(name="low_stock", prefix="LOW_STOCK", day="tue", hour=9)
    environ = {"SCHEDULER_LOW_STOCK_MINUTE": "5", "SCHEDULER_LOW_STOCK_HUOR": "1"}
    settings = load(environ, _no_file, [*BUILT_IN, low_stock])
    assert settings.jobs["low_stock"].schedule.expression == "5 9 * * tue"
    (warning,) = settings.warnings
    assert "vouliez-vous dire SCHEDULER_LOW_STOCK_HOUR ?" in warning


def test_the_limits_of_a_mailing_are_configurable() -> None:
    """By default there are two connections and no limit for each minute."""
    assert load_settings().mail_limits == MailLimits(
        connections=2, max_per_connection=100, max_per_minute=None
    )
    limits = load_settings(
        SCHEDULER_WEEKLY_REPORT_CONNECTIONS="8", SCHEDULER_WEEKLY_REPORT_MAX_PER_MINUTE="30"
    ).mail_limits
    assert (limits.connections, limits.max_per_minute) == (8, 30)


def test_settings_hide_their_keys() -> None:
    """The repr of the settings, which may be logged, contains no key."""
    assert "secret" not in repr(load_settings(SMTP_ENCRYPTION_KEY="secret"))


@given(
    st.dictionaries(
        st.sampled_from(_PARSED),
        st.text(),
    )
)
def test_any_value_is_read_or_is_a_problem(environ: dict[str, str]) -> None:
    """No other exception than a ConfigurationError is raised."""
    try:
        assert load(environ, _no_file).database.name
    except ConfigurationError as error:
        assert error.problems  # noqa: PT017 - either outcome is right, a third is not
