"""The facts of `status`: a year by day, the latest slots, undelivered mails, and what needs a person."""

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cavecron.config.settings import Settings
from cavecron.jobs.job import Job
from cavecron.ledger.catch_up import register_jobs
from cavecron.ledger.deliveries import DeliveryUpdate
from cavecron.ledger.models import RunResult
from cavecron.ledger.process_id import process_token
from cavecron.ledger.runs import claim_manual, record_end
from cavecron.ledger.schedulers import record_start, record_stop
from cavecron.ledger.store import Ledger
from cavecron.status.calendar import day_bounds
from cavecron.status.collect import EVERYTHING, Scope, collect
from cavecron.status.facts import Facts, JobFacts, MailCounts, Problem
from cavecron.status.html import page
from cavecron.status.past_slots import for_display
from tests.support.app_database import NOW, CellarFile
from tests.support.ledgers import DONE, HOUR, MINUTE, WEEK
from tests.support.status_ledger import FAILED, REPORTS, SENT, SUCCEEDED, PastReports, loaded
from tests.unit.ledger.test_costs import fill

MINUTE_JOB = '''
from cavecron import job

@job("minute", title="chaque minute", cron="* * * * *")
def minute(run):
    """Does nothing."""
'''


def reports_job(facts: Facts) -> JobFacts:
    """Return the facts of the weekly reports."""
    return next(job for job in facts.jobs if job.name == REPORTS)


def load_minute_job(cellar: CellarFile) -> tuple[Settings, tuple[Job, ...]]:
    """Return settings and jobs, of which one has a slot each minute."""
    path = cellar.path.with_name("minute_job.py")
    path.write_text(MINUTE_JOB, encoding="utf-8")
    return loaded(cellar, CAVECRON_JOBS=str(path))


def test_mails_are_counted_and_nobody_is_named_unless_asked(cellar: CellarFile) -> None:
    """A reason of the mail server is kept without addresses, because anybody may see the page."""
    bob = cellar.user("Bob")
    past = PastReports(cellar, NOW - HOUR)
    mails = {
        "77": SENT,
        str(bob + 100): DeliveryUpdate(state="deferred", error="451 plus tard"),
        str(bob): DeliveryUpdate(state="failed", error="550 <bob@example.org> inconnu"),
        "5": DeliveryUpdate(state="abandoned", error="sort inconnu"),
    }
    past.ran(NOW, FAILED, mails)
    job = reports_job(collect(past.settings, past.jobs, now=NOW + HOUR))
    assert job.last_run
    assert job.last_run.mails == MailCounts(sent=1, failed=1, deferred=1, unknown=1)
    assert job.last_run.reason == "1 échec"
    reasons = {mail.recipient: mail.reason for mail in job.undelivered}
    assert reasons[f"utilisateur {bob}"] == "550 <(adresse)> inconnu"
    assert "example.org" not in str(job)
    named = reports_job(collect(past.settings, past.jobs, now=NOW, scope=Scope(undelivered=1, names=True)))
    assert (len(named.undelivered), named.undelivered_more) == (1, 2)
    full = reports_job(collect(past.settings, past.jobs, now=NOW, scope=Scope(undelivered=9, names=True)))
    assert "Bob" in {mail.recipient for mail in full.undelivered}
    assert full.last_run
    assert full.last_run.reason == "1 échec : Bob : 550 <(adresse)> inconnu"
    assert "example.org" not in str(full)


def test_users_who_get_no_report_are_counted(cellar: CellarFile) -> None:
    """No mail of the ledger is theirs; a sub-account is none of them."""
    claire = cellar.user("Claire")
    cellar.user("Bob", None)
    cellar.user("Paul", None, parent=claire)
    settings, jobs = loaded(cellar, SCHEDULER_WEEKLY_REPORT_EXCLUDE="Claire")
    facts = collect(settings, jobs, now=NOW)
    assert (reports_job(facts).without_address, reports_job(facts).excluded) == (1, 1)
    shown = " ".join(page(facts).split())
    assert (
        "1 utilisateur sans adresse e-mail, 1 exclu par <code>SCHEDULER_WEEKLY_REPORT_EXCLUDE</code>" in shown
    )
    few = collect(settings, jobs, now=NOW, scope=Scope())  # what the terminal does not show is not read
    assert reports_job(few).without_address == 0


