"""Values that the ledger takes and returns: cursors, claims, results and past runs.

Pure: no SQL, no clock.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from cavecron.ledger.states import CursorState, State, Trigger
from cavecron.schedule import Schedule, SlotRange

TOO_LATE = "trop tard"
REPLACED = "un créneau plus récent a pris la place"
BUSY = "l'exécution précédente durait encore"
KILLED = "coupé net : son processus a été tué"
#: For slots whose end is not in a restored ledger: they are closed, so that no mail is sent twice.
RESTORED = "base restaurée : ce qu'il en est advenu n'est pas connu, rien n'est rejoué"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCursor:
    """Until when one process has accounted for the slots of a job: `accounted_until`.

    In the state LEASE_EXPIRED, `expired_lease` is the end of the lease that had expired at the last scan.
    Instants are aware.
    """

    job: str
    schedule: Schedule
    state: CursorState = CursorState.FIRST_SCAN
    accounted_until: datetime | None = None
    expired_lease: datetime | None = None

    def after(self, result: "ScanResult", now: datetime) -> "JobCursor":
        """Return the cursor after a scan at `now` (aware)."""
        accounted_until = now if result.state is CursorState.WAITING else self.accounted_until
        return replace(
            self, state=result.state, accounted_until=accounted_until, expired_lease=result.expired_lease
        )

    def after_run(self) -> "JobCursor":
        """Return the cursor after this process has executed a run of the job."""
        return replace(self, state=CursorState.BUSY, expired_lease=None)

    def has_waited_for(self, slot: datetime) -> bool:
        """Return whether this process was waiting for `slot` (aware) when it came."""
        return (
            self.state is CursorState.WAITING
            and self.accounted_until is not None
            and self.accounted_until < slot
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right of this process to execute a run; `run` is the id of its row, 0 if it has none (yet).

    `slot` is the planned instant, or for a run by hand the instant of the first request (aware). `attempt`
    counts from 1; `failures` is how many earlier attempts failed. A run by hand can be limited to `users`;
    none means all. With `retry_permanent_failures`, mails that were refused for good are tried again.
    """

    job: str
    slot: datetime
    trigger: Trigger
    run: int = 0
    attempt: int = 1
    failures: int = 0
    users: tuple[str, ...] = ()
    retry_permanent_failures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedSlots:
    """Consecutive slots that did not run, and the reason in French."""

    slots: SlotRange
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUpRun:
    """A run that will not be resumed automatically any more.

    It was `killed`, or it failed or was stopped and was not resumed within the hour. `slot` is the planned
    instant, or for a run `by_hand` the instant of the request (aware). `claim` is the claim of the last
    attempt, if that was cut off, so that its mails are still to be recorded as failed.
    """

    slot: datetime
    killed: bool
    by_hand: bool = False
    claim: Claim | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """The result of a scan: the job's new `state`, the claimed run, missed slots and runs that were given up.

    `next_scan` (aware) is when to scan again before the next slot. In the state LEASE_EXPIRED,
    `expired_lease` is the end of the expired lease (aware).
    """

    state: CursorState = CursorState.WAITING
    claim: Claim | None = None
    missed: MissedSlots | None = None
    next_scan: datetime | None = None
    expired_lease: datetime | None = None
    given_up: tuple[GivenUpRun, ...] = ()

    @property
    def busy(self) -> bool:
        """Return whether a run of the job has not ended and cannot be taken over now."""
        return self.state is not CursorState.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of an attempt; `retry_at` (aware) if it failed or was stopped and is to be resumed."""

    state: State
    summary: str | None = None
    reason: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A row of the history: a run, or `slots` missed slots from `slot` to `last_slot` (aware instants).

    A greater `id` was inserted later. `repeats` counts mails that were sent again because their result was
    unknown; a `partial` run is one for some users only.
    """

    id: int
    job: str
    slot: datetime
    last_slot: datetime
    slots: int
    trigger: str
    state: str
    attempt: int
    started: datetime | None
    finished: datetime | None
    retry_at: datetime | None
    summary: str | None
    reason: str | None
    repeats: int = 0
    partial: bool = False

    @property
    def needs_resume(self) -> bool:
        """Return whether a person has to resume the run, because it was cut off or failed for good."""
        if self.reason == RESTORED:
            return False
        return self.state == "interrupted" or (self.state == "failed" and self.retry_at is None)
