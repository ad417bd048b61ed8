"""Summaries of one job in the ledger: counts, its last slots and runs, and a year by day.

It only reads. A job that runs every minute has some hundred thousand rows: rows are counted by an index
alone, the number of rows that are read is limited, and each transaction is short.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from cavecron.database.timestamps import utc_text
from cavecron.ledger.column_values import instant, number, optional_instant, skip_unreadable, text
from cavecron.ledger.history import select_entries
from cavecron.ledger.records import Delivery, JobRecord, MailTotals, SlotRow, YearRecord
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import MANUAL_RUN, MISSED, SLOT_RUN, UNFINISHED

#: Days that are counted, and rows that are read, in one transaction: writers wait for its end.
_SPANS, _BATCH = 30, 2_000
#: The most rows of each state that are read of a year.
_MOST_ROWS = 20_000
#: How many rows are searched for the last success.
_MOST_SEARCHED = 20_000
_ENDED_BADLY = ("failed", "interrupted", "running")
#: Queries for slots that did not succeed; each has an index in its order. `before` is the second column of
#: the last row of the previous batch.
_BAD_ROWS = (
    *(
        "SELECT id, id, state, slot, last_slot, slots, reason FROM cavecron_run"  # noqa: S608 - constants
        f" WHERE job = :job AND {UNFINISHED} AND state = '{state}' AND trigger <> 'manual'"
        " AND slot >= :begin AND slot < :end AND id < coalesce(:before, 9e18) ORDER BY id DESC LIMIT :most"
        for state in _ENDED_BADLY
    ),
    "SELECT id, last_slot, state, slot, last_slot, slots, reason FROM cavecron_run"  # noqa: S608 - constants
    f" WHERE job = :job AND {MISSED} AND last_slot >= :begin AND slot < :end"
    " AND last_slot < coalesce(:before, 'a') ORDER BY last_slot DESC LIMIT :most",
)


def job_record(
    ledger: Ledger, job: str, *, slots: int, runs: int, undelivered: int, now: datetime
) -> JobRecord | None:
    """Return the record of a job at `now` (aware); None if there is no ledger.

    `slots`, `runs` and `undelivered` (mails) are the largest numbers of entries in it.

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
    """Return the results of a job's slots between the first and the last of `bounds` (aware, ascending).

    A span reaches from one bound up to, but not including, the next one.

    Raises:
        CavecronError: the database cannot be read.

    """
    marks = [utc_text(bound) for bound in bounds]
    runs: list[tuple[int, datetime | None]] = []
    rows: list[SlotRow] = []
    incomplete: list[datetime] = []
    for first in range(0, len(marks) - 1, _SPANS):
        runs += _runs_by_span(ledger, job, marks[first : first + _SPANS + 1])
    for query in _BAD_ROWS:
        selected = list(_bad_rows(ledger, query, {"job": job, "begin": marks[0], "end": marks[-1]}))
        rows += selected
        if len(selected) >= _MOST_ROWS:
            incomplete.append(selected[-1].last_slot)
    return YearRecord(runs_by_span=runs, rows=rows, since=max(incomplete, default=None))


def _runs_by_span(ledger: Ledger, job: str, marks: Sequence[str]) -> list[tuple[int, datetime | None]]:
    """Count the slots that ran between each two successive marks, in one transaction."""
    with ledger.reading() as connection:
        if connection is None:
            return [(0, None)] * (len(marks) - 1)
        counted = []
        for begin, end in pairwise(marks):
            count, first = connection.execute(
                f"SELECT count(*), min(slot) FROM cavecron_run WHERE job = ? AND {SLOT_RUN}"  # noqa: S608
                " AND slot >= ? AND slot < ?",
                (job, begin, end),
            ).fetchone()
            counted.append((count, optional_instant(first)))
        return counted


def _bad_rows(ledger: Ledger, query: str, values: Mapping[str, str]) -> Iterator[SlotRow]:
    """Yield the rows of a query of `_BAD_ROWS`, the latest first, one batch in each transaction."""
    before: object = None
    for _ in range(0, _MOST_ROWS, _BATCH):
        with ledger.reading() as connection:
            if connection is None:
                return
            rows = connection.execute(query, {**values, "before": before, "most": _BATCH}).fetchall()
        for row in rows:
            with skip_unreadable(ledger, "cavecron_run", row[0]):
                yield SlotRow(
                    state=text(row[2]),
                    slot=instant(row[3]),
                    last_slot=instant(row[4]),
                    slots=number(row[5]),
                    reason=None if row[6] is None else str(row[6]),
                )
        if len(rows) < _BATCH:
            return
        before = rows[-1][1]


def _totals(connection: sqlite3.Connection, job: str) -> Mapping[str, int]:
    """Count slots by state; the number of successes is computed from those of all rows and of the others."""
    one = {"job": job}
    ((rows,),) = connection.execute("SELECT count(*) FROM cavecron_run WHERE job = :job", one)
    unfinished = dict(
        connection.execute(
            f"SELECT state, count(*) FROM cavecron_run WHERE job = :job AND {UNFINISHED} GROUP BY state",  # noqa: S608
            one,
        ).fetchall()
    )
    by_hand = connection.execute(
        f"SELECT state, count(*) FROM cavecron_run WHERE job = :job AND {MANUAL_RUN} GROUP BY state",  # noqa: S608
        one,
    ).fetchall()
    for state, count in by_hand:
        unfinished[state] = unfinished.get(state, 0) - count
        rows -= count
    ((gaps, missed),) = connection.execute(
        f"SELECT count(*), coalesce(sum(slots), 0) FROM cavecron_run WHERE job = :job AND {MISSED}",  # noqa: S608
        one,
    )
    bad = {state: max(0, unfinished.get(state, 0)) for state in _ENDED_BADLY}
    return {"succeeded": max(0, rows - gaps - sum(bad.values())), **bad, "missed": int(missed)}


def _last_success(connection: sqlite3.Connection, job: str) -> tuple[int, datetime | None]:
    row = connection.execute(
        "SELECT id, finished FROM (SELECT id, finished, state, users FROM cavecron_run WHERE job = ?"
        " ORDER BY id DESC LIMIT ?) WHERE state = 'succeeded' AND users IS NULL LIMIT 1",
        (job, _MOST_SEARCHED),
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
