"""Runs of the weekly reports in this process: claimed, executed, and claimed again."""

import asyncio
import socket
from dataclasses import replace

from cavecron.errors import CavecronError
from cavecron.jobs.environment import load_for
from cavecron.jobs.job import WEEKLY_REPORTS, Outcome
from cavecron.ledger.models import Claim
from cavecron.ledger.runs import claim_again, claim_by_hand
from cavecron.scheduler.runner import Control, Means, Options, carry_out
from cavecron.scheduler.scheduler import means_of
from tests.support.app_database import CellarFile


def household_of(cellar: CellarFile) -> CellarFile:
    """Add two users who get a report, one without an address, and a sub-account."""
    marie = cellar.user("marie")
    cellar.user("paul")
    cellar.user("robert", None)
    cellar.user("lucas", parent=marie)
    return cellar


def closed_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def means(cellar: CellarFile, **variables: str) -> Means:
    """Return the means of a process."""
    environ = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "SCHEDULER_WEEKLY_REPORT_CONNECTIONS": "1",
        **variables,
    }
    return means_of(load_for([WEEKLY_REPORTS], environ))


def attempt(made: Means, claim: Claim, control: Control | None = None) -> Outcome | str:
    """Execute a claimed run; return its outcome, or what ended it."""
    work = carry_out(claim, WEEKLY_REPORTS, made, control=control or Control(), options=Options())
    try:
        return asyncio.run(work)
    except CavecronError as error:
        return str(error)


def first(made: Means, *users: str) -> Claim:
    """Claim a new run."""
    return claim_by_hand(made.ledger, WEEKLY_REPORTS.name, users, made.clock.now())


def again(made: Means, *, by_hand: bool = True) -> Claim:
    """Claim the last run once more, as a person does, or as the scheduler's own retries do."""
    claim = claim_again(made.ledger, WEEKLY_REPORTS.name, made.clock.now())
    return replace(claim, every_failure=by_hand)
