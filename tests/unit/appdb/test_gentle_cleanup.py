"""How a cleanup lets writers in, can be stopped, and reads no more than it has to."""

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
    """Counts what SQLite has to do, in hundreds of its virtual machine's instructions."""

    work: list[int] = field(default_factory=list)

    def connect(self) -> sqlite3.Connection:
        """Return a counted connection."""
        connection = super().connect()
        connection.set_progress_handler(lambda: self.work.append(1), 100)
        return connection


@pytest.mark.parametrize(
    ("step", "batches"), [(0.0, range(1, 7)), (0.06, range(30, 61))], ids=["quick", "slow"]
)
def test_transactions_are_sized_by_time(cellar: CellarFile, step: float, batches: range) -> None:
    """A machine on which everything takes long gets many small ones."""
    add_many(cellar, "email_log", 3000, ago(days=400))
    pauses: list[float] = []
    assert cleaned(cellar, monotonic=ticking(step), sleep=pauses.append)["email_log"] == 3000
    assert len(pauses) in batches


def test_whoever_waits_gets_a_turn_after_each_batch(cellar: CellarFile) -> None:
    """Wherever in the transaction it came: one of the tries of SQLite's busy handler falls into the pause."""
    tries = list(accumulate((0, 1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100)))
    for took in range(1, 300):
        free = range(took * 10, int(took * 10 + pause_after(took / 1000) * 10_000))
        for came in range(took * 10):
            assert any(came + moment * 10 in free for moment in tries), (took, came)


def test_the_pause_follows_the_transaction(cellar: CellarFile) -> None:
    """A cleanup waits as long as that says, less what it reads meanwhile."""
    add_many(cellar, "email_log", 3000, ago(days=400))
    pauses: list[float] = []
    cleaned(cellar, sleep=pauses.append)
    assert set(pauses) == {pause_after(0.0)}


def test_a_transaction_keeps_nobody_waiting_longer_than_its_budget_allows() -> None:
    """The try that finds the file free comes within 33 ms, with a margin for a late commit."""
    assert TRANSACTION_BUDGET < 0.033
    assert pause_after(TRANSACTION_BUDGET) < 0.017


def test_a_transaction_reads_no_young_rows_behind_its_last_old_one(cellar: CellarFile) -> None:
    """They are read once, while others can write: a cleanup has little more to do than a count."""
    add_many(cellar, "email_log", 50, ago(days=400))
    add_many(cellar, "email_log", 5000, ago(days=1))
    counting, cleaning = CountingDatabase(cellar.path), CountingDatabase(cellar.path)
    assert count_old(counting, Retention(), now=NOW, check=unchecked)["email_log"] == 50
    assert prune(cleaning, Retention(), now=NOW, check=unchecked)["email_log"] == 50
    assert len(cleaning.work) < 1.3 * len(counting.work)


def test_others_write_between_two_batches(cellar: CellarFile) -> None:
    """Without any waiting, whenever the cleanup pauses or asks whether it may go on."""
    add_many(cellar, "email_log", 1000, ago(days=400))
    turns: list[int] = []

    def write(_seconds: float = 0.0) -> None:
        with closing(sqlite3.connect(cellar.path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            other.execute(INSERTS["email_log"], (None, ago()))
            other.execute("COMMIT")
        turns.append(1)

    cleaned(cellar, check=write, monotonic=ticking(0.03), sleep=write)
    assert len(turns) > 10
    assert len(left(cellar, "email_log")) == len(turns)


def test_a_stop_keeps_what_is_deleted_and_leaves_the_rest(cellar: CellarFile) -> None:
    """The next cleanup takes up where this one stopped."""
    add_many(cellar, "email_log", 1000, ago(days=400))
    gone: list[int] = []

    def stop() -> None:
        gone.append(1000 - len(left(cellar, "email_log")))
        if gone[-1] >= 300:
            raise StoppedError("arrêt demandé")

    with pytest.raises(StoppedError):
        cleaned(cellar, check=stop, monotonic=ticking(0.03))
    assert 300 <= gone[-1] < 1000
    assert len(left(cellar, "email_log")) == 1000 - gone[-1]
    assert cleaned(cellar)["email_log"] == 1000 - gone[-1]


def test_young_rows_are_looked_at_without_a_write(cellar: CellarFile) -> None:
    """A cleanup that finds nothing to delete leaves the file as it is, and asks whether to go on."""
    add_many(cellar, "email_log", 10_000, ago(days=1))
    asked: list[int] = []
    before = cellar.path.read_bytes()
    with closing(sqlite3.connect(cellar.path, isolation_level=None)) as other, transaction(other):
        assert cleaned(cellar, check=lambda: asked.append(1), monotonic=ticking(0.03)) == NOTHING
    assert cellar.path.read_bytes() == before
    assert len(asked) >= 10


def _work(cellar: CellarFile) -> int:
    """Run a cleanup in the smallest batches; return what SQLite had to do for it."""
    counting = CountingDatabase(cellar.path)
    cleaned(cellar, database=counting, monotonic=ticking(0.03))
    return len(counting.work)


@pytest.mark.parametrize("table", ["email_log", "activity_log"], ids=["no index", "index"])
def test_no_row_is_looked_at_over_and_over(cellar: CellarFile, table: str) -> None:
    """Twice as many rows are twice the work, however small the batches are, and whoever stands between."""
    work = []
    for blocks in (10, 20):
        for _ in range(blocks):
            for stamp in (ago(days=400), ago(days=1), "hier"):
                add_many(cellar, table, 150, stamp)
        work.append(_work(cellar))
        assert len(left(cellar, table)) == blocks * 300
        cellar.execute(f"DELETE FROM {table}")
    assert work[1] < work[0] * 2.3


def test_the_young_part_of_an_indexed_table_is_not_read(cellar: CellarFile) -> None:
    """One look into the index says that nothing is old there."""
    add_many(cellar, "activity_log", 100, ago(days=400))
    without = _work(cellar)
    young = []
    for change in ("", "DROP INDEX ix_activity_log_created_at"):
        add_many(cellar, "activity_log", 100, ago(days=400))
        add_many(cellar, "activity_log", 20_000, ago(days=1))
        cellar.execute(change)
        young.append(_work(cellar) - without)
        cellar.execute("DELETE FROM activity_log")
    assert young[0] * 10 < young[1]


def test_a_new_row_under_an_old_number_is_kept(cellar: CellarFile) -> None:
    """Without AUTOINCREMENT, ids are given again: what was seen to be old may be another row by now."""
    add_many(cellar, "email_log", 1000, ago(days=400))

    def replace(_seconds: float) -> None:
        cellar.execute("DELETE FROM email_log")
        add(cellar, "email_log", ago(), id=500)

    cleaned(cellar, monotonic=ticking(0.03), sleep=replace)
    assert left(cellar, "email_log") == [500]


def test_a_database_that_stays_locked_is_an_error_that_can_pass(cellar: CellarFile) -> None:
    """After the time that a lock is waited for."""
    add(cellar, "email_log", ago(days=400))
    hurried = Database(cellar.path, busy_timeout=0.05)
    with (
        closing(sqlite3.connect(cellar.path, isolation_level=None)) as other,
        transaction(other),
        pytest.raises(TemporaryError, match="base verrouillée"),
    ):
        cleaned(cellar, database=hurried)
    assert left(cellar, "email_log") == [1]
