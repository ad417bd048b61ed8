"""Runs of the weekly reports in this process: claimed, executed, and claimed again."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.jobs.context import Outcome
from cavecron.jobs.loader import load_for
from cavecron.ledger.models import Claim
from cavecron.ledger.runs import claim_manual, claim_resume
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock

#: Nobody listens there (tcpmux, RFC 1078), and no other test can be given it.
CLOSED_PORT = 1


def household_of(cellar: CellarFile) -> CellarFile:
    """Add two users who get a report, one without an address, and a sub-account."""
    marie = cellar.user("marie")
    cellar.user("paul")
    cellar.user("robert", None)
    cellar.user("lucas", parent=marie)
    return cellar


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The context of a process that executes runs, and the time of its clock (aware)."""

    context: RunContext
    now: datetime

    @property
    def ledger(self) -> Ledger:
        """Return the ledger that it writes."""
        return self.context.ledger

    def on(self, database: Database) -> "Process":
        """Return the same process over another connection to the file."""
        return replace(
            self, context=replace(self.context, database=database, ledger=Ledger(database=database))
        )


def process(cellar: CellarFile, now: datetime = NOW, **variables: str) -> Process:
    """Return a process that mails over one connection, its clock at `now`."""
    environ = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "SCHEDULER_WEEKLY_REPORT_CONNECTIONS": "1",
        **variables,
    }
    return Process(context=system_context(load_for([WEEKLY_REPORTS], environ)), now=now)


def attempt(made: Process, claim: Claim, control: StopSignal | None = None) -> Outcome | str:
    """Execute a claimed run; return its outcome or its error."""
    work = execute_run(claim, WEEKLY_REPORTS, made.context, stop=control or StopSignal(), options=Options())
    with wall_clock(made.now, tick=True):
        try:
            return asyncio.run(work)
        except CavecronError as error:
            return str(error)


def first(made: Process, *users: str) -> Claim:
    """Claim a new run."""
    return claim_manual(made.ledger, WEEKLY_REPORTS.name, users, made.now)


def again(made: Process, *, by_hand: bool = True) -> Claim:
    """Claim the last run again, as `--resume` or as the scheduler does."""
    return replace(claim_resume(made.ledger, WEEKLY_REPORTS.name, made.now), retry_permanent_failures=by_hand)
