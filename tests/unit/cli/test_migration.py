"""What `cavecron check` tells people who used the application's own scheduler before."""

from functools import partial

import pytest

from cavecron.appdb.earlier_reports import last_mailing
from cavecron.cli.migration import changed_hour
from cavecron.database.sqlite import Database
from tests.support.app_database import CellarFile
from tests.support.check_helpers import settings_of
from tests.support.commands import cavecron

_SENT = (
    "INSERT INTO email_log (recipient_email, subject, template_name, status, sent_at, created_at)"
    " VALUES ('marie@example.org', 'Rapport', ?, ?, ?, ?)"
)


def _log_mails(
    cellar: CellarFile, *instants: str, template: str = "weekly_report", status: str = "sent"
) -> None:
    for at in instants:
        cellar.execute(_SENT, (template, status, at, at))


def _changed_hour(cellar: CellarFile, **variables: str) -> str | None:
    settings = settings_of(cellar, **variables)
    return changed_hour(Database(cellar.path), settings.jobs["weekly_reports"])


def test_the_former_hour_of_the_reports_is_shown(cellar: CellarFile) -> None:
    """The former weekday and hour are in UTC, with the variables that keep them."""
    _log_mails(
        cellar, "2026-11-18 10:56:01.000000", "2026-11-25 10:56:01.000000", "2026-11-25 10:56:09.000000"
    )
    assert _changed_hour(cellar) == (
        "chaque lundi à 08:00 (Europe/Paris) ; jusqu'ici l'application les envoyait le mercredi à 10:56 UTC."
        " Pour garder cette heure (mercredi 11:56, Europe/Paris) : SCHEDULER_WEEKLY_REPORT_DAY=wed"
        " SCHEDULER_WEEKLY_REPORT_HOUR=11 SCHEDULER_WEEKLY_REPORT_MINUTE=56"
    )


@pytest.mark.parametrize(
    ("instants", "variables"),
    [
        pytest.param([], {}, id="no report yet"),
        pytest.param(["hier"], {}, id="unreadable"),
        pytest.param(["2026-11-23 07:00:02.000000"], {}, id="the same hour"),
        pytest.param(
            ["2026-11-23 08:03:00"], {"SCHEDULER_TIMEZONE": "UTC"}, id="the same hour, three minutes late"
        ),
    ],
)
def test_no_hint_is_given_where_nothing_changes(
    cellar: CellarFile, instants: list[str], variables: dict[str, str]
) -> None:
    """Without readable earlier mails, or with the same hour, there is no hint."""
    _log_mails(cellar, *instants)
    assert _changed_hour(cellar, **variables) is None


def test_other_mails_are_ignored(cellar: CellarFile) -> None:
    """Mails of another template, and failed ones, do not count as earlier reports."""
    _log_mails(cellar, "2026-11-25 10:56:01.000000", template="welcome")
    _log_mails(cellar, "2026-11-25 10:56:01.000000", status="failed")
    assert last_mailing(Database(cellar.path)) is None


def test_check_gives_the_hint_until_cavecron_has_sent_reports(cellar: CellarFile) -> None:
    """The hint is no failure, and it disappears after the first mailing of cavecron."""
    cellar.user("marie")
    _log_mails(cellar, "2026-11-25 10:56:01.000000")
    command = partial(
        cavecron,
        DATABASE_URL=f"sqlite:///{cellar.path}",
        CAVECRON_MAIL=f"maildir:{cellar.path.parent / 'outbox'}",
    )
    before = command("check")
    assert before.code == 0
    assert "\n✓ Horaire : chaque lundi à 08:00 (Europe/Paris) ; jusqu'ici" in before.out
    assert command("run", "weekly_reports").code == 0
    assert "Horaire" not in command("check").out
