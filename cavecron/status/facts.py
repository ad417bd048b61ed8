"""The state of the scheduler, its jobs and their mails at one instant.

Instants are aware, in UTC; texts are French. No field holds a user's address; users' names are there only
if the caller asked for them. Pure: it knows neither the database nor how facts are shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from cavecron.ledger.states import State
from cavecron.status.coming_slots import ComingSlot

#: `unknown`: it was started in another container or on another host, where its process cannot be seen.
SchedulerState = Literal["up", "down", "unknown", "never"]
#: States of a mail that was not delivered: sent without an answer, refused, to be sent later, or given up
#: after it was sent twice without an answer.
UndeliveredState = Literal["sending", "failed", "deferred", "abandoned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerFacts:
    """Whether a scheduler runs.

    `since` is when it was started, or, if it is `down`, when it stopped; None if there never was one, or it
    was killed. `host` is the name of its machine or container, '' if that is not known.
    """

    state: SchedulerState
    since: datetime | None = None
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCounts:
    """The results of the mails of one run.

    `unknown` mails may have arrived: they are being sent, or the server did not answer. `deferred` ones are
    to be sent later. `repeated` counts how often a mail was sent again, under the same Message-ID, because
    it may have arrived; such a mail is counted in its state as well.
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
    """A mail of the last run that was not delivered, and the French reason, None if there is none yet.

    `recipient` is the user's name if names were asked for, else 'utilisateur 12'; of a mail that a custom
    job sent, it is the subject. `state` is that of the delivery.
    """

    recipient: str
    state: UndeliveredState
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run, for a slot or by hand; then `trigger` is `manual`, and `slot` is when it was requested.

    `lateness` is None for a run by hand, `duration` while it runs, or if its end is not known. A `partial`
    run was for some users only.
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
    """A past slot, its result, and the reason; `retry_at` is set if the scheduler will try it again."""

    slot: datetime
    state: State
    reason: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDay:
    """The slots of one local day, a date in the zone of the schedules, counted by state.

    `counts` has no zeros. `slot` is set if the day had only one; `reason` is the first reason among the slots
    of the worst state.
    """

    day: date
    counts: Mapping[State, int]
    slot: datetime | None = None
    reason: str | None = None

    @property
    def worst(self) -> State:
        """Return the state that is most important to a person; the day is shown in its colour."""
        order: tuple[State, ...] = ("failed", "interrupted", "missed", "running", "succeeded")
        return next((state for state in order if self.counts.get(state)), "succeeded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days of the last year that had slots, oldest first.

    `since` is the first day that was read: a year ago, or later if there were too many failures to read.
    """

    since: date
    until: date
    days: tuple[CalendarDay, ...] = ()

    @property
    def one_a_day(self) -> bool:
        """Return whether no day had more than one slot, so that each square stands for one."""
        return all(sum(day.counts.values()) <= 1 for day in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """One job; if the ledger does not know it, only the fields that the settings give are set.

    `schedule` is in French, without the zone. `variable` is the one that enables the job; `coming` is empty
    while it is disabled. `recent` are its last 30 slots, `series` its last 60 runs that have ended, both
    oldest first. `slots` counts by state the slots that the ledger still has. `last_success` is when the last
    complete run that succeeded ended, `unfinished` the latest run since then that was interrupted or failed,
    so that `cavecron run JOB --resume` has something to do. `undelivered` are mails of the last run,
    `undelivered_more` is how many more there are. `without_address` and `excluded` count the users who get no
    report at present. The last five are set only if `Scope` asks for them.
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
    without_address: int = 0
    excluded: int = 0
    calendar: Calendar | None = None
    series: tuple[RunFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFacts:
    """The newest backup: its file, when it was made, and its age at the instant of the facts.

    It is `overdue` if the backup job is enabled and three of its slots have passed since.
    """

    made: datetime
    age: timedelta
    path: str
    overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem that a person has to solve: a French sentence, and the command that helps."""

    sentence: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All facts at the instant `now`; `zone` is that of all schedules.

    `backup_problem` says why `backup` is None although there should be one.

    `trouble` is why the database could not be read, None if it could; without it only the facts from the
    settings are known. `overdue` has the sentences of `cavecron health`, `needs` the problems that a person
    has to solve. The fields have these names in `cavecron status --json`, too.
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
    backup_problem: str | None = None
    needs: tuple[Problem, ...] = ()

    @property
    def healthy(self) -> bool:
        """Return whether `cavecron health` would return 0."""
        return self.trouble is None and not self.overdue
