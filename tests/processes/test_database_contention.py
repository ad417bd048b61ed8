"""Contention: another process writes all the time, or locks the file for long, while mails are sent."""

import asyncio
import random
import sqlite3
import time
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.jobs.loader import load_for
from cavecron.ledger.models import Claim
from cavecron.ledger.runs import claim_manual, claim_resume
from cavecron.ledger.store import Ledger
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import CellarFile
from tests.support.fake_smtp.server import FakeSmtpServer

_USERS = 200
#: Seconds to wait for a lock, a tenth of the real limit; and the other process's locks, a tenth of 1, 10
#: and 40 seconds.
_LOCK_LIMIT = 3.0
_LOCKS = (0.1, 1.0, 4.0)
_MOST_ATTEMPTS = 20


def _other_writer(path: Path, seed: int, done: Event, answer: Connection) -> None:
    """Write every 10 ms and sometimes lock the file; send the longest wait for a write."""
    generator = random.Random(seed)
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    waits = []
    locks = list(_LOCKS) * 2
    generator.shuffle(locks)
    while not done.is_set():
        if locks and generator.random() < 0.02:
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(locks.pop())
            connection.execute("COMMIT")
        started = time.perf_counter()
        connection.execute(
            "INSERT INTO activity_log (user_id, action, created_at) VALUES (1, 'x', '2026-11-23 07:00:00')"
        )
        waits.append(time.perf_counter() - started)
        time.sleep(0.01)
    answer.send((max(waits), len(locks)))


def _run_context(cellar: CellarFile) -> RunContext:
    context = system_context(load_for([WEEKLY_REPORTS], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))
    database = Database(cellar.path, busy_timeout=_LOCK_LIMIT)
    return replace(context, database=database, ledger=Ledger(database=database))


def _claim(context: RunContext, attempt: int) -> Claim:
    now = context.clock.now()
    if attempt == 0:
        return claim_manual(context.ledger, WEEKLY_REPORTS.name, (), now)
    return claim_resume(context.ledger, WEEKLY_REPORTS.name, now)


def _send_reports(context: RunContext) -> int:
    """Run the reports until all mails are sent, as the retries of a failed run do; return the attempts."""
    for attempt in range(_MOST_ATTEMPTS):
        try:
            claim = _claim(context, attempt)
            work = execute_run(claim, WEEKLY_REPORTS, context, stop=StopSignal(), options=Options())
            asyncio.run(work)
        except CavecronError as error:
            assert error.temporary, error  # noqa: PT017 - only a lock may cause an error
        else:
            return attempt + 1
    pytest.fail("no attempt sent all mails")


@pytest.mark.slow
def test_everybody_gets_one_mail_beside_a_process_that_locks_the_file(cellar: CellarFile) -> None:
    """Whatever the locks, each user gets one mail; the other process's longest wait is printed."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    for number in range(_USERS):
        cellar.user(f"user{number:03}")
    context = get_context("spawn")
    done = context.Event()
    receiver, sender = context.Pipe()
    with FakeSmtpServer(latency=0.01) as server:
        cellar.smtp(server.port, timeout=5)
        other_writer = context.Process(
            target=_other_writer, args=(cellar.path, seed, done, sender), daemon=True
        )
        other_writer.start()
        attempts = _send_reports(_run_context(cellar))
        done.set()
        longest, locks_left = receiver.recv()
        other_writer.join(10)
        copies = server.copies()
    print(f"{attempts} attempts, {locks_left} locks left, longest wait of the other process {longest:.3f} s")
    assert len(copies) == _USERS
    assert set(copies.values()) == {1}
    log = cellar.rows(
        "SELECT status, count(*), count(DISTINCT recipient_email) FROM email_log GROUP BY status"
    )
    assert log == [("sent", _USERS, _USERS)]
