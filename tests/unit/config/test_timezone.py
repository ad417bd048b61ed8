"""The zone of all schedules: SCHEDULER_TIMEZONE, TZ, and values of TZ that are meant for other programs."""

from datetime import UTC as PYTHONS_UTC
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from cavecron.config.parsing import InvalidValueError
from cavecron.config.settings import Settings, load
from cavecron.config.timezone import UTC
from cavecron.errors import ConfigurationError

_NOT_IANA = "n'est pas le nom d'un fuseau IANA : {} est utilisé ; SCHEDULER_TIMEZONE choisit le fuseau"


def _zone_of(key: str) -> ZoneInfo:
    """Return one of three zones, as on a small machine; EST5EDT is a name of POSIX and of IANA."""
    if key not in ("Europe/Paris", "America/Montreal", "EST5EDT"):
        raise ZoneInfoNotFoundError(key)
    return ZoneInfo(key)


def _load_settings(**environ: str) -> Settings:
    return load(environ, str, zone_of=_zone_of)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        (":/etc/localtime", "Europe/Paris"),
        ("/etc/localtime", "Europe/Paris"),
        ("/usr/share/zoneinfo/America/Montreal", "America/Montreal"),
        (":/usr/share/zoneinfo/posix/America/Montreal", "America/Montreal"),
        ("localtime", "Europe/Paris"),
        (":localtime", "Europe/Paris"),
        ("posixrules", "Europe/Paris"),
        (":", "Europe/Paris"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Paris"),
        ("CET-1CEST", "Europe/Paris"),
        ("UTC0", "Europe/Paris"),
        ("<+03>-3", "Europe/Paris"),
        ("EST5EDT,M3.2.0,M11.1.0", "Europe/Paris"),
        ("right/America/Montreal", "America/Montreal"),
        ("posix/America/Montreal", "America/Montreal"),
    ],
)
def test_a_value_of_tz_for_other_programs_is_a_warning(text: str, zone: str) -> None:
    """TZ belongs to the system, so a value that is no IANA zone must not prevent the start."""
    settings = _load_settings(TZ=text)
    assert settings.zone.key == zone
    assert settings.warnings == (f"TZ={text!r} {_NOT_IANA.format(zone)}",)


@pytest.mark.parametrize("text", ["America/Montreal", ":America/Montreal", "EST5EDT"])
def test_a_zone_in_tz_is_no_warning(text: str) -> None:
    """Neither the colon of POSIX nor a zone name that looks like a rule of POSIX is a problem."""
    settings = _load_settings(TZ=text)
    assert settings.zone.key == text.removeprefix(":")
    assert settings.warnings == ()


def test_tz_is_ignored_if_scheduler_timezone_is_set() -> None:
    """There is not even a warning about it."""
    settings = _load_settings(TZ=":/etc/localtime", SCHEDULER_TIMEZONE="America/Montreal")
    assert (settings.zone.key, settings.warnings) == ("America/Montreal", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "right/Europe/Paris",
            "secondes intercalaires, 27 s d'écart avec l'horloge ; Europe/Paris",
        ),
        ("posix/Europe/Paris", "ne sont pas des noms IANA ; Europe/Paris est attendu"),
        ("localtime", "un fuseau IANA est attendu"),
        ("posixrules", "un fuseau IANA est attendu"),
        ("/etc/localtime", "un fuseau IANA est attendu"),
        ("CET-1CEST", "un fuseau IANA est attendu"),
    ],
)
def test_scheduler_timezone_has_to_be_an_iana_zone(text: str, message: str) -> None:
    """Another value is an error, because only cavecron reads this variable."""
    with pytest.raises(ConfigurationError) as raised:
        _load_settings(SCHEDULER_TIMEZONE=text)
    (problem,) = raised.value.problems
    assert problem.startswith(f"SCHEDULER_TIMEZONE={text!r} : ")
    assert message in problem


def test_without_zone_data_all_else_is_checked_too() -> None:
    """There is one problem for the zone, though it is the default one, besides the other problems."""

    def no_zone(key: str) -> ZoneInfo:
        raise InvalidValueError("rien")

    with pytest.raises(ConfigurationError) as raised:
        load({"SCHEDULER_CLEANUP_HOUR": "25"}, str, zone_of=no_zone)
    assert raised.value.problems == (
        "SCHEDULER_TIMEZONE='Europe/Paris' : rien",
        "SCHEDULER_CLEANUP_HOUR='25' : une heure de 0 à 23 est attendue",
    )


def test_utc_needs_no_zone_data() -> None:
    """Our UTC equals Python's, and is used if there are no zones at all."""
    for year in (1900, 2026, 2500):
        assert datetime(year, 7, 1, tzinfo=UTC) == datetime(year, 7, 1, tzinfo=PYTHONS_UTC)
    assert UTC.key == "UTC"
