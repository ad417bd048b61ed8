"""A process that mails the weekly reports and is killed at a chosen moment, as a power cut does."""

import asyncio
import logging
import os
import signal
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError, UsageError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.jobs.loader import load_for
from cavecron.ledger.models import Claim
from cavecron.ledger.process_id import OwnerState, owner_state
from cavecron.ledger.runs import claim_manual, claim_resume
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.clocks import wall_clock

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["cavecron.jobs.weekly_reports", "cavecron.mail.smtp", __name__])

# Once, in the server from which all of them are forked: the first time freezegun reads every module there is.
with wall_clock(datetime.now(UTC)):
    pass

#: Exit codes of a victim that lived.
DONE, FAILED = 0, 1


class Fuse:
    """Kills the process at the `burns`-th time that it is lit; 0 is never."""

    def __init__(self, burns: int) -> None:
        self._burns = burns

    def light(self, _statement: str) -> None:
        """Count, and end everything when it is time."""
        self._burns -= 1
        if self._burns == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class MinedDatabase(Database):
    """A database whose statements light a fuse."""

    fuse: Fuse

    def connect(self) -> sqlite3.Connection:
        """Return a mined connection."""
        connection = super().connect()
        connection.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing by it
        connection.set_trace_callback(self.fuse.light)
        return connection


def victim(
    path: Path, *, at: datetime, statement: int = 0, hidden: bool = False, ca_file: Path | None = None
) -> BaseProcess:
    """Start the run of the weekly reports, or take the last one up again, with a clock that says `at`.

    It is killed at the `statement`-th SQL statement, 0 for never. Where processes are `hidden` it cannot see
    that its predecessor is dead.
    """
    values = {"at": at, "statement": statement, "hidden": hidden, "ca_file": ca_file}
    process = _CONTEXT.Process(target=_mail, args=(path,), kwargs=values, daemon=True)
    process.start()
    return process


def _unseen(_owner: str) -> OwnerState:
    return "unseen"


def _mail(path: Path, *, at: datetime, statement: int, hidden: bool, ca_file: Path | None) -> None:
    logging.getLogger("cavecron").setLevel(logging.CRITICAL)
    variables = {"DATABASE_URL": f"sqlite:///{path}"} | ({"SMTP_CA_FILE": str(ca_file)} if ca_file else {})
    context = system_context(load_for([WEEKLY_REPORTS], variables))
    database = MinedDatabase(path=path, fuse=Fuse(statement))
    ledger = Ledger(database=database, state_of=_unseen if hidden else owner_state)
    context = replace(context, database=database, ledger=ledger)
    with wall_clock(at, tick=True):
        try:
            outcome = asyncio.run(
                execute_run(_claim(context), WEEKLY_REPORTS, context, stop=StopSignal(), options=Options())
            )
        except CavecronError:
            os._exit(FAILED)
        os._exit(FAILED if outcome.failures else DONE)


def _claim(context: RunContext) -> Claim:
    try:
        return claim_resume(context.ledger, WEEKLY_REPORTS.name, context.clock.now())
    except UsageError:  # killed before there was a run
        return claim_manual(context.ledger, WEEKLY_REPORTS.name, (), context.clock.now())
