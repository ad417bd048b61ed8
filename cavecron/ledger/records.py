"""What is counted and listed of one job: its slots, runs and mails, and a year by day.

Pure: no SQL, no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cavecron.ledger.models import HistoryEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A mail that was not delivered (yet): to whom, its state, and why."""

    recipient: str
    state: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTotals:
    """How many mails of a run are in each state, and how often one was sent again in doubt."""

    states: Mapping[str, int]
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """The last slots and runs of a job, newest first, and what its slots came to in all, by state.

    `complete_after` is the id of the last complete run that succeeded, which ended at `last_success` (aware).
    `mails` are those of the runs by their ids. `undelivered` are those of the last run, `more` how many are
    left out there.
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
    """A slot that did not succeed, or several missed in a row from `slot` to `last_slot` (aware)."""

    state: str
    slot: datetime
    last_slot: datetime
    slots: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class YearRecord:
    """What ran in each of some spans: how many slots, and the first (aware); and the rows of what went wrong.

    `since` is the instant from which on the rows are complete, None where all of them are.
    """

    ran: Sequence[tuple[int, datetime | None]]
    rows: Sequence[SlotRow]
    since: datetime | None