def test_a_mail_of_a_job_of_ones_own_is_known_by_its_subject(cellar: CellarFile) -> None:
    """The ledger stores the address and the subject; only the subject is shown."""
    past = PastReports(cellar, NOW - HOUR)
    mail = {"claire@example.org Stock bas (a@b.fr)": DeliveryUpdate(state="failed", error="non")}
    past.ran(NOW, FAILED, mail)
    (undelivered,) = reports_job(collect(past.settings, past.jobs, now=NOW)).undelivered
    assert undelivered.recipient == "Stock bas ((adresse))"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param("2 échecs : Bob : 550 ; Claire : 551\n5", "2 échecs", id="names after the number"),
        pytest.param("refus de a.b@c.fr, <d@e>", "refus de (adresse), <(adresse)>", id="addresses"),
        pytest.param("'o'neil@c.fr' : \"a b\"@c.fr non", "'(adresse)' : (adresse) non", id="odd addresses"),
        pytest.param("clé illisible", "clé illisible", id="no name"),
        pytest.param(None, None, id="no text"),
    ],
)
def test_a_runs_text_is_shown_without_names_and_addresses(stored: str | None, expected: str | None) -> None:
    """Names and addresses are removed, and the rest of the text is kept."""
    assert for_display(stored, names=False) == expected


def test_each_missed_slot_is_one_in_the_strip_and_in_the_calendar(cellar: CellarFile) -> None:
    """Each slot counts, although the ledger has one row for all that were missed in a row."""
    past = PastReports(cellar, NOW - 60 * WEEK)
    past.scan_job(NOW - HOUR)
    past.ran(NOW, SUCCEEDED)
    job = reports_job(collect(past.settings, past.jobs, now=NOW + HOUR))
    assert [slot.state for slot in job.recent] == ["missed"] * 29 + ["succeeded"]
    assert job.recent[0].slot == datetime(2026, 5, 4, 6, tzinfo=UTC)  # 8:00 in summer time
    assert job.calendar
    assert job.calendar.one_a_day
    assert len(job.calendar.days) == 53
    assert {day.day.isoweekday() for day in job.calendar.days} == {1}
    assert (job.calendar.days[-1].day, job.calendar.days[-1].slot) == (date(2026, 11, 23), NOW)
    summer = next(day for day in job.calendar.days if day.day == date(2026, 7, 6))
    assert (summer.worst, summer.slot) == ("missed", datetime(2026, 7, 6, 6, tzinfo=UTC))
    assert "trop tard" in (summer.reason or "")
    assert job.slots["missed"] == 59


@pytest.mark.parametrize("zone", ["Europe/Paris", "Asia/Kathmandu", "America/Santiago", "Africa/Cairo"])
def test_days_begin_and_end_by_the_local_calendar(zone: str) -> None:
    """Also where midnight is skipped by a clock change, and where the offset is not in whole hours."""
    bounds = day_bounds(ZoneInfo(zone), NOW)
    assert len(bounds) == 367
    dates = [bound.astimezone(ZoneInfo(zone)).date() for bound in bounds]
    assert dates == [dates[0] + timedelta(days=number) for number in range(367)]
    assert bounds[-2] <= NOW < bounds[-1]


def test_a_year_of_a_minute_job_is_read_in_short_transactions(cellar: CellarFile) -> None:
    """Tens of thousands of runs are counted by day, with the first reason, within the time limit."""
    settings, jobs = load_minute_job(cellar)
    register_jobs(Ledger(database=cellar.database), settings.schedules, NOW)
    fill(cellar, "minute", 60_000, failed_every=100)
    cellar.execute("UPDATE cavecron_run SET reason = 'non' WHERE state = 'failed'")
    started = time.perf_counter()
    facts = collect(settings, jobs, now=NOW)
    assert time.perf_counter() - started < 10
    job = facts.jobs[-1]
    assert job.calendar
    yesterday = job.calendar.days[-2]
    assert sum(yesterday.counts.values()) == 1440
    assert yesterday.counts["failed"] in (14, 15)
    assert (yesterday.reason, yesterday.slot, yesterday.worst) == ("non", None, "failed")
    assert sum(day.counts["failed"] for day in job.calendar.days) == 600 == job.slots["failed"]
    assert sum(day.counts["succeeded"] for day in job.calendar.days) == 59_400 == job.slots["succeeded"]
    assert len(job.recent) == 30
    assert len(job.series) == 60


