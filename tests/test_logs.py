"""The cleanup of the log tables: which rows go, to the microsecond, and how gently."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count

import pytest

from cavecron.cellar.database import Database, transaction
from cavecron.cellar.logs import count_old, prune
from cavecron.errors import StoppedError, TemporaryError
from cavecron.settings import Retention
from tests.cellars import NOW, CellarFile, ago

RETENTION = Retention(email_log_days=90, activity_log_days=180, api_usage_days=30)
DAYS = {"email_log": 90, "activity_log": 180, "api_token_usage": 30}
NOTHING = dict.fromkeys(DAYS, 0)
EACH_TABLE = pytest.mark.parametrize("table", DAYS)

_INSERTS = {
    "email_log": (
        "INSERT INTO email_log (id, recipient_email, subject, status, created_at)"
        " VALUES (?, 'a@example.org', 's', 'sent', ?)"
    ),
    "activity_log": "INSERT INTO activity_log (id, user_id, action, created_at) VALUES (?, 1, 'login', ?)",
    "api_token_usage": (
        "INSERT INTO api_token_usage (id, token_id, timestamp, endpoint, method, status_code)"
        " VALUES (?, 1, ?, '/', 'GET', 200)"
    ),
}


def add(cellar: CellarFile, table: str, stamp: object, id: int | None = None) -> int:  # noqa: A002 - its name
    """Add a row with this date; return its id."""
    return cellar.execute(_INSERTS[table], (id, stamp))


def add_many(cellar: CellarFile, table: str, rows: int, stamp: str) -> None:
    """Add rows of one date."""
    with closing(sqlite3.connect(cellar.path)) as connection, connection:
        connection.executemany(_INSERTS[table], [(None, stamp)] * rows)


def left(cellar: CellarFile, table: str) -> list[int]:
    """Return the ids that are still there."""
    return [int(str(key)) for (key,) in cellar.rows(f"SELECT id FROM {table} ORDER BY id")]


def unchecked() -> None:
    """Let the cleanup go on."""


def cleaned(
    cellar: CellarFile,
    *,
    database: Database | None = None,
    check: Callable[[], None] = unchecked,
    monotonic: Callable[[], float] = lambda: 0.0,
    sleep: Callable[[float], None] = lambda _seconds: None,
) -> dict[str, int]:
    """Run the cleanup on a clock that stands still, unless told otherwise."""
    return prune(
        database or cellar.database, RETENTION, now=NOW, check=check, monotonic=monotonic, sleep=sleep
    )


def ticking(step: float) -> Callable[[], float]:
    """Return a clock that finds at every look that so many seconds have passed."""
    return partial(next, count(0.0, step))


@dataclass(frozen=True)
class CountingDatabase(Database):
    """Counts what SQLite has to do, in hundreds of its virtual machine's instructions."""

    work: list[int] = field(default_factory=list)

    def connect(self) -> sqlite3.Connection:
        """Return a counted connection."""
        connection = super().connect()
        connection.set_progress_handler(lambda: self.work.append(1), 100)
        return connection


@EACH_TABLE
def test_a_row_is_old_from_the_first_microsecond_on(cellar: CellarFile, table: str) -> None:
    """Exactly as many days ago is not older than that."""
    days = DAYS[table]
    add(cellar, table, ago(days=days, microseconds=1))
    kept = [
        add(cellar, table, ago(days=days)),
        add(cellar, table, ago(days=days)[:19]),
        add(cellar, table, ago(days=days, microseconds=-1)),
        add(cellar, table, ago()),
    ]
    assert cleaned(cellar) == NOTHING | {table: 1}
    assert left(cellar, table) == kept


def test_the_limit_itself_can_have_a_fraction(cellar: CellarFile) -> None:
    """A run by hand begins at any microsecond."""
    now = NOW + timedelta(microseconds=120)
    stamps = (ago(days=90)[:19], ago(days=90, microseconds=-119), ago(days=90, microseconds=-120))
    for stamp in stamps:
        add(cellar, "email_log", stamp)
    prune(cellar.database, RETENTION, now=now, check=unchecked)
    assert left(cellar, "email_log") == [3]


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "hier",
        "now",
        "12:00",
        "12/05/2020",
        "2020",
        "2020-01-01",
        "2020-13-01 00:00:00.000000",
        "2020-02-30 00:00:00.000000",
        "2020-01-01 24:00:00.000000",
        "2020-01-01 00:00:00.00000x",
        "2020-01-01 00:00:00.999999 ?",
        "2020-01-01T00:00:00.000000",
        "2020-01-01 00:00:00+02:00",
        "0000-01-01 00:00:00.000000",
        7,
        -1.5,
        2460000.5,
        b"2020-01-01 00:00:00.000000",
    ],
)
def test_a_row_whose_date_cannot_be_read_is_kept(cellar: CellarFile, stamp: object) -> None:
    """Nobody knows how old it is, not even in the company of old rows."""
    for table in DAYS:
        add(cellar, table, ago(days=900))
        add(cellar, table, stamp)
        add(cellar, table, ago(days=900))
    assert cleaned(cellar) == dict.fromkeys(DAYS, 2)
    assert [left(cellar, table) for table in DAYS] == [[2]] * 3


