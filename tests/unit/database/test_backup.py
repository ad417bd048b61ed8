"""The copy of a file that others write: it has one state, delays no writer, and its errors are explained."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cavecron.database.backup import (
    ChangingError,
    CopyStats,
    DamagedCopyError,
    OnlineCopy,
    require_sound,
)
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError, StoppedError, TemporaryError

_KILOBYTE = 1_000


def create_database(path: Path, *, rows: int = 2_000, pragma: str = "") -> Path:
    """Create a database of so many rows of a kilobyte, with a counter at both ends that are always equal."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(pragma or "PRAGMA user_version = 7").fetchall()
        connection.execute("CREATE TABLE first (number)")
        connection.execute("CREATE TABLE filler (id INTEGER PRIMARY KEY, value BLOB)")
        connection.execute("CREATE TABLE last (number)")
        values = ((b"x" * _KILOBYTE,) for _ in range(rows))
        connection.executemany("INSERT INTO filler (value) VALUES (?)", values)
        connection.execute("INSERT INTO first VALUES (0)")
        connection.execute("INSERT INTO last VALUES (0)")
        connection.commit()
    return path


def count_up(connection: sqlite3.Connection) -> None:
    """Increase both counters in one transaction."""
    with connection:
        connection.execute("UPDATE first SET number = number + 1")
        connection.execute("UPDATE last SET number = number + 1")


def copy_database(source: Path, check: Callable[[], None] = lambda: None, **options: Any) -> CopyStats:
    """Copy a database into `copy.db` beside it."""
    target = source.with_name("copy.db")
    target.touch()
    copy = OnlineCopy(source=Database(source, busy_timeout=0.3), target=target, check=check, **options)
    return copy.run()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@contextmanager
def writing(path: Path, pause: float) -> Iterator[None]:
    """Change the file repeatedly, with a pause of so many seconds."""
    over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            while not over.wait(pause):
                count_up(connection)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "pragma",
    [
        "PRAGMA page_size = 512",
        "PRAGMA page_size = 65536",
        "PRAGMA encoding = 'UTF-16le'",
        "PRAGMA auto_vacuum = 1",
    ],
)
def test_a_copy_is_the_file_whatever_its_shape(tmp_path: Path, pragma: str) -> None:
    """The copy has the rows, the schema version, the page size and the encoding of the file."""
    source = create_database(tmp_path / "wine.db", rows=200, pragma=pragma)
    copy_database(source)
    copy = tmp_path / "copy.db"
    require_sound(copy, lambda: None)
    for query in (
        "SELECT * FROM filler",
        "PRAGMA page_size",
        "PRAGMA encoding",
        "PRAGMA user_version",
        "PRAGMA auto_vacuum",
        "PRAGMA journal_mode",
    ):
        assert rows(copy, query) == rows(source, query)


def test_a_change_between_two_steps_restarts_the_copy(tmp_path: Path) -> None:
    """After a change between two steps the copy starts again and has the last state."""
    source = create_database(tmp_path / "wine.db")
    steps: list[int] = []
    with closing(sqlite3.connect(source)) as application:

        def check() -> None:
            steps.append(1)
            if len(steps) == 1:
                count_up(application)

        stats = copy_database(source, check)
    assert stats.restarts == 1
    assert rows(tmp_path / "copy.db", "SELECT * FROM first, last") == [(1, 1)]


def test_a_small_file_is_copied_however_often_it_changes(tmp_path: Path) -> None:
    """A small file is copied in one step, so that no change comes between."""
    source = create_database(tmp_path / "wine.db", rows=300)
    with writing(source, 0.0):
        copy_database(source)
    ((first, last),) = rows(tmp_path / "copy.db", "SELECT * FROM first, last")
    assert first == last


def test_a_file_that_changes_all_the_time_is_given_up(tmp_path: Path) -> None:
    """If every step is interrupted by a change, the copy ends with a temporary error."""
    source = create_database(tmp_path / "wine.db")
    seconds = count(0, 0.04)
    with (
        closing(sqlite3.connect(source)) as application,
        pytest.raises(ChangingError, match=r"change sans cesse : la copie a recommencé \d+ fois") as caught,
    ):
        copy_database(
            source,
            lambda: count_up(application),
            patience=1.5,
            monotonic=lambda: next(seconds),
            sleep=lambda _seconds: None,
        )
    assert caught.value.restarts >= 2
    assert caught.value.temporary


def test_a_file_in_wal_mode_is_copied_while_it_changes(tmp_path: Path) -> None:
    """In WAL mode a reader sees one state without delaying writers; the copy keeps the mode."""
    source = create_database(tmp_path / "wine.db", pragma="PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(source)) as application:
        stats = copy_database(source, lambda: count_up(application))
    assert stats.restarts == 0
    copy = tmp_path / "copy.db"
    require_sound(copy, lambda: None)
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == ["copy.db"]
    ((first, last),) = rows(copy, "SELECT * FROM first, last")
    assert first == last
    assert rows(copy, "PRAGMA journal_mode") == [("wal",)]


def test_a_locked_file_is_a_temporary_error_after_a_while(tmp_path: Path) -> None:
    """A lock raises a temporary error after its time limit, and a stop ends the wait earlier."""
    source = create_database(tmp_path / "wine.db", rows=10)
    with closing(sqlite3.connect(source, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TemporaryError, match="base verrouillée par un autre programme"):
            copy_database(source)

        def stop() -> None:
            raise StoppedError("arrêt")

        with pytest.raises(StoppedError):
            copy_database(source, stop)


def test_a_stop_ends_a_copy_at_the_next_step(tmp_path: Path) -> None:
    """The exception of `check` ends the copy unchanged."""
    source = create_database(tmp_path / "wine.db")
    steps: list[int] = []

    def check() -> None:
        steps.append(1)
        if len(steps) == 2:
            raise StoppedError("arrêt")

    with pytest.raises(StoppedError):
        copy_database(source, check)
    assert len(steps) == 2


def test_a_damaged_copy_is_not_sound(tmp_path: Path) -> None:
    """A database with overwritten pages is reported as damaged."""
    source = create_database(tmp_path / "wine.db")
    with source.open("r+b") as file:
        file.seek(4096 * 100)
        file.write(b"\xff" * 4096 * 3)
    with pytest.raises(DamagedCopyError, match="est abîmée"):
        require_sound(source, lambda: None)


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at" * 20, b"SQLite format 3"]
)
def test_a_file_that_is_no_database_is_not_sound(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is reported in French, and no file is created beside it."""
    path = tmp_path / "wine.db"
    path.write_bytes(content)
    with pytest.raises(DamagedCopyError, match="n'est pas une base SQLite"):
        require_sound(path, lambda: None)
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_temporary_and_names_the_copy(
    tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    """The error names the copy, because the database itself is intact."""
    source = create_database(tmp_path / "wine.db")
    target = small_disk(500) / "copy.db"
    target.touch()
    copy = OnlineCopy(source=Database(source), target=target, check=lambda: None)
    with pytest.raises(CavecronError, match="disque est plein") as caught:
        copy.run()
    assert caught.value.temporary
    assert str(target) in str(caught.value)
