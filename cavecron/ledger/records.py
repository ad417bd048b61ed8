"""Summaries of one job: its last slots, runs and mails, totals, and a year by day.

Pure: no SQL, no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cavecron.ledger.models import HistoryEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A mail that was not delivered (yet): its recipient, its state, and the error."""

    recipient: str
    state: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTotals:
    """The number of mails of a run by state, and how many were sent again because the result was unknown."""

    states: Mapping[str, int]
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """The last slots and runs of a job, newest first, and the `totals` of all its slots by state.

    `complete_after` is the id of the last complete run that succeeded, which ended at `last_success` (aware).
    `mails` are the totals of these runs by run id. `undelivered` are mails of the last run, `more` is how
    many were omitted.
    """

    slots: Sequence[HistoryEntry]
    runs: Sequence[HistoryEntry]
    totals: Mapping[str, int]
    complete_after: int
    last_success: datetime | None
    mails: Mapping[int, MailTotals]
    undelivered: Sequence[Delivery]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRow:
    """A slot that did not succeed, or consecutive missed slots from `slot` to `last_slot` (aware)."""

    state: str
    slot: datetime
    last_slot: datetime
    slots: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class YearRecord:
    """For each span, how many slots ran and the first of them (aware); and slots that did not succeed.

    `rows` are complete from the instant `since` on; None if they are complete for the whole year.
    """

    runs_by_span: Sequence[tuple[int, datetime | None]]
    rows: Sequence[SlotRow]
    since: datetime | None
