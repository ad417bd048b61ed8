"""What became of past slots, and whether any is overdue: read, never written."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cavecron.database.timestamps import read_utc, utc_text
from cavecron.ledger.models import KILLED, HistoryEntry
from cavecron.ledger.process_id import is_dead
from cavecron.ledger.store import Ledger
from cavecron.schedule import GRACE, Schedule, previous_slot

#: A slot is overdue when nobody has accounted for it after this time.
_PATIENCE = timedelta(minutes=2)

_ENTRIES = """
    SELECT job, slot, last_slot, slots, trigger, state, attempt, started, finished, retry_at, summary, reason,
           lease_until, owner, users,
           (SELECT coalesce(sum(repeats), 0) FROM cavecron_delivery WHERE run = cavecron_run.id)
    FROM cavecron_run WHERE :job IS NULL OR job = :job ORDER BY last_slot DESC, id DESC LIMIT :most"""


def history(
    ledger: Ledger, *, job: str | None = None, most: int = 20, now: datetime | None = None
) -> list[HistoryEntry]:
    """Return the latest entries of one job or of all, newest first.

    With `now` (aware), a run whose process is dead by then is told as interrupted, although nobody has noted
    that yet.
    """
    with ledger.reading() as connection:
        if connection is None:
            return []
        rows = connection.execute(_ENTRIES, {"job": job, "most": most}).fetchall()
    return [_entry(row, now) for row in rows]


def overdue(ledger: Ledger, jobs: Mapping[str, Schedule], now: datetime) -> Sequence[str]:
    """Return for each job with a slot that nobody has accounted for, in French, which one and since when.

    Raises:
        CavecronError: the database cannot be read.

    """
    with ledger.reading() as connection:
        if connection is None:
            return ["le planificateur n'a pas encore ouvert cette base"]
        known = {
            name: (schedule, read_utc(looked))
            for name, schedule, looked in connection.execute(
                "SELECT name, schedule, looked_until FROM cavecron_job"
            )
        }
        busy = {
            name
            for (name,) in connection.execute(
                "SELECT job FROM cavecron_run WHERE state = 'running' AND lease_until > ?", (utc_text(now),)
            )
        }
        dead = connection.execute(
            "SELECT DISTINCT job FROM cavecron_run WHERE state = 'running' AND trigger <> 'manual'"
            " AND lease_until < ? AND slot > ?",
            (utc_text(now - _PATIENCE), utc_text(now - GRACE)),
        ).fetchall()
    problems = [f"{name} : une exécution coupée net n'est pas reprise" for (name,) in dead if name in jobs]
    for name, schedule in jobs.items():
        slot = previous_slot(schedule, now - _PATIENCE)
        identity, looked = known.get(name, ("", None))
        if name in busy or slot is None:
            continue
        if identity != schedule.fingerprint or looked is None:
            problems.append(f"{name} : le planificateur ne suit pas encore ce job avec cette planification")
        elif looked < slot:
            local = slot.astimezone(schedule.zone)
            problems.append(f"{name} : le créneau du {local:%Y-%m-%d %H:%M} n'a pas été pris")
    return problems


def _entry(row: Sequence[object], now: datetime | None) -> HistoryEntry:
    job, slot, last, slots, trigger, state, attempt, started, finished, retry_at, summary, reason = row[:12]
    lease_until, owner, users, repeats = row[12:]
    if now and state == "running" and _is_dead(read_utc(lease_until), str(owner), now):
        state, reason = "interrupted", KILLED
    return HistoryEntry(
        job=str(job),
        slot=read_utc(slot) or _UNREADABLE,
        last_slot=read_utc(last) or _UNREADABLE,
        slots=_number(slots),
        trigger=str(trigger),
        state=str(state),
        attempt=_number(attempt),
        started=read_utc(started),
        finished=read_utc(finished),
        retry_at=read_utc(retry_at),
        summary=None if summary is None else str(summary),
        reason=None if reason is None else str(reason),
        repeats=_number(repeats),
        partial=users is not None,
    )


def _is_dead(lease_until: datetime | None, owner: str, now: datetime) -> bool:
    return lease_until is None or lease_until <= now or is_dead(owner)


_UNREADABLE = datetime(1, 1, 3, tzinfo=UTC)


def _number(stored: object) -> int:
    return stored if isinstance(stored, int) else 0
