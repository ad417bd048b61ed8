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

#: Exit codes of a process that was not killed.
DONE, FAILED = 0, 1


class StatementCounter:
    """Kills the process at its `last` SQL statement, counted from 1; 0 is never."""

    def __init__(self, last: int) -> None:
        self._remaining = last

    def count(self, _statement: str) -> None:
        """Count one statement, and kill the process if it is the last."""
        self._remaining -= 1
        if self._remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class CountingDatabase(Database):
    """A database whose statements are counted."""

    counter: StatementCounter

    def connect(self) -> sqlite3.Connection:
        """Return a connection that counts its statements."""
        connection = super().connect()
        connection.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing by it
        connection.set_trace_callback(self.counter.count)
        return connection


def killable_process(
    path: Path, *, at: datetime, statement: int = 0, hidden: bool = False, ca_file: Path | None = None
) -> BaseProcess:
    """Start the run of the weekly reports, or resume the last one, with a clock that shows `at`.

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
    database = CountingDatabase(path=path, counter=StatementCounter(statement))
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
