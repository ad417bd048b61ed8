"""Whether a run is being executed: the state of its lease, and of the process that owns it.

It writes nothing, and decides nothing about the run.
"""

from datetime import datetime

from cavecron.ledger.rows import RunRow
from cavecron.ledger.states import LeaseState
from cavecron.ledger.store import Ledger


def lease_state(run: RunRow, ledger: Ledger, now: datetime) -> LeaseState:
    """Return the state at `now` (aware) of the lease of a run that has not ended.

    A lease that ends later than any lease can was taken with a wrong clock. It counts only if its owner is
    known to be alive, because that process will renew it.
    """
    lease, owner = run.lease_until, ledger.state_of(run.owner)
    if lease is None or owner == "dead":
        return LeaseState.OWNER_DEAD
    is_sane = lease <= now + 2 * ledger.lease
    if now < lease and is_sane:
        return LeaseState.VALID
    return LeaseState.EXPIRED if is_sane or owner != "alive" else LeaseState.AHEAD


def lease_is_valid(run: RunRow, ledger: Ledger, now: datetime) -> bool:
    """Return whether a run is being executed at `now` (aware), so that no other process may take it over."""
    return lease_state(run, ledger, now) in (LeaseState.VALID, LeaseState.AHEAD)
