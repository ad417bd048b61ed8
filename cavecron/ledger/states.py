"""The states of runs, leases and cursors, and the transitions of a cursor.

Pure: no SQL, no clock.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Literal

Trigger = Literal["slot", "replay", "manual"]
State = Literal["running", "succeeded", "failed", "interrupted", "missed"]


class CursorState(Enum):
    """The state of a job at the last scan of one process."""

    #: This process has not scanned it yet.
    FIRST_SCAN = auto()
    #: It was not running: this process waits for its next slot.
    WAITING = auto()
    #: It was running, in this process or another one.
    BUSY = auto()
    #: A run had not ended but its lease had expired: perhaps the machine of its owner was suspended.
    LEASE_EXPIRED = auto()


class LeaseState(Enum):
    """The state of the lease of a run that has not ended."""

    #: It has not expired.
    VALID = auto()
    #: It has expired; whether its owner is alive is not known.
    EXPIRED = auto()
    #: It has expired, and had expired at the last scan already: it was not renewed.
    STILL_EXPIRED = auto()
    #: It ends later than any lease can, because a clock was wrong; its owner is known to be alive.
    AHEAD = auto()
    #: Its owner is known to be dead.
    OWNER_DEAD = auto()


_ALWAYS = {
    LeaseState.VALID: CursorState.BUSY,
    LeaseState.AHEAD: CursorState.LEASE_EXPIRED,
    LeaseState.OWNER_DEAD: CursorState.WAITING,
}
#: The next state of a cursor, by its state and that of the lease of a run that has not ended. WAITING means
#: that no process executes the run any more. A process that has just started does not wait after a lease has
#: expired: it may be the restarted container that owned the run.
TRANSITIONS: Mapping[CursorState, Mapping[LeaseState, CursorState]] = {
    CursorState.FIRST_SCAN: {**_ALWAYS, LeaseState.EXPIRED: CursorState.WAITING},
    CursorState.WAITING: {**_ALWAYS, LeaseState.EXPIRED: CursorState.LEASE_EXPIRED},
    CursorState.BUSY: {**_ALWAYS, LeaseState.EXPIRED: CursorState.LEASE_EXPIRED},
    CursorState.LEASE_EXPIRED: {
        **_ALWAYS,
        LeaseState.EXPIRED: CursorState.LEASE_EXPIRED,  # the lease was renewed meanwhile
        # Only here: this is the only state in which a cursor remembers a lease.
        LeaseState.STILL_EXPIRED: CursorState.WAITING,
    },
}
