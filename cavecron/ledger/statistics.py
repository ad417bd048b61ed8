"""What the ledger says of one job as a whole: counts, its last slots and runs, a year by day.

Read, never written. A job of every minute has some hundred thousand rows: what is counted goes by an index
alone, what is read row by row is bounded, and each transaction is a short one.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from cavecron.database.timestamps import utc_text
from cavecron.ledger.history import select_entries
from cavecron.ledger.records import Delivery, JobRecord, MailTotals, SlotRow, YearRecord
from cavecron.ledger.rows import number, optional_instant, skip_unreadable, text
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import MISSED, SLOT_RUN, UNFINISHED

#: Rows of failures, or of missed slots, that are read of a year at most.
_MOST_ROWS = 20_000
#: Rows in which the last success is looked for.
_LOOKED_BACK = 20_000
_ENDED_BADLY = ("failed", "interrupted", "running")


def job_record(
    ledger: Ledger, job: str, *, slots: int, runs: int, undelivered: int, now: datetime
) -> JobRecord | None:
    """Return what the ledger says of a job at `now` (aware); None where there is no ledger.

    So many `slots`, `runs` and `undelivered` mails are returned at most.

    Raises:
        CavecronError: the database cannot be read.

    """
    with ledger.reading() as connection:
        if connection is None:
            return None
        slot_rows, run_rows = (
            select_entries(connection, ledger, f"job = :job AND {rows}", job=job, most=most, now=now)
            for rows, most in (("trigger <> 'manual'", slots), ("state <> 'missed'", runs))
        )
        complete_after, last_success = _last_success(connection, job)
        last = run_rows[0].id if run_rows else 0
        mails, more = _undelivered(connection, ledger, last, undelivered)
        return JobRecord(
            slots=slot_rows,
            runs=run_rows,
            totals=_totals(connection, job),
            complete_after=complete_after,
            last_success=last_success,
            mails=_mails(connection, [run.id for run in run_rows]),
            undelivered=mails,
            more=more,
        )


def year_record(ledger: Ledger, job: str, bounds: Sequence[datetime]) -> YearRecord:
    """Return what became of the slots of a job from the first to the last of the `bounds` (aware, ascending).

    The spans lie between two of them; each begins at its bound.

    Raises:
        CavecronError: the database cannot be read.

    """
    with ledger.reading() as connection:
        if connection is None:
            return YearRecord(ran=[(0, None)] * (len(bounds) - 1), rows=(), since=None)
        marks = [utc_text(bound) for bound in bounds]
        ran = [_ran(connection, job, *span) for span in pairwise(marks)]
        span = {"job": job, "begin": marks[0], "end": marks[-1]}
        rows, since = _bad_rows(connection, ledger, span)
    return YearRecord(ran=ran, rows=rows, since=since)


def _ran(connection: sqlite3.Connection, job: str, begin: str, end: str) -> tuple[int, datetime | None]:
    """Count what ran; the guard's index has all that is asked for, and no row is read."""
    count, first = connection.execute(
        f"SELECT count(*), min(slot) FROM cavecron_run WHERE job = ? AND {SLOT_RUN}"  # noqa: S608
        " AND slot >= ? AND slot < ?",
        (job, begin, end),
    ).fetchone()
    return count, optional_instant(first)


