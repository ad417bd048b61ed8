"""Facts for pages: jobs with all outcomes in a year, a scheduler without problems, and hostile texts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from cavecron.ledger.states import State
from cavecron.schedule import Schedule, count_slots, next_slot, parse, previous_slot
from cavecron.schedule.describe import clock_note, describe
from cavecron.status.coming_slots import ComingSlot
from cavecron.status.facts import (
    BackupFacts,
    Calendar,
    CalendarDay,
    Facts,
    JobFacts,
    MailCounts,
    Problem,
    RunFacts,
    SchedulerFacts,
    UndeliveredMail,
)

PARIS = ZoneInfo("Europe/Paris")
#: A Thursday; the clocks have gone forward in the calendar's year, and go back next Sunday.
NOW = datetime(2026, 10, 22, 6, 30, tzinfo=UTC)
DAY = timedelta(days=1)
#: What became of most slots, and of the others, with the reason.
TROUBLES: Sequence[tuple[State, str]] = (
    ("failed", "serveur SMTP injoignable : connexion refusée (mail.example.net:587)"),
    ("missed", "trop tard : la machine dormait"),
    ("interrupted", "coupé net : son processus a été tué"),
)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eretourné\u2066 &amp; ]]> <!-- -->",
    "x" * 10_000,
    "\x00\x1b[31m\ud800\ufffe",
    "</title></style></svg></script>",
)


def quiet_facts() -> Facts:
    """Return facts of a scheduler without problems."""
    jobs = (
        job_facts("weekly_reports", "0 8 * * mon", trouble=0),
        job_facts("cleanup", "0 3 * * sun", trouble=0),
    )
    return Facts(
        version="1.0.0",
        zone=PARIS,
        now=NOW,
        database="/data/wine.db",
        scheduler=SchedulerFacts(state="up", since=NOW - 20 * DAY, host="nas"),
        jobs=jobs,
        backup=BackupFacts(
            made=NOW - DAY / 4, age=DAY / 4, path="/data/backups/wine-2026-10-22T023000.sqlite"
        ),
    )


def rich_facts(number: int = 5) -> Facts:
    """Return facts of so many jobs with all outcomes in a year."""
    weekly = job_facts("weekly_reports", "0 8 * * mon", mails=40)
    makers = (
        replace(
            weekly,
            title="envoi des rapports hebdomadaires",
            undelivered=(
                UndeliveredMail(recipient="utilisateur 12", state="failed", reason="550 boîte inconnue"),
                UndeliveredMail(
                    recipient="utilisateur 31", state="deferred", reason="451 réessayer plus tard"
                ),
            ),
            undelivered_more=3,
        ),
        job_facts("backup", "30 2 * * *"),
        job_facts("cellar_probe", "* * * * *"),
        replace(job_facts("cleanup", "0 3 * * sun", trouble=0), title="nettoyage des anciennes données"),
        JobFacts(
            name="low_stock",
            title="alerte de stock bas",
            schedule="",
            variable="SCHEDULER_LOW_STOCK_ENABLED",
            enabled=False,
        ),
    )
    daily = job_facts("daily", "0 4 * * *", mails=10)
    more = [replace(daily, name=f"daily_{place}") for place in range(number - len(makers))]
    return replace(
        quiet_facts(),
        jobs=(*makers[:number], *more),
        needs=(
            Problem(
                sentence="weekly_reports : l'exécution du 2026-10-19 08:00 a échoué",
                command="cavecron run weekly_reports --resume",
            ),
            Problem(sentence="le planificateur est arrêté depuis le 2026-10-20 08:00", command="cavecron"),
        ),
        scheduler=SchedulerFacts(state="down", since=NOW - 2 * DAY, host="nas"),
    )


def hostile_facts(text: str) -> Facts:
    """Return facts in which every text is `text`."""
    facts = rich_facts(1)
    jobs = [_hostile_job(job, text) for job in facts.jobs]
    return replace(
        facts,
        jobs=tuple(jobs),
        needs=(Problem(sentence=text, command=text),),
        database=text,
        version=text,
        trouble=text,
        overdue=(text,),
        scheduler=replace(facts.scheduler, host=text),
        backup=BackupFacts(made=NOW, age=DAY, path=text),
    )


def _hostile_job(job: JobFacts, text: str) -> JobFacts:
    assert job.calendar
    assert job.last_run
    days = tuple(replace(day, reason=text) for day in job.calendar.days)
    undelivered = (UndeliveredMail(recipient=text, state="failed", reason=text),)
    return replace(
        job,
        name=text,
        title=text,
        schedule=text,
        variable=text,
        enabled=False,
        last_run=replace(job.last_run, summary=text, reason=text, trigger=text),
        calendar=replace(job.calendar, days=days),
        undelivered=undelivered,
        coming=tuple(replace(slot, note=text) for slot in job.coming),
    )


@cache
def job_facts(name: str, cron: str, *, mails: int = 0, trouble: float = 0.06) -> JobFacts:
    """Return a year of a job whose runs send so many mails; `trouble` is the share that went wrong."""
    random = Random(name)
    schedule = parse(cron, PARIS)
    series = _series(schedule, mails, random, trouble)
    return JobFacts(
        name=name,
        title=f"tâche {name}",
        schedule=describe(schedule),
        variable=f"SCHEDULER_{name.upper()}_ENABLED",
        enabled=True,
        coming=tuple(_coming(schedule)),
        last_run=series[-1],
        last_success=NOW - 30 * DAY,
        calendar=_calendar(schedule, random, trouble),
        series=series,
    )


def _coming(schedule: Schedule) -> list[ComingSlot]:
    slots: list[ComingSlot] = []
    after = NOW
    while len(slots) < 20 and (slot := next_slot(schedule, after)):
        slots.append(ComingSlot(at=slot, local=slot.astimezone(PARIS), note=clock_note(schedule, slot)))
        after = slot
    return slots


def _calendar(schedule: Schedule, random: Random, trouble: float) -> Calendar:
    today = NOW.astimezone(PARIS).date()
    since = today - 365 * DAY
    days = [_calendar_day(since + back * DAY, schedule, random, trouble) for back in range(366)]
    return Calendar(since=since, until=today, days=tuple(day for day in days if day.counts))


def _calendar_day(day: date, schedule: Schedule, random: Random, trouble: float) -> CalendarDay:
    begin = datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC)
    after, until = begin - timedelta.resolution, min(begin + DAY - timedelta.resolution, NOW)
    number = count_slots(schedule, after, until) if until > after else 0
    if not number:
        return CalendarDay(day=day, counts={})
    slot = next_slot(schedule, after) if number == 1 else None
    if random.random() >= trouble:
        return CalendarDay(day=day, counts={"succeeded": number}, slot=slot)
    state, reason = random.choice(TROUBLES)
    bad = random.randint(1, number)
    counts: dict[State, int] = {"succeeded": number - bad} if number > bad else {}
    return CalendarDay(day=day, counts={**counts, state: bad}, slot=slot, reason=reason)


def _series(schedule: Schedule, mails: int, random: Random, trouble: float) -> tuple[RunFacts, ...]:
    runs: list[RunFacts] = []
    slot = previous_slot(schedule, NOW)
    while slot and len(runs) < 60:
        runs.append(_run(slot, mails, random, trouble))
        slot = previous_slot(schedule, slot - timedelta.resolution)
    return tuple(reversed(runs))


def _run(slot: datetime, mails: int, random: Random, trouble: float) -> RunFacts:
    bad = random.random() < trouble
    late = timedelta(minutes=random.randint(1, 50)) if random.random() < trouble else timedelta()
    length = timedelta(seconds=random.lognormvariate(1, 0.8))
    failed = random.randint(1, max(1, mails // 4)) if bad and mails else 0
    return RunFacts(
        slot=slot,
        trigger="replay" if late else "slot",
        state="failed" if bad else "succeeded",
        started=slot + late,
        finished=slot + late + length,
        lateness=late,
        duration=length,
        attempt=2 if bad else 1,
        retry_at=None,
        summary=f"{mails - failed} envoyés, {failed} échecs" if mails else "fait",
        reason=TROUBLES[0][1] if bad else None,
        partial=False,
        mails=MailCounts(sent=mails - failed, failed=failed, repeated=1 if bad and mails else 0),
    )
