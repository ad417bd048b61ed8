"""Commands that depend on the present time, each at an instant at which an error is likely."""

import json
from datetime import datetime, timedelta

import pytest

from cavecron.config.settings import BUILT_IN, load
from cavecron.database.timestamps import utc_text
from cavecron.ledger.catch_up import register_jobs, scan
from cavecron.ledger.models import JobCursor
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW, CellarFile
from tests.support.critical_instants import AUTUMN, DAILY, HALF_HOURS, INSTANT, NEW_YEAR, SPRING, YEARLY
from tests.support.in_process import command
from tests.support.ledgers import MINUTE

REPORTS = "weekly_reports"


def database(cellar: CellarFile) -> str:
    """Return the DATABASE_URL of the cellar's database."""
    return f"sqlite:///{cellar.path}"


@pytest.fixture
def marie(cellar: CellarFile) -> CellarFile:
    """Return a database in which marie has a wine with the peak 2028, and two wines of Christmas week."""
    user = cellar.user("marie")
    home = cellar.cellar(user)
    cellar.wine(user, home, attributes={"apogee": 2028})
    for created in (NEW_YEAR - timedelta(days=7), NEW_YEAR - timedelta(days=7) - INSTANT):
        cellar.wine(user, home, created_at=utc_text(created))
    return cellar


@pytest.mark.parametrize(
    ("at", "zone", "score"),
    [
        pytest.param(NEW_YEAR - INSTANT, "Europe/Paris", 50, id="the old year in Paris"),
        pytest.param(NEW_YEAR, "Europe/Paris", 70, id="the new year in Paris"),
        pytest.param(NEW_YEAR + 30 * MINUTE, "UTC", 50, id="the old year in UTC, half an hour later"),
        pytest.param(NEW_YEAR + 60 * MINUTE, "UTC", 70, id="the new year in UTC"),
        pytest.param(
            NEW_YEAR + 359 * MINUTE, "America/New_York", 50, id="the old year in New York, six hours later"
        ),
    ],
)
def test_a_preview_is_of_the_year_that_it_is_in_the_zone(
    marie: CellarFile, at: datetime, zone: str, score: int
) -> None:
    """The zone decides which year it is: a peak this year scores 70, one in the next year 50."""
    result = command(
        "preview", "marie", "--json", at=at, DATABASE_URL=database(marie), SCHEDULER_TIMEZONE=zone
    )
    assert [wine["score"] for wine in json.loads(result.out)["wines_to_drink"]] == [score]


def test_a_preview_is_of_the_168_hours_up_to_now(marie: CellarFile) -> None:
    """The period is exact to the microsecond; its days and the hour are shown in the zone."""
    as_json, as_text = (
        command("preview", "marie", form, at=NEW_YEAR, DATABASE_URL=database(marie)).out
        for form in ("--json", "--text")
    )
    report = json.loads(as_json)
    assert report["period"] == {"start": "2027-12-24T23:00:00+00:00", "end": "2027-12-31T23:00:00+00:00"}
    assert report["activity"]["bottles_in"] == 1
    assert "Du samedi 25 décembre 2027 au samedi 1er janvier 2028\n" in as_text
    assert "Rapport généré le samedi 1er janvier 2028 à 00:00" in as_text


def test_a_week_with_a_clock_change_has_168_hours(cellar: CellarFile) -> None:
    """The period of Monday 8:00 after the change in autumn begins on the Monday before at 9:00."""
    user = cellar.user("marie")
    home, monday = cellar.cellar(user), AUTUMN + timedelta(days=1, hours=6)
    for created in (monday - timedelta(hours=168), monday - timedelta(hours=168) - INSTANT):
        cellar.wine(user, home, created_at=utc_text(created))
    result = command("preview", "marie", "--json", at=monday, DATABASE_URL=database(cellar))
    assert json.loads(result.out)["period"]["start"] == "2027-10-25T07:00:00+00:00"
    assert json.loads(result.out)["activity"]["bottles_in"] == 1


def ledger_since(cellar: CellarFile, since: datetime, **variables: str) -> Ledger:
    """Return a ledger in which the configured jobs were registered at `since`, and never scanned."""
    ledger = Ledger(database=cellar.database)
    jobs = load(variables, str, BUILT_IN).jobs
    register_jobs(ledger, {name: job.schedule for name, job in jobs.items()}, since)
    return ledger


@pytest.mark.parametrize(
    ("after", "code"),
    [
        pytest.param(timedelta(), 0, id="at the slot"),
        pytest.param(2 * MINUTE - INSTANT, 0, id="just under two minutes"),
        pytest.param(2 * MINUTE, 1, id="two minutes"),
        pytest.param(timedelta(minutes=59, seconds=59), 1, id="just under an hour"),
        pytest.param(60 * MINUTE, 1, id="an hour: it is missed"),
    ],
)
def test_a_slot_that_nobody_took_is_overdue_after_two_minutes(
    cellar: CellarFile, after: timedelta, code: int
) -> None:
    """`health` fails from then on until the slot is accounted for, however late that is."""
    ledger_since(cellar, NOW - 60 * MINUTE)
    result = command("health", at=NOW + after, DATABASE_URL=database(cellar))
    assert result.code == code
    problem = "cavecron : weekly_reports : le créneau du 2026-11-23 08:00 n'a pas été pris\n"
    assert result.err == (problem if code else "")


