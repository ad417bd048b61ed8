"""What is known of the scheduler, its jobs and their mails at one instant.

Instants are aware, in UTC, spans are timedeltas, and texts are French. Nothing here holds an address of a
user; names of users only where they were asked for. Pure: it knows no database, and nobody who shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from cavecron.ledger.models import State

#: `unknown`: it was started, and from here (another container, another host) nobody sees whether it is there.
SchedulerState = Literal["up", "down", "unknown", "never"]
#: States of a mail that was not delivered: its fate unknown, refused, put off, or given up with its fate
#: unknown.
UndeliveredState = Literal["sending", "failed", "deferred", "abandoned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerFacts:
    """Whether a scheduler is there: since `since` it is `up` (or, `unknown`, was started), or it is `down`.

    `since` is None where it never was, or where it ended without a word; `host` is the machine's or the
    container's name, '' where it is not known.
    """

    state: SchedulerState
    since: datetime | None = None
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCounts:
    """What became of the mails of one run.

    `repeated` counts how often one was sent again because its fate was unknown (with the same Message-ID);
    such a mail is counted in its state as well. `unknown` are those whose fate is not known now: on their
    way, or given up after two tries without an answer. `deferred` are not delivered yet and may be.
    """

    sent: int = 0
    failed: int = 0
    deferred: int = 0
    unknown: int = 0
    repeated: int = 0

    @property
    def total(self) -> int:
        """Return how many mails there are, each counted once."""
        return self.sent + self.failed + self.deferred + self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliveredMail:
    """A mail of the last run that somebody did not get, and the French reason (None: not known, or not yet).

    `recipient` is a name only if names were asked for, else 'utilisateur 12', or the mail's subject where a
    job of one's own sent it; `state` is that of the delivery.
    """

    recipient: str
    state: UndeliveredState
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run: for a slot, or by hand (`trigger` is `manual`, and `slot` the instant when it was asked for).

    `lateness` is None for a run by hand; `duration` None while it runs or where the end is not known.
    `partial` runs were for some users only.
    """

    slot: datetime
    trigger: str
    state: State
    started: datetime | None
    finished: datetime | None
    lateness: timedelta | None
    duration: timedelta | None
    attempt: int
    retry_at: datetime | None
    summary: str | None
    reason: str | None
    partial: bool
    mails: MailCounts = MailCounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFacts:
    """A slot that has passed, what became of it, and why; `retry_at` where it is tried again by itself."""

    slot: datetime
    state: State
    reason: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingSlot:
    """A slot to come, the same in local time, and in French what a clock change does to it ('': nothing)."""

    at: datetime
    local: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDay:
    """The slots of one local day, a date in the zone of the schedules: how many became what.

    `counts` has no zeros. `slot` is the slot where the day had one only; `reason` is the first reason among
    the slots of the worst state.
    """

    day: date
    counts: Mapping[State, int]
    slot: datetime | None = None
    reason: str | None = None

    @property
    def worst(self) -> State:
        """Return the state that the day is shown in: the one that a person has to know of."""
        order: tuple[State, ...] = ("failed", "interrupted", "missed", "running", "succeeded")
        return next((state for state in order if self.counts.get(state)), "succeeded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days of the last year that had slots, oldest first.

    `since` is the first day that is known: a year ago, or later where there were too many failures to be
    read.
    """

    since: date
    until: date
    days: tuple[CalendarDay, ...] = ()

    @property
    def one_a_day(self) -> bool:
        """Return whether no day had more than one slot: then each square is a slot."""
        return all(sum(day.counts.values()) <= 1 for day in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """One job. Those of a job of which the ledger knows nothing have only what the settings say.

    `schedule` are French words, without the zone. `variable` is the one that enables it. `coming` is empty
    while it is disabled. `recent` are its last 30 slots, `series` its last 60 runs that have ended, both
    oldest first. `slots` counts by state what the ledger still has. `last_success` is the end of the last
    complete run that succeeded; `unfinished` the latest run since then that was cut off or failed for good:
    `cavecron run JOB --resume` would find something to do. `undelivered` are mails of the last run,
    `undelivered_more` how many are left out there. `calendar` and `series` are there only if they were asked
    for.
    """

    name: str
    title: str
    schedule: str
    variable: str
    enabled: bool
    coming: tuple[ComingSlot, ...] = ()
    last_run: RunFacts | None = None
    last_success: datetime | None = None
    unfinished: RunFacts | None = None
    recent: tuple[SlotFacts, ...] = ()
    slots: Mapping[State, int] = field(default_factory=dict)
    undelivered: tuple[UndeliveredMail, ...] = ()
    undelivered_more: int = 0
    calendar: Calendar | None = None
    series: tuple[RunFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFacts:
    """The newest good copy of the database: its file, when it was made, and its age by the facts' instant.

    It is `overdue` where copies are to be made and three of their slots have passed since.
    """

    made: datetime
    age: timedelta
    path: str
    overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a person has to see to: a French sentence, and the command that helps."""

    sentence: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All of it at the instant `now`; `zone` is that of all schedules.

    `trouble` is why the database could not be read; the rest is what the settings say then. None where it
    could. `overdue` is what `cavecron health` says, in its words.
    """

    version: str
    zone: ZoneInfo
    now: datetime
    database: str
    scheduler: SchedulerFacts
    jobs: tuple[JobFacts, ...]
    trouble: str | None = None
    overdue: tuple[str, ...] = ()
    backup: BackupFacts | None = None
    needs: tuple[Need, ...] = ()

    @property
    def healthy(self) -> bool:
        """Return what `cavecron health` says by its exit code."""
        return self.trouble is None and not self.overdue
