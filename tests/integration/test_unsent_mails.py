"""The rows in `email_log` of mails that a failed run did not send, or may have sent."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.ledger.deliveries import Deliveries
from cavecron.scheduler.context import Options, StopSignal
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.report_runs import CLOSED_PORT, again, attempt, first, household_of, process
from tests.support.traced_database import WatchedDatabase

ROWS = "SELECT recipient_email, status, error_message FROM email_log ORDER BY id"
HOUR = timedelta(hours=1)


@pytest.fixture
def household(cellar: CellarFile) -> CellarFile:
    """Return a database with two users who get a report, one without an address, and a sub-account."""
    return household_of(cellar)


def test_unsent_mails_are_not_recorded_in_a_locked_database(
    household: CellarFile, caplog: pytest.LogCaptureFixture
) -> None:
    """The run fails because of the lock, and the log has no second error about the unsent mails."""
    proc = process(household)
    database = Database(household.path, busy_timeout=0.05)
    proc = proc.on(database)
    claim = first(proc)
    with FakeSmtpServer() as server, closing(sqlite3.connect(household.path, isolation_level=None)) as other:
        household.smtp(server.port)
        other.execute("BEGIN IMMEDIATE")
        caplog.set_level(logging.WARNING, "cavecron")
        stop = StopSignal()
        work = execute_run(claim, WEEKLY_REPORTS, proc.context, stop=stop, options=Options())

        async def execute() -> None:
            asyncio.get_running_loop().call_later(1.0, stop.stop)
            with pytest.raises(CavecronError, match="base verrouillée"):
                await work

        asyncio.run(execute())
        other.execute("ROLLBACK")
    assert household.rows(ROWS) == []
    assert "La liste des mails" not in caplog.text


def test_many_rows_are_written_in_small_transactions(cellar: CellarFile) -> None:
    """Each transaction writes rows and deliveries of at most 100 mails, so that other writers get in."""
    for number in range(450):
        cellar.user(f"user{number}")
    cellar.smtp(CLOSED_PORT)
    database = WatchedDatabase(cellar.path)
    proc = process(cellar).on(database)
    claim = first(proc)
    attempt(proc, claim)
    transactions = "\n".join(database.statements).split("BEGIN IMMEDIATE")
    tables = ("email_log", "cavecron_delivery")
    sizes = [
        tuple(transaction.count(f"INSERT INTO {table}") for table in tables) for transaction in transactions
    ]
    assert [size for size in sizes if size != (0, 0)] == [(100, 100)] * 4 + [(50, 50)]
    assert cellar.rows("SELECT count(*), count(DISTINCT recipient_user_id) FROM email_log") == [(450, 450)]


def test_a_mail_in_doubt_stays_in_doubt_when_the_next_attempt_fails(household: CellarFile) -> None:
    """The row says that the mail may have arrived, and its repetition is counted when it is sent again."""
    household.smtp(CLOSED_PORT)
    proc = process(household)
    claim = first(proc)
    Deliveries(ledger=proc.ledger, run=claim.run).record(now=NOW, started=["1"])
    error = attempt(proc, claim)
    assert [row[1:] for row in household.rows(ROWS)] == [
        ("failed", f"envoi coupé net, le message est peut-être arrivé ; la reprise a échoué : {error}"),
        ("failed", f"envoi arrêté avant ce mail : {error}"),
    ]
    assert household.rows("SELECT state FROM cavecron_delivery ORDER BY recipient") == [
        ("sending",),
        ("deferred",),
    ]
    with FakeSmtpServer() as server:
        household.execute("UPDATE smtp_config SET port = ?", (server.port,))
        proc = process(household, NOW + HOUR)
        attempt(proc, again(proc))
    assert [row[1] for row in household.rows(ROWS)] == ["sent", "sent"]
    assert household.rows("SELECT sum(repeats) FROM cavecron_delivery") == [(1,)]
