"""Copying a file that others write: the copy has one state, writers do not wait, errors are explained."""

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


def made(path: Path, *, rows: int = 2_000, pragma: str = "") -> Path:
    """Return a database of so many rows of a kilobyte, and a counter in two places that are always equal."""
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
    """Change both ends of the file in one transaction."""
    with connection:
        connection.execute("UPDATE first SET number = number + 1")
        connection.execute("UPDATE last SET number = number + 1")


def copied(source: Path, check: Callable[[], None] = lambda: None, **options: Any) -> CopyStats:
    """Copy a database into `copy.db` beside it."""
    target = source.with_name("copy.db")
    target.touch()
    copy = OnlineCopy(source=Database(source, busy_timeout=0.3), target=target, check=check, **options)
    return copy.run()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return what a query finds."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@contextmanager
def writing(path: Path, pause: float) -> Iterator[None]:
    """Change the file again and again, with so many seconds in between."""
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
    """Rows, version of the schema, size of the pages, encoding."""
    source = made(tmp_path / "wine.db", rows=200, pragma=pragma)
    copied(source)
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


def test_a_change_between_two_steps_begins_anew(tmp_path: Path) -> None:
    """What is copied is one state, the last one."""
    source = made(tmp_path / "wine.db")
    steps: list[int] = []
    with closing(sqlite3.connect(source)) as application:

        def check() -> None:
            steps.append(1)
            if len(steps) == 1:
                count_up(application)

        stats = copied(source, check)
    assert stats.restarts == 1
    assert rows(tmp_path / "copy.db", "SELECT * FROM first, last") == [(1, 1)]


def test_a_small_file_is_copied_however_often_it_changes(tmp_path: Path) -> None:
    """It fits into a step: nobody gets in between."""
    source = made(tmp_path / "wine.db", rows=300)
    with writing(source, 0.0):
        copied(source)
    ((first, last),) = rows(tmp_path / "copy.db", "SELECT * FROM first, last")
    assert first == last


def test_a_file_that_changes_all_the_time_is_given_up(tmp_path: Path) -> None:
    """On a disk so slow that no step can hold the file; and it can be tried again later."""
    source = made(tmp_path / "wine.db")
    seconds = count(0, 0.04)
    with (
        closing(sqlite3.connect(source)) as application,
        pytest.raises(ChangingError, match=r"change sans cesse : la copie a recommencé \d+ fois") as caught,
    ):
        copied(
            source,
            lambda: count_up(application),
            patience=1.5,
            monotonic=lambda: next(seconds),
            sleep=lambda _seconds: None,
        )
    assert caught.value.restarts >= 2
    assert caught.value.temporary


def test_a_file_in_wal_mode_is_copied_while_it_changes(tmp_path: Path) -> None:
    """There a reader keeps nobody waiting, and sees one state for as long as it likes; the mode stays."""
    source = made(tmp_path / "wine.db", pragma="PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(source)) as application:
        stats = copied(source, lambda: count_up(application))
    assert stats.restarts == 0
    copy = tmp_path / "copy.db"
    require_sound(copy, lambda: None)
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == ["copy.db"]
    ((first, last),) = rows(copy, "SELECT * FROM first, last")
    assert first == last
    assert rows(copy, "PRAGMA journal_mode") == [("wal",)]


def test_a_locked_file_is_waited_for_and_then_told(tmp_path: Path) -> None:
    """As for every other job; and a stop is heard meanwhile."""
    source = made(tmp_path / "wine.db", rows=10)
    with closing(sqlite3.connect(source, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TemporaryError, match="base verrouillée par un autre programme"):
            copied(source)

        def stop() -> None:
            raise StoppedError("arrêt")

        with pytest.raises(StoppedError):
            copied(source, stop)


def test_a_stop_ends_a_copy_at_the_next_step(tmp_path: Path) -> None:
    """The check raises, and it is raised as it is."""
    source = made(tmp_path / "wine.db")
    steps: list[int] = []

    def check() -> None:
        steps.append(1)
        if len(steps) == 2:
            raise StoppedError("arrêt")

    with pytest.raises(StoppedError):
        copied(source, check)
    assert len(steps) == 2


def test_a_damaged_copy_is_not_sound(tmp_path: Path) -> None:
    """A page in the middle was overwritten."""
    source = made(tmp_path / "wine.db")
    with source.open("r+b") as file:
        file.seek(4096 * 100)
        file.write(b"\xff" * 4096 * 3)
    with pytest.raises(DamagedCopyError, match="est abîmée"):
        require_sound(source, lambda: None)


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at" * 20, b"SQLite format 3"]
)
def test_what_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    """In French, and nothing is made beside it."""
    path = tmp_path / "wine.db"
    path.write_bytes(content)
    with pytest.raises(DamagedCopyError, match="n'est pas une base SQLite"):
        require_sound(path, lambda: None)
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_temporary_and_names_the_copy(
    tmp_path: Path, small_disk: Callable[[int], Path]
) -> None:
    """Not the database, which is well."""
    source = made(tmp_path / "wine.db")
    target = small_disk(500) / "copy.db"
    target.touch()
    copy = OnlineCopy(source=Database(source), target=target, check=lambda: None)
    with pytest.raises(CavecronError, match="disque est plein") as caught:
        copy.run()
    assert caught.value.temporary
    assert str(target) in str(caught.value)