def _bad_rows(
    connection: sqlite3.Connection, ledger: Ledger, span: Mapping[str, str]
) -> tuple[list[SlotRow], datetime | None]:
    """Return the rows of what did not succeed, and since when they are complete if there were too many."""
    found: list[tuple[object, ...]] = []
    incomplete: list[datetime] = []
    unfinished = f"{UNFINISHED} AND state = :state AND trigger <> 'manual' AND slot >= :begin"
    missed = f"{MISSED} AND last_slot >= :begin AND slot < :end"
    queries = [(unfinished, "id", state) for state in _ENDED_BADLY] + [(missed, "last_slot", "missed")]
    for where, order, state in queries:
        rows = connection.execute(
            "SELECT id, state, slot, last_slot, slots, reason FROM cavecron_run"  # noqa: S608
            f" WHERE job = :job AND {where} ORDER BY {order} DESC LIMIT {_MOST_ROWS}",
            {**span, "state": state},
        ).fetchall()
        found += rows
        if len(rows) == _MOST_ROWS and (oldest := optional_instant(rows[-1][3])):
            incomplete.append(oldest)
    slots = []
    for row, ended, slot, last, count, reason in found:
        with skip_unreadable(ledger, "cavecron_run", row):
            first, end_slot = optional_instant(slot), optional_instant(last)
            if first and end_slot:
                slots.append(
                    SlotRow(
                        state=text(ended),
                        slot=first,
                        last_slot=end_slot,
                        slots=number(count),
                        reason=None if reason is None else str(reason),
                    )
                )
    return slots, max(incomplete, default=None)


def _totals(connection: sqlite3.Connection, job: str) -> Mapping[str, int]:
    """Count slots by state: those that succeeded are what ran less what did not, so that no row is read."""
    one = {"job": job}
    ((ran,),) = connection.execute(
        f"SELECT count(*) FROM cavecron_run WHERE job = :job AND {SLOT_RUN}",  # noqa: S608
        one,
    )
    unfinished = dict(
        connection.execute(
            f"SELECT state, count(*) FROM cavecron_run WHERE job = :job AND {UNFINISHED} GROUP BY state",  # noqa: S608
            one,
        ).fetchall()
    )
    for state, count in connection.execute(
        "SELECT state, count(*) FROM cavecron_run WHERE job = :job AND trigger = 'manual' GROUP BY state", one
    ):
        if state in unfinished:
            unfinished[state] -= count
    ((missed,),) = connection.execute(
        f"SELECT coalesce(sum(slots), 0) FROM cavecron_run WHERE job = :job AND {MISSED}",  # noqa: S608
        one,
    )
    bad = {state: max(0, unfinished.get(state, 0)) for state in _ENDED_BADLY}
    return {"succeeded": max(0, ran - sum(bad.values())), **bad, "missed": int(missed)}


def _last_success(connection: sqlite3.Connection, job: str) -> tuple[int, datetime | None]:
    row = connection.execute(
        "SELECT id, finished FROM (SELECT id, finished, state, users FROM cavecron_run WHERE job = ?"
        " ORDER BY id DESC LIMIT ?) WHERE state = 'succeeded' AND users IS NULL LIMIT 1",
        (job, _LOOKED_BACK),
    ).fetchone()
    return (row[0], optional_instant(row[1])) if row else (0, None)


def _mails(connection: sqlite3.Connection, runs: Sequence[int]) -> Mapping[int, MailTotals]:
    totals: dict[int, MailTotals] = {}
    for run in runs:
        rows = connection.execute(
            "SELECT state, count(*), sum(repeats) FROM cavecron_delivery WHERE run = ? GROUP BY state", (run,)
        ).fetchall()
        if rows:
            totals[run] = MailTotals(
                states={str(state): count for state, count, _repeats in rows},
                repeats=sum(int(repeats) for _state, _count, repeats in rows),
            )
    return totals


def _undelivered(
    connection: sqlite3.Connection, ledger: Ledger, run: int, most: int
) -> tuple[list[Delivery], int]:
    rows = connection.execute(
        "SELECT rowid, recipient, state, error FROM cavecron_delivery WHERE run = ? AND state <> 'sent'",
        (run,),
    ).fetchall()
    mails = []
    for row, recipient, state, error in rows[:most]:
        with skip_unreadable(ledger, "cavecron_delivery", row):
            mails.append(
                Delivery(
                    recipient=text(recipient), state=text(state), error=None if error is None else str(error)
                )
            )
    return mails, max(0, len(rows) - most)
