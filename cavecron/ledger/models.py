"""What the ledger takes and returns: cursors, claims, results and past runs.

Pure: no SQL, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Literal

from cavecron.schedule import Schedule, SlotRange

Trigger = Literal["slot", "replay", "manual"]
State = Literal["running", "succeeded", "failed", "interrupted", "missed"]

TOO_LATE = "trop tard"
REPLACED = "un créneau plus récent a pris la place"
BUSY = "l'exécution précédente durait encore"
KILLED = "coupé net : son processus a été tué"
#: Why a slot is closed whose end a restored ledger does not know: nobody takes it up, no mail goes twice.
RESTORED = "base restaurée : ce qu'il en est advenu n'est pas connu, rien n'est rejoué"


class CursorState(Enum):
    """How a job stood at the last scan of one process."""

    #: This process has not scanned it yet.
    FIRST_SCAN = auto()
    #: Nobody ran it: this process waits for its next slot.
    WAITING = auto()
    #: It was running, here or elsewhere.
    BUSY = auto()
    #: A run had not ended, and its lease had run out: its owner may just have slept, with the whole machine.
    LEASE_EXPIRED = auto()


class LeaseState(Enum):
    """What the lease of a run says that has not ended."""

    #: It goes on.
    VALID = auto()
    #: It has run out; what became of its owner cannot be seen.
    EXPIRED = auto()
    #: It has run out, and is the very one that had run out at the last scan.
    STILL_EXPIRED = auto()
    #: It ends later than any lease can, by a clock that was wrong, and its owner is known to be there.
    AHEAD = auto()
    #: Its owner is known to be dead.
    OWNER_DEAD = auto()


_ALWAYS = {
    LeaseState.VALID: CursorState.BUSY,
    LeaseState.AHEAD: CursorState.LEASE_EXPIRED,
    LeaseState.OWNER_DEAD: CursorState.WAITING,
}
#: By the state of a cursor and the lease of a run that has not ended: the cursor's next state. WAITING means
#: that nobody executes the run any more. A process that just started does not wait after a lease has run
#: out: it may be a restarted container, and its own former run.
TRANSITIONS: Mapping[CursorState, Mapping[LeaseState, CursorState]] = {
    CursorState.FIRST_SCAN: {**_ALWAYS, LeaseState.EXPIRED: CursorState.WAITING},
    CursorState.WAITING: {**_ALWAYS, LeaseState.EXPIRED: CursorState.LEASE_EXPIRED},
    CursorState.BUSY: {**_ALWAYS, LeaseState.EXPIRED: CursorState.LEASE_EXPIRED},
    CursorState.LEASE_EXPIRED: {
        **_ALWAYS,
        LeaseState.EXPIRED: CursorState.LEASE_EXPIRED,  # it was renewed meanwhile
        LeaseState.STILL_EXPIRED: CursorState.WAITING,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCursor:
    """How far one process has followed a job.

    `accounted_until` is until when it has accounted for slots; `expired_lease` the lease that had run out at
    the last scan, in the state of that name. Instants are aware.
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
    """A run that is this process's to execute; `run` is its row, 0 where it has none (yet).

    `slot` is the planned instant, or for a run by hand the one when it was first asked for (aware).
    `attempt` counts from 1, `failures` how many of the earlier ones failed. `users` are those that a run by
    hand is for, all where there are none. With
    `retry_permanent_failures` mails refused for good are tried again.
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
    """Slots in a row that did not run, and the French reason."""

    slots: SlotRange
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUpRun:
    """A run that nobody will take up by itself any more.

    It was `killed`, or had failed or been stopped, and was to be taken up within the hour. `slot` is the
    planned instant, or for one `by_hand` when it was asked for (aware). `claim` is that of its last attempt
    where it was cut off: nobody has said yet what became of its mails.
    """

    slot: datetime
    killed: bool
    by_hand: bool = False
    claim: Claim | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What a scan came to: a claim, slots missed, and when to scan again although no slot comes (aware).

    `state` is how the job stands now. `expired_lease` is the lease that has run out, in the state of that
    name. `given_up` are runs that were given up.
    """

    state: CursorState = CursorState.WAITING
    claim: Claim | None = None
    missed: MissedSlots | None = None
    next_scan: datetime | None = None
    expired_lease: datetime | None = None
    given_up: tuple[GivenUpRun, ...] = ()

    @property
    def busy(self) -> bool:
        """Return whether a run of the job has not ended, which is not this process's to take."""
        return self.state is not CursorState.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How an attempt ended; `retry_at` (aware) where it failed or was stopped and is to be taken up again."""

    state: State
    summary: str | None = None
    reason: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A row of the history: a run, or `slots` missed slots from `slot` to `last_slot` (aware instants).

    A greater `id` came later in the ledger. `repeats` counts mails that were sent again because their fate
    was unknown; a `partial` run is one for some users only.
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
    def left_undone(self) -> bool:
        """Return whether somebody has to resume it: it was cut off, or failed for good."""
        if self.reason == RESTORED:
            return False
        return self.state == "interrupted" or (self.state == "failed" and self.retry_at is None)