def test_a_year_with_too_many_failures_begins_where_they_are_known(cellar: CellarFile) -> None:
    """The calendar begins where all failures were read, so that the counts of each day are complete."""
    settings, jobs = load_minute_job(cellar)
    register_jobs(Ledger(database=cellar.database), settings.schedules, NOW)
    fill(cellar, "minute", 30_000, failed_every=1)
    calendar = collect(settings, jobs, now=NOW).jobs[-1].calendar
    assert calendar
    assert calendar.since == date(2026, 11, 10)
    assert {sum(day.counts.values()) for day in calendar.days[:-1]} == {1440}


def test_runs_by_hand_are_no_slots(cellar: CellarFile) -> None:
    """A manual run is the last run, but it is in no count of slots."""
    past = PastReports(cellar, NOW - HOUR)
    record_end(past.ledger, claim_manual(past.ledger, REPORTS, ("1",), NOW), DONE, NOW + MINUTE)
    job = reports_job(collect(past.settings, past.jobs, now=NOW + HOUR))
    assert job.last_run
    assert (job.last_run.trigger, job.last_run.partial, job.last_run.lateness) == ("manual", True, None)
    assert (job.recent, job.last_success, sum(job.slots.values())) == ((), None, 0)


@pytest.mark.parametrize(
    ("result", "commands"),
    [
        pytest.param(SUCCEEDED, [], id="succeeded"),
        pytest.param(FAILED, ["cavecron run weekly_reports --resume"], id="failed for good"),
        pytest.param(
            RunResult(state="failed", reason="réseau", retry_at=NOW + MINUTE), [], id="to be retried"
        ),
        pytest.param(
            RunResult(state="interrupted", reason="arrêt demandé"),
            ["cavecron run weekly_reports --resume"],
            id="interrupted",
        ),
    ],
)
def test_a_run_needs_a_person_only_where_nobody_takes_it_up(
    result: RunResult, commands: list[str], cellar: CellarFile
) -> None:
    """The command that helps is named; a running scheduler resumes an interrupted run by itself."""
    past = PastReports(cellar, NOW - HOUR)
    past.ran(NOW, result)
    facts = collect(past.settings, past.jobs, now=NOW + MINUTE)
    assert [need.command for need in facts.needs] == commands
    record_start(past.ledger, NOW)
    with_scheduler = collect(past.settings, past.jobs, now=NOW + MINUTE)
    assert [need.command for need in with_scheduler.needs] == (commands if result is FAILED else [])


def test_a_later_success_settles_what_was_missed_and_what_failed(cellar: CellarFile) -> None:
    """After a successful manual run, a missed slot needs no person any more."""
    past = PastReports(cellar, NOW - HOUR)
    past.scan_job(NOW + 2 * HOUR)
    (need,) = collect(past.settings, past.jobs, now=NOW + 3 * HOUR).needs
    missed = "weekly_reports : le créneau du 2026-11-23 08:00 a été manqué"
    assert need == Problem(sentence=missed, command="cavecron run weekly_reports")
    claim = claim_manual(past.ledger, REPORTS, (), NOW + 3 * HOUR)
    record_end(past.ledger, claim, SUCCEEDED, NOW + 3 * HOUR)
    assert collect(past.settings, past.jobs, now=NOW + 4 * HOUR).needs == ()


