"""Files are written atomically, with the right mode, and never through a symbolic link."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IMODE

import pytest

from cavecron.atomic_file import DRAFTS, PRIVATE, PRIVATE_FOLDER, make_folder, replacement, write_file


@pytest.fixture(params=[0o000, 0o022, 0o377], ids=["umask 000", "umask 022", "umask 377"])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("mode", [0o600, 0o644], ids=oct)
def test_a_file_has_its_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    """A new file and one that replaces a file of another mode both get the mode that was asked for."""
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("before")
    old.chmod(0o666)
    for path in (new, old):
        write_file(path, b"after", mode=mode)
        assert (path.read_bytes(), _mode(path)) == (b"after", mode)


@pytest.mark.usefixtures("_umask")
def test_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """Folders that are created are private; a folder that existed before keeps its mode."""
    existing = tmp_path / "there"
    existing.mkdir()
    existing.chmod(0o755)
    make_folder(existing / "a" / "b", mode=PRIVATE_FOLDER)
    make_folder(existing / "a" / "b", mode=0o755)
    assert [_mode(path) for path in (existing, existing / "a", existing / "a" / "b")] == [0o755, 0o700, 0o700]


def _link_to_a_file(path: Path) -> None:
    target = path.with_name("target")
    target.write_text("precious")
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "number"),
    [
        (_link_to_a_file, errno.ELOOP),
        (lambda path: path.symlink_to("nowhere"), errno.ELOOP),
        (lambda path: path.symlink_to("/dev/null"), errno.ELOOP),
        (os.mkfifo, errno.EEXIST),
        (Path.mkdir, errno.EISDIR),
    ],
    ids=["link to a file", "link to nothing", "link to a device", "pipe", "folder"],
)
def test_an_entry_that_is_no_regular_file_is_not_changed(
    tmp_path: Path, make: Callable[[Path], object], number: int
) -> None:
    """Neither the existing entry nor the target of a link is changed, and no draft is left."""
    path = tmp_path / "page.html"
    make(path)
    before = {entry.name: os.lstat(entry).st_ino for entry in tmp_path.iterdir()}
    with pytest.raises(OSError, match=r"page\.html") as caught:
        write_file(path, b"page", mode=PRIVATE)
    assert caught.value.errno == number
    assert {entry.name: os.lstat(entry).st_ino for entry in tmp_path.iterdir()} == before
    assert not (tmp_path / "target").exists() or (tmp_path / "target").read_text() == "precious"


def test_a_link_made_in_the_meantime_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """A symbolic link that appears during the write is replaced, and its target is not changed."""
    path, target = tmp_path / "page.html", tmp_path / "target"
    target.write_text("precious")
    with replacement(path, mode=PRIVATE) as file:
        path.symlink_to(target)
        file.write(b"page")
    assert (path.read_bytes(), path.is_symlink(), target.read_text()) == (b"page", False, "precious")


def test_the_old_file_stays_until_all_is_written(tmp_path: Path) -> None:
    """A reader gets the old file until all is written; after an error the old file stays, without a draft."""
    path = tmp_path / "page.html"
    write_file(path, b"before", mode=PRIVATE)
    with pytest.raises(ZeroDivisionError), replacement(path, mode=PRIVATE) as file:  # noqa: PT012
        file.write(b"half")
        file.flush()
        assert path.read_bytes() == b"before"
        assert [draft.read_bytes() for draft in tmp_path.glob(DRAFTS)] == [b"half"]
        raise ZeroDivisionError
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("page.html", b"before")]


def test_a_database_can_be_written_by_name(tmp_path: Path) -> None:
    """SQLite can write the draft by its name, because an empty file is an empty database."""
    path = tmp_path / "copy.db"
    with replacement(path, mode=PRIVATE) as file:
        connection = sqlite3.connect(file.name)
        with connection:
            connection.execute("CREATE TABLE wine(name)")
        connection.close()
    tables = sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall()
    assert (tables, _mode(path), list(tmp_path.iterdir())) == ([("wine",)], 0o600, [path])


def test_a_draft_can_lie_in_another_folder(tmp_path: Path) -> None:
    """A Maildir needs this: the draft is written in `tmp` and moved to `new`."""
    drafts, kept = tmp_path / "tmp", tmp_path / "new"
    make_folder(drafts, mode=PRIVATE_FOLDER)
    make_folder(kept, mode=PRIVATE_FOLDER)
    with replacement(kept / "1", mode=PRIVATE, draft_folder=drafts):
        assert (len(list(drafts.iterdir())), list(kept.iterdir())) == (1, [])
    assert (list(drafts.iterdir()), [path.name for path in kept.iterdir()]) == ([], ["1"])


def test_the_longest_name_is_no_trouble(tmp_path: Path) -> None:
    """The draft's name does not contain the file's name, which may have 255 characters already."""
    path = tmp_path / ("x" * 255)
    write_file(path, b"page", mode=PRIVATE)
    assert path.read_bytes() == b"page"


def test_a_database_is_not_replaced(tmp_path: Path) -> None:
    """A page that is given the name of a database is refused, because that is a mistake of the user."""
    path = tmp_path / "wine.db"
    sqlite3.connect(path).execute("CREATE TABLE wine (id)")
    before = path.read_bytes()
    with pytest.raises(OSError, match="une base SQLite porte ce nom"):
        write_file(path, b"<html>", mode=PRIVATE)
    assert path.read_bytes() == before