@pytest.mark.parametrize("by_hand", [False, True], ids=["nothing was done", "after a run by hand"])
def test_health_names_a_database_without_a_scheduler(cellar: CellarFile, *, by_hand: bool) -> None:
    """`health` says that no scheduler has run yet, and how to start one."""
    if by_hand:
        assert command("run", "cleanup", at=NOW, DATABASE_URL=database(cellar)).code == 0
    result = command("health", at=NOW, DATABASE_URL=database(cellar))
    assert (result.code, result.err) == (
        1,
        "cavecron : aucun planificateur n'a encore tourné sur cette base ; le lancer : cavecron (dans Docker"
        " : docker compose up -d)\n",
    )


@pytest.mark.parametrize(
    ("cron", "slot", "local"),
    [
        pytest.param(DAILY, SPRING, "2027-03-28 03:00", id="moved behind the gap"),
        pytest.param(DAILY, AUTUMN - 30 * MINUTE, "2027-10-31 02:30", id="the first 02:30"),
        pytest.param(HALF_HOURS, AUTUMN + 30 * MINUTE, "2027-10-31 02:30", id="the second 02:30"),
        pytest.param(YEARLY, NEW_YEAR, "2028-01-01 00:00", id="the new year"),
    ],
)
def test_a_slot_at_a_clock_change_is_overdue_like_any_other(
    cellar: CellarFile, cron: str, slot: datetime, local: str
) -> None:
    """It is overdue two minutes after its instant, whatever the local time is."""
    variables = {"SCHEDULER_CLEANUP_CRON": cron, "SCHEDULER_WEEKLY_REPORT_ENABLED": "0"}
    ledger_since(cellar, slot - INSTANT, **variables)
    variables["DATABASE_URL"] = database(cellar)
    assert command("health", at=slot + 2 * MINUTE - INSTANT, **variables).code == 0
    result = command("health", at=slot + 2 * MINUTE, **variables)
    assert (result.code, f"cleanup : le créneau du {local} n'a pas été pris" in result.err) == (1, True)


def ledger_with_claim(cellar: CellarFile) -> Ledger:
    """Return a ledger in which this process has claimed the slot at NOW, and whose run is running."""
    ledger = ledger_since(cellar, NOW - MINUTE)
    schedule = load({}, str, BUILT_IN).jobs[REPORTS].schedule
    (scan_result,) = scan(ledger, [JobCursor(job=REPORTS, schedule=schedule)], NOW)
    assert scan_result.claim
    return ledger


@pytest.mark.parametrize(
    ("after", "code"),
    [
        pytest.param(MINUTE, 0, id="a minute: it is running"),
        pytest.param(timedelta(minutes=59, seconds=59), 1, id="just under an hour: it can be resumed"),
        pytest.param(60 * MINUTE, 0, id="an hour: it cannot be resumed"),
    ],
)
def test_a_run_that_was_cut_off_is_missed_while_it_could_be_taken_up(
    cellar: CellarFile, after: timedelta, code: int
) -> None:
    """After its hour it cannot be resumed, so that a restart of the container would not help."""
    ledger_with_claim(cellar)
    result = command("health", at=NOW + after, DATABASE_URL=database(cellar))
    assert (result.code, "une exécution coupée net n'est pas reprise" in result.err) == (code, bool(code))


def test_history_shows_a_run_as_cut_off_from_the_end_of_its_lease_on(cellar: CellarFile) -> None:
    """One microsecond earlier it is shown as running, because its process may only be slow."""
    lease = ledger_with_claim(cellar).lease
    lines = [
        command("history", at=NOW + lease - before, DATABASE_URL=database(cellar)).out.splitlines()[0]
        for before in (INSTANT, timedelta())
    ]
    assert lines == [
        "2026-11-23 08:00  weekly_reports   en cours   rattrapage, démarré à 08:00:00, retard 0 s",
        "2026-11-23 08:00  weekly_reports   interrompu rattrapage, démarré à 08:00:00, retard 0 s",
    ]


def test_runs_by_hand_in_both_rounds_of_an_hour_are_two(cellar: CellarFile) -> None:
    """Both begin and end at local time 02:30, but they are stored as different instants."""
    rounds = [AUTUMN - 30 * MINUTE, AUTUMN + 30 * MINUTE]
    for at in rounds:
        assert command("run", "cleanup", at=at, DATABASE_URL=database(cellar)).code == 0
    later = AUTUMN + 60 * MINUTE
    entries = json.loads(command("history", "--json", at=later, DATABASE_URL=database(cellar)).out)
    assert [entry["slot"] for entry in entries] == [at.isoformat() for at in reversed(rounds)]
    assert all(entry["slot"] == entry["started"] == entry["finished"] for entry in entries)
    lines = command("history", at=later, DATABASE_URL=database(cellar)).out.splitlines()
    assert [line[:58] for line in lines if line.startswith("2027")] == [
        "2027-10-31 02:30  cleanup          réussi     à la main, d"
    ] * 2