def test_a_scheduler_is_seen_while_it_is_there(cellar: CellarFile) -> None:
    """Its state follows from its process and its recorded start and stop, and is unknown on another host."""
    settings, jobs = loaded(cellar)
    assert collect(settings, jobs, now=NOW).scheduler.state == "never"
    running, dead = Ledger(database=cellar.database), Ledger(database=cellar.database, owner=_dead_owner())
    remote = Ledger(database=cellar.database, owner="nas:1:boot-1:5:aa")
    record_start(dead, NOW - HOUR)
    assert collect(settings, jobs, now=NOW).scheduler.state == "down"
    record_start(remote, NOW - MINUTE)
    unknown = collect(settings, jobs, now=NOW).scheduler
    assert (unknown.state, unknown.since, unknown.host) == ("unknown", NOW - MINUTE, "nas")
    record_start(running, NOW)
    assert collect(settings, jobs, now=NOW).scheduler.state == "up"
    record_stop(running, NOW + MINUTE)
    record_stop(remote, NOW + MINUTE)
    down = collect(settings, jobs, now=NOW + HOUR)
    assert (down.scheduler.state, down.scheduler.since) == ("down", NOW + MINUTE)
    sentence = "le planificateur est arrêté depuis le 2026-11-23 08:01"
    assert down.needs[0] == Problem(sentence=sentence, command="cavecron")


def test_a_scheduler_that_starts_often_leaves_few_rows(cellar: CellarFile) -> None:
    """Only the latest eight starts are kept, for a container that is restarted for years."""
    for number in range(20):
        record_start(Ledger(database=cellar.database), NOW + number * MINUTE)
    assert cellar.rows("SELECT count(*) FROM cavecron_scheduler") == [(8,)]


def test_a_ledger_of_an_earlier_release_is_read(cellar: CellarFile) -> None:
    """It has no table of schedulers until a new scheduler starts."""
    past = PastReports(cellar, NOW - HOUR)
    past.ran(NOW, SUCCEEDED)
    cellar.execute("DROP TABLE cavecron_scheduler")
    facts = collect(past.settings, past.jobs, now=NOW + MINUTE)
    assert (facts.trouble, facts.scheduler.state, facts.healthy) == (None, "never", True)
    assert reports_job(facts).last_run


def test_rows_that_somebody_edited_are_left_out(cellar: CellarFile) -> None:
    """Unreadable values in the ledger never make the command fail."""
    past = PastReports(cellar, NOW - 3 * WEEK)
    past.scan_job(NOW - HOUR)
    past.ran(NOW, SUCCEEDED, {"1": SENT})
    cellar.execute("UPDATE cavecron_run SET slots = 'beaucoup', reason = x'ff' WHERE state = 'missed'")
    cellar.execute("UPDATE cavecron_delivery SET state = x'ff', repeats = 'deux'")
    cellar.execute("INSERT INTO cavecron_scheduler VALUES (x'ff', 5, NULL), ('a', '2026-01-01', 'x')")
    facts = collect(past.settings, past.jobs, now=NOW + MINUTE, scope=EVERYTHING)
    assert facts.trouble is None
    assert [slot.state for slot in reports_job(facts).recent] == ["succeeded"]


def _dead_owner() -> str:
    """Return the owner name of a process of this machine that has ended."""
    host, _number, machine, start, unique = process_token().split(":")
    return ":".join((host, "4194300", machine, start, unique))


def test_a_disabled_job_has_no_coming_slots(cellar: CellarFile) -> None:
    """The variable that disables it is named."""
    settings, jobs = loaded(cellar, SCHEDULER_WEEKLY_REPORT_ENABLED="0")
    job = reports_job(collect(settings, jobs, now=NOW))
    assert (job.enabled, job.coming, job.variable) == (False, (), "SCHEDULER_WEEKLY_REPORT_ENABLED")


def test_coming_slots_say_what_a_clock_change_does(cellar: CellarFile) -> None:
    """The note is the same as that of `cavecron next`."""
    settings, jobs = loaded(cellar, SCHEDULER_CLEANUP_CRON="30 2 * * *")
    before = datetime(2027, 3, 27, 12, tzinfo=UTC)
    coming = collect(settings, jobs, now=before).jobs[1].coming
    assert coming[0].note == "l'heure de printemps saute 02:30 : à 03:00"
    assert len(coming) == 20