@pytest.mark.parametrize(
    "stamp",
    [
        "2020-01-01 00:00:00",
        "2020-01-01 00:00:00.5",
        "2020-12-31 23:59:59.999499",
        "2020-12-31 23:59:59.999500",
        "2020-12-31 23:59:59.999999",
        "2020-02-29 12:00:00.000000",
        "0001-01-01 00:00:00.000000",
        "2020-01-01 00:00:00Z",
    ],
)
def test_a_date_is_read_in_each_of_its_shapes(cellar: CellarFile, stamp: str) -> None:
    """Old rows may lack the fraction, and the last half millisecond of a second belongs to it."""
    add(cellar, "activity_log", stamp)
    assert cleaned(cellar) == NOTHING | {"activity_log": 1}


def _mixed(cellar: CellarFile) -> None:
    """Add old, young and odd rows in no order, with gaps between their ids."""
    for table in DAYS:
        for number in range(700):
            stamp = (ago(days=400), ago(days=1), "hier", ago(days=400, microseconds=number), ago())[
                number % 5
            ]
            add(cellar, table, stamp, id=number * 37 - 500)
        add(cellar, table, ago(days=400), id=2**62)


@pytest.mark.parametrize("step", [0.0, 0.02], ids=["one bite", "many bites"])
def test_a_dry_run_counts_what_a_run_deletes(cellar: CellarFile, step: float) -> None:
    """And deletes nothing; afterwards there is nothing left to count."""
    _mixed(cellar)
    before = [left(cellar, table) for table in DAYS]
    counted = count_old(cellar.database, RETENTION, now=NOW, check=unchecked)
    assert [left(cellar, table) for table in DAYS] == before
    assert counted == dict.fromkeys(DAYS, 281)
    assert cleaned(cellar, monotonic=ticking(step)) == counted
    assert count_old(cellar.database, RETENTION, now=NOW, check=unchecked) == NOTHING
    assert [len(left(cellar, table)) for table in DAYS] == [701 - 281] * 3


def test_a_database_without_the_indexes_is_cleaned_as_well(cellar: CellarFile) -> None:
    """They speed up the application, and are not ours to rely on."""
    _mixed(cellar)
    for table, column in (("activity_log", "created_at"), ("api_token_usage", "timestamp")):
        cellar.execute(f"DROP INDEX ix_{table}_{column}")
    assert cleaned(cellar, monotonic=ticking(0.02)) == dict.fromkeys(DAYS, 281)


def test_transactions_are_sized_by_time(cellar: CellarFile) -> None:
    """A machine on which everything takes long gets many small ones, with a pause after each."""
    add_many(cellar, "email_log", 3000, ago(days=400))
    quick: list[float] = []
    slow: list[float] = []
    add_many(cellar, "activity_log", 3000, ago(days=400))
    cleaned(cellar, sleep=quick.append)
    add_many(cellar, "email_log", 3000, ago(days=400))
    cleaned(cellar, monotonic=ticking(0.03), sleep=slow.append)
    assert len(quick) == 2
    assert len(slow) >= 20
    assert min(slow) > 0.025


def test_others_write_between_two_bites(cellar: CellarFile) -> None:
    """Without any waiting, whenever the cleanup pauses or asks whether it may go on."""
    add_many(cellar, "email_log", 1000, ago(days=400))
    turns: list[int] = []

    def write(_seconds: float = 0.0) -> None:
        with closing(sqlite3.connect(cellar.path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            other.execute(_INSERTS["email_log"], (None, ago()))
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
    add_many(cellar, "email_log", 1000, ago(days=1))
    asked: list[int] = []
    before = cellar.path.read_bytes()
    with closing(sqlite3.connect(cellar.path, isolation_level=None)) as other, transaction(other):
        assert cleaned(cellar, check=lambda: asked.append(1), monotonic=ticking(0.03)) == NOTHING
    assert cellar.path.read_bytes() == before
    assert len(asked) >= 10


def _work(cellar: CellarFile) -> int:
    """Run a cleanup in the smallest bites; return what SQLite had to do for it."""
    counting = CountingDatabase(cellar.path)
    cleaned(cellar, database=counting, monotonic=ticking(0.03))
    return len(counting.work)


@pytest.mark.parametrize("table", ["email_log", "activity_log"], ids=["no index", "index"])
def test_no_row_is_looked_at_over_and_over(cellar: CellarFile, table: str) -> None:
    """Twice as many rows are twice the work, however small the bites are, and whoever stands between."""
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
    idle = _work(cellar)
    add_many(cellar, "activity_log", 5000, ago(days=1))
    with_index = _work(cellar) - idle
    cellar.execute("DROP INDEX ix_activity_log_created_at")
    assert with_index * 20 < _work(cellar) - idle


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
