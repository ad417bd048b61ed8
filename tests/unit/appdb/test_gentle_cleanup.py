"""How a cleanup lets other writers in, can be stopped, and reads no more than necessary."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate

import pytest

from cavecron.appdb.cleanup import TRANSACTION_BUDGET, count_old, pause_after, prune
from cavecron.config.settings import Retention
from cavecron.database.sqlite import Database, transaction
from cavecron.errors import StoppedError, TemporaryError
from tests.support.app_database import NOW, CellarFile, ago
from tests.support.log_rows import INSERTS, NOTHING, add, add_many, cleaned, left, ticking, unchecked


@dataclass(frozen=True)
class CountingDatabase(Database):
    """A database that counts SQLite's work, in hundreds of its virtual machine's instructions."""

    work: list[int] = field(default_factory=list)

    def connect(self) -> sqlite3.Connection:
        """Return a connection whose work is counted."""
        connection = super().connect()
        connection.set_progress_handler(lambda: self.work.append(1), 100)
        return connection


@pytest.mark.parametrize(
    ("step", "batches"), [(0.0, range(1, 7)), (0.06, range(30, 61))], ids=["quick", "slow"]
)
def test_transactions_are_sized_by_time(cellar: CellarFile, step: float, batches: range) -> None:
    """A slow machine deletes the rows in many small transactions."""
    add_many(cellar, "email_log", 3000, ago(days=400))
    pauses: list[float] = []
    assert cleaned(cellar, monotonic=ticking(step), sleep=pauses.append)["email_log"] == 3000
    assert len(pauses) in batches


def test_a_waiting_writer_gets_the_lock_after_each_batch(cellar: CellarFile) -> None:
    """A waiting writer tries in the pause, wherever in the transaction SQLite's busy handler began."""
    tries = list(accumulate((0, 1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100)))
    for milliseconds in range(1, 300):
        pause = range(milliseconds * 10, int(milliseconds * 10 + pause_after(milliseconds / 1000) * 10_000))
        for begin in range(milliseconds * 10):
            assert any(begin + moment * 10 in pause for moment in tries), (milliseconds, begin)


def test_the_pause_follows_the_transaction(cellar: CellarFile) -> None:
    """Each pause has the length that `pause_after` returns for the transaction."""
    add_many(cellar, "email_log", 3000, ago(days=400))
    pauses: list[float] = []
    cleaned(cellar, sleep=pauses.append)
    assert set(pauses) == {pause_after(0.0)}


def test_a_transaction_delays_a_writer_by_its_budget_at_most() -> None:
    """A waiting writer gets the lock within 33 ms, with a margin for a slow commit."""
    assert TRANSACTION_BUDGET < 0.033
    assert pause_after(TRANSACTION_BUDGET) < 0.017


def test_a_transaction_reads_no_new_rows_after_its_last_old_one(cellar: CellarFile) -> None:
    """New rows are read once and without the lock, so that a cleanup costs little more than a count."""
    add_many(cellar, "email_log", 50, ago(days=400))
    add_many(cellar, "email_log", 5000, ago(days=1))
    counting, cleaning = CountingDatabase(cellar.path), CountingDatabase(cellar.path)
    assert count_old(counting, Retention(), now=NOW, check=unchecked)["email_log"] == 50
    assert prune(cleaning, Retention(), now=NOW, check=unchecked)["email_log"] == 50
    assert len(cleaning.work) < 1.3 * len(counting.work)


