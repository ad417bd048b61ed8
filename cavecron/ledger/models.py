"""What the ledger takes and returns: cursors, claims, results and past runs.

Pure: no SQL, no clock.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cavecron.schedule import Schedule, SlotRange

Trigger = Literal["slot", "replay", "manual"]
State = Literal["running", "succeeded", "failed", "interrupted", "missed"]

TOO_LATE = "trop tard"
REPLACED = "un créneau plus récent a pris la place"
BUSY = "l'exécution précédente durait encore"
KILLED = "coupé net : son processus a été tué"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCursor:
    """How far one process has followed a job.

    `first_scan` before it has scanned at all. `accounted_until` is until when it has accounted for slots;
    `idle_since` since when it has been waiting for the next one, None when it just began or the job was
    running. `busy` says that the job was running at the last scan; `expired_lease` is the lease of another
    process that had run out by then. All instants are aware.
    """

    job: str
    schedule: Schedule
    first_scan: bool = True
    accounted_until: datetime | None = None
    idle_since: datetime | None = None
    busy: bool = False
    expired_lease: datetime | None = None


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
class Missed:
    """Slots in a row that did not run, and the French reason."""

    gap: SlotRange
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What a scan came to: a claim, slots missed, and when to scan again although no slot comes (aware).

    `busy` says that the job is running, `expired_lease` that the lease of who runs it has run out.
    `interrupted` is the slot of a killed process's run that was given up.
    """

    claim: Claim | None = None
    missed: Missed | None = None
    next_scan: datetime | None = None
    busy: bool = False
    expired_lease: datetime | None = None
    interrupted: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How an attempt ended; `retry_at` (aware) where a failed one is to be tried again."""

    state: State
    summary: str | None = None
    reason: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A row of the history: a run, or `slots` missed slots from `slot` to `last_slot` (aware instants).

    `repeats` counts mails that were sent again because their fate was unknown; a `partial` run is one for
    some users only.
    """

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
