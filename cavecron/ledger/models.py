"""What the ledger's callers hold in hands: claims, looks, endings and past runs.

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
class Watch:
    """A job as one process watches it.

    `fresh` before its first look. `looked` is until when this process has accounted for slots; `idle_since`
    since when it has been waiting for the next one, None when it just began or the job was running. `busy`
    says that since it last looked the job was running; `suspect` is the lease of another process that had run
    out by then. All instants are aware.
    """

    job: str
    schedule: Schedule
    fresh: bool = True
    looked: datetime | None = None
    idle_since: datetime | None = None
    busy: bool = False
    suspect: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that is this process's to execute; `run` is its row, 0 where it has none (yet).

    `slot` is the planned instant, or for a run by hand the one when it was first asked for (aware).
    `attempt` counts from 1, `failures` how many of the earlier ones failed. `users` are those that a run by
    hand is for, all where there are none. `every_failure` says that mails refused for good are tried again.
    """

    job: str
    slot: datetime
    trigger: Trigger
    run: int = 0
    attempt: int = 1
    failures: int = 0
    users: tuple[str, ...] = ()
    every_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Slots in a row that did not run, and the French reason."""

    gap: SlotRange
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look found: a claim, slots missed, and when to look again although no slot comes (aware).

    `busy` says that the job is running, `suspect` that the lease of who runs it has run out. `abandoned` is
    the slot of a killed process's run that was given up.
    """

    claim: Claim | None = None
    missed: Missed | None = None
    again: datetime | None = None
    busy: bool = False
    suspect: datetime | None = None
    abandoned: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended; `retry_at` (aware) where a failed one is to be tried again."""

    state: State
    summary: str | None = None
    reason: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
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