def test_others_write_between_two_batches(cellar: CellarFile) -> None:
    """Another program can write at once whenever the cleanup pauses or calls `check`."""
    add_many(cellar, "email_log", 1000, ago(days=400))
    writes: list[int] = []

    def write(_seconds: float = 0.0) -> None:
        with closing(sqlite3.connect(cellar.path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            other.execute(INSERTS["email_log"], (None, ago()))
            other.execute("COMMIT")
        writes.append(1)

    cleaned(cellar, check=write, monotonic=ticking(0.03), sleep=write)
    assert len(writes) > 10
    assert len(left(cellar, "email_log")) == len(writes)


def test_a_stop_keeps_what_is_deleted_and_leaves_the_rest(cellar: CellarFile) -> None:
    """Deleted rows stay deleted after a stop, and the next cleanup deletes the rest."""
    add_many(cellar, "email_log", 1000, ago(days=400))
    deleted: list[int] = []

    def stop() -> None:
        deleted.append(1000 - len(left(cellar, "email_log")))
        if deleted[-1] >= 300:
            raise StoppedError("arrêt demandé")

    with pytest.raises(StoppedError):
        cleaned(cellar, check=stop, monotonic=ticking(0.03))
    assert 300 <= deleted[-1] < 1000
    assert len(left(cellar, "email_log")) == 1000 - deleted[-1]
    assert cleaned(cellar)["email_log"] == 1000 - deleted[-1]


def test_new_rows_are_read_without_a_write(cellar: CellarFile) -> None:
    """A cleanup without old rows changes nothing in the file and calls `check` meanwhile."""
    add_many(cellar, "email_log", 10_000, ago(days=1))
    calls: list[int] = []
    before = cellar.path.read_bytes()
    with closing(sqlite3.connect(cellar.path, isolation_level=None)) as other, transaction(other):
        assert cleaned(cellar, check=lambda: calls.append(1), monotonic=ticking(0.03)) == NOTHING
    assert cellar.path.read_bytes() == before
    assert len(calls) >= 10


def _work(cellar: CellarFile) -> int:
    """Run a cleanup in the smallest batches; return the work of SQLite for it."""
    counting = CountingDatabase(cellar.path)
    cleaned(cellar, database=counting, monotonic=ticking(0.03))
    return len(counting.work)


@pytest.mark.parametrize("table", ["email_log", "activity_log"], ids=["no index", "index"])
def test_the_work_grows_in_proportion_to_the_rows(cellar: CellarFile, table: str) -> None:
    """Twice as many rows cause twice the work, even with small batches and new rows between old ones."""
    work = []
    for blocks in (10, 20):
        for _ in range(blocks):
            for stamp in (ago(days=400), ago(days=1), "hier"):
                add_many(cellar, table, 150, stamp)
        work.append(_work(cellar))
        assert len(left(cellar, table)) == blocks * 300
        cellar.execute(f"DELETE FROM {table}")
    assert work[1] < work[0] * 2.3


def test_the_new_rows_of_an_indexed_table_are_not_read(cellar: CellarFile) -> None:
    """With an index, a single lookup shows that the new rows contain no old one."""
    add_many(cellar, "activity_log", 100, ago(days=400))
    work_for_old_rows = _work(cellar)
    work = []
    for change in ("", "DROP INDEX ix_activity_log_created_at"):
        add_many(cellar, "activity_log", 100, ago(days=400))
        add_many(cellar, "activity_log", 20_000, ago(days=1))
        cellar.execute(change)
        work.append(_work(cellar) - work_for_old_rows)
        cellar.execute("DELETE FROM activity_log")
    assert work[0] * 10 < work[1]


def test_a_new_row_with_a_former_id_is_kept(cellar: CellarFile) -> None:
    """SQLite uses ids again, so a row is checked again when it is deleted."""
    add_many(cellar, "email_log", 1000, ago(days=400))

    def replace(_seconds: float) -> None:
        cellar.execute("DELETE FROM email_log")
        add(cellar, "email_log", ago(), id=500)

    cleaned(cellar, monotonic=ticking(0.03), sleep=replace)
    assert left(cellar, "email_log") == [500]


def test_a_database_that_stays_locked_is_a_temporary_error(cellar: CellarFile) -> None:
    """After the time limit for locks, the error is temporary, and no row is deleted."""
    add(cellar, "email_log", ago(days=400))
    database = Database(cellar.path, busy_timeout=0.05)
    with (
        closing(sqlite3.connect(cellar.path, isolation_level=None)) as other,
        transaction(other),
        pytest.raises(TemporaryError, match="base verrouillée"),
    ):
        cleaned(cellar, database=database)
    assert left(cellar, "email_log") == [1]
