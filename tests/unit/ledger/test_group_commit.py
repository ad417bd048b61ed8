"""Group commits: threads that write the ledger at the same time share a transaction."""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from cavecron.errors import CavecronError, LeaseLostError
from cavecron.ledger.runs import claim_manual, record_end, renew
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW, CellarFile
from tests.support.ledgers import DONE
from tests.support.traced_database import WatchedDatabase

JOBS = [f"job{number}" for number in range(30)]


def call_together(ledger: Ledger, *calls: Callable[[], object]) -> list[Future[object]]:
    """Make all calls in threads that have to wait for the write lock; return their futures."""
    with ThreadPoolExecutor(len(calls)) as threads, ledger.writing():
        futures = [threads.submit(call) for call in calls]
        limit = time.monotonic() + 20
        while len(ledger._commits._pending) < len(calls) and time.monotonic() < limit:
            time.sleep(0.001)
        assert not [future for future in futures if future.done()]
    return futures


def transactions(database: WatchedDatabase) -> int:
    """Return how many transactions began."""
    return database.statements.count("BEGIN IMMEDIATE")


def test_runs_that_end_at_once_share_a_transaction(cellar: CellarFile) -> None:
    """Many runs that end together cost one commit, because a thousand commits take minutes on a slow disk."""
    database = WatchedDatabase(cellar.path)
    ledger = Ledger(database=database)
    claims = [claim_manual(ledger, name, (), NOW) for name in JOBS]
    before = transactions(database)
    futures = call_together(
        ledger, *(lambda claim=claim: record_end(ledger, claim, DONE, NOW) for claim in claims)
    )
    assert [future.exception() for future in futures] == [None] * len(JOBS)
    assert cellar.rows("SELECT DISTINCT state FROM cavecron_run") == [("succeeded",)]
    assert transactions(database) - before == 2  # the one that all waited for, and the shared one


def test_a_refused_write_does_not_affect_the_others(ledger: Ledger, cellar: CellarFile) -> None:
    """Only the thread whose run was taken over gets an error; the others' results are written."""
    owned, lost = (claim_manual(ledger, name, (), NOW) for name in JOBS[:2])
    cellar.execute("UPDATE cavecron_run SET owner = 'another' WHERE id = ?", (lost.run,))
    one, two, three = call_together(
        ledger,
        lambda: record_end(ledger, lost, DONE, NOW),
        lambda: record_end(ledger, owned, DONE, NOW),
        lambda: renew(ledger, lost.run, NOW),
    )
    assert isinstance(one.exception(), LeaseLostError)
    assert two.exception() is None
    assert isinstance(three.exception(), LeaseLostError)
    assert cellar.rows("SELECT state FROM cavecron_run ORDER BY id") == [("succeeded",), ("running",)]


def test_a_transaction_that_fails_fails_for_all_who_share_it(ledger: Ledger, cellar: CellarFile) -> None:
    """Every thread of a failed transaction gets the error, so that none believes that it has written."""
    claim = claim_manual(ledger, JOBS[0], (), NOW)

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO cavecron_job VALUES (NULL, NULL, NULL)")

    futures = call_together(ledger, lambda: record_end(ledger, claim, DONE, NOW), lambda: ledger.write(fail))
    assert all(isinstance(future.exception(), CavecronError) for future in futures)
    assert cellar.rows("SELECT state FROM cavecron_run") == [("running",)]
    record_end(ledger, claim, DONE, NOW)
    assert cellar.rows("SELECT state FROM cavecron_run") == [("succeeded",)]  # the write lock was released
