"""The application's file: the errors if it cannot be used, and that it is not changed then."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from cavecron.database.permissions import permission_advice
from cavecron.database.sqlite import Database
from cavecron.database.timestamps import read_utc, utc_text
from cavecron.errors import CavecronError, NotReadyError, TemporaryError
from tests.support.app_database import CellarFile
from tests.support.commands import cavecron, environment, unprivileged


def _error(path: Path, query: str = "SELECT 1 FROM wine") -> CavecronError:
    with pytest.raises(CavecronError) as raised, Database(path, busy_timeout=0.05).writing() as connection:
        connection.execute(query)
    return raised.value


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    """A new empty database would hide that the volume is not mounted."""
    error = _error(tmp_path / "wine.db")
    assert isinstance(error, NotReadyError)
    assert "le volume est-il monté ? (DATABASE_URL)" in str(error)
    assert not (tmp_path / "wine.db").exists()


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    """Docker compose creates a folder for a volume whose file is missing."""
    assert "est un dossier : DATABASE_URL doit nommer le fichier" in str(_error(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "table wine absente de"),
        (b"bonjour " * 200, "n'est pas une base SQLite : vérifier DATABASE_URL"),
    ],
    ids=["empty", "not a database"],
)
def test_a_file_that_is_no_database_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    """The error of an empty file and of one that is no database names what is wrong."""
    path = tmp_path / "wine.db"
    path.write_bytes(content)
    assert message in str(_error(path))


def test_a_damaged_database_is_an_error(cellar: CellarFile) -> None:
    """The error of a damaged file asks to restore a backup."""
    cellar.close()
    content = cellar.path.read_bytes()
    cellar.path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    assert "est abîmée : arrêter l'application et restaurer une sauvegarde" in str(_error(cellar.path))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1 FROM absent", "table absent absente de"),
        ("SELECT absent FROM wine", "colonne absent absente de"),
        ("SELECT nonsense(", "erreur SQLite (incomplete input)"),
    ],
)
def test_a_missing_table_or_column_is_named(cellar: CellarFile, query: str, message: str) -> None:
    """The error names a missing table or column of an older release, or the mistake in the statement."""
    assert message in str(_error(cellar.path, query))


def test_a_lock_is_a_temporary_error_after_a_while(cellar: CellarFile) -> None:
    """After its time limit, a lock is a temporary error."""
    cellar.execute("BEGIN EXCLUSIVE")
    error = _error(cellar.path)
    assert isinstance(error, TemporaryError)
    assert "base verrouillée par un autre programme depuis 0.05 s" in str(error)


@pytest.mark.parametrize("mode", [0o444, 0o000], ids=["read-only", "unreadable"])
def test_a_file_without_permissions_is_an_error(cellar: CellarFile, mode: int) -> None:
    """Without permission, the error names the user of the process, which matters in a container."""
    insert = "INSERT INTO activity_log (user_id, action, created_at) VALUES (1, 'x', '2020-01-01 00:00:00')"
    cellar.execute(insert)
    cellar.path.chmod(mode)
    result = cavecron("run", "cleanup", prefix=unprivileged(), DATABASE_URL=f"sqlite:///{cellar.path}")
    assert result.code == 1
    rights = permission_advice(cellar.path)
    assert f"pour l'utilisateur n° {os.geteuid()} ? Faire « chmod -R u+rwX »" in rights
    assert f"{cellar.path} ne peut être ouverte en écriture : {rights}\n" in result.err


def test_a_folder_without_permissions_is_an_error(cellar: CellarFile) -> None:
    """Without permission for the folder, nobody can see whether the file exists."""
    cellar.path.parent.chmod(0)
    result = cavecron("run", "cleanup", prefix=unprivileged(), DATABASE_URL=f"sqlite:///{cellar.path}")
    cellar.path.parent.chmod(0o755)
    assert result.code == 1
    assert "ne peut être ouverte (accès refusé) : droits du fichier et de son dossier pour" in result.err


def test_a_failed_transaction_leaves_nothing_behind(cellar: CellarFile) -> None:
    """An error in a transaction undoes all its changes."""

    def delete_and_fail() -> None:
        with cellar.database.writing() as connection:
            connection.execute("DELETE FROM cellar_category")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        delete_and_fail()
    assert cellar.rows("SELECT count(*) FROM cellar_category") == [(1,)]


def test_the_journal_mode_stays_the_applications(cellar: CellarFile) -> None:
    """The mode is the application's choice, and WAL is unsafe on a network share."""
    cellar.close()
    for mode in ("delete", "wal"):
        with closing(sqlite3.connect(cellar.path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")
        with cellar.database.writing() as connection:
            connection.execute("DELETE FROM email_log")
        with closing(sqlite3.connect(cellar.path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)


def test_a_reader_cannot_write(cellar: CellarFile) -> None:
    """A statement that writes raises an error in a reading transaction."""
    with pytest.raises(CavecronError), cellar.database.reading() as connection:
        connection.execute("DELETE FROM cellar_category")


def test_a_path_with_special_characters_is_found(tmp_path: Path) -> None:
    """Question marks and percent signs in a path are escaped, because SQLite gets a URI."""
    cellar = CellarFile(tmp_path / "ma cave? 100%#1.db")
    with cellar.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM wine").fetchone() == (0,)
    cellar.close()


def test_instants_are_stored_as_the_application_does() -> None:
    """An instant of any zone becomes naive UTC with six digits, as the application has it."""
    assert (
        utc_text(datetime(2026, 11, 23, 8, tzinfo=timezone(timedelta(hours=1))))
        == "2026-11-23 07:00:00.000000"
    )


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("2026-11-23 07:00:00.000000", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("2026-11-23 07:00:00", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("2026-11-23T08:00:00+01:00", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("hier", None),
        ("", None),
        (None, None),
        (1700000000, None),
    ],
)
def test_stored_instants_are_read_with_lenience(stored: object, read: datetime | None) -> None:
    """An unreadable instant is None and raises no error."""
    assert read_utc(stored) == read


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes system calls fail")
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("newfstatat", "ESTALE", "le partage réseau a été démonté ou remplacé"),
        ("newfstatat", "EIO", "erreur de lecture ou d'écriture"),
        ("newfstatat", "ENOTCONN", "le partage réseau n'est plus connecté"),
        ("newfstatat", "EHOSTDOWN", "l'hôte du partage réseau est arrêté"),
        ("newfstatat", "ETIMEDOUT", "le partage réseau ne répond pas"),
        ("newfstatat", "ENOLCK", "le partage réseau n'accorde pas de verrou"),
        ("pread64", "EIO", "ne peut être lue ou écrite"),
        ("pread64", "ESTALE", "ne peut être lue ou écrite"),
    ],
)
def test_a_share_that_is_away_is_temporary(cellar: CellarFile, call: str, error: str, words: str) -> None:
    """Errors of a network share are temporary and say what to check."""
    program = (
        "import sys; from pathlib import Path; from cavecron.database.sqlite import Database;"
        " from cavecron.errors import TemporaryError\n"
        "try:\n    with Database(Path(sys.argv[1])).writing() as c: c.execute('SELECT 1 FROM wine')\n"
        "except TemporaryError as e: print(e)"
    )
    injection = ("-e", f"trace={call}", "-e", f"inject={call}:error={error}", "-P", str(cellar.path))
    command = ["strace", "-f", "-o", "/dev/null", *injection, sys.executable, "-c", program, str(cellar.path)]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if "ptrace" in result.stderr:
        pytest.skip(result.stderr)
    assert words in result.stdout, result.stderr
    assert "Vérifier que l'hôte du partage répond et que le volume est monté" in result.stdout


def test_a_full_disk_is_temporary(cellar: CellarFile) -> None:
    """A full disk is a temporary error; SQLite's limit of pages causes the same one."""
    full = pytest.raises(TemporaryError, match="le disque est plein : faire de la place, puis relancer")
    with full, cellar.database.writing() as connection:
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("CREATE TABLE big AS SELECT randomblob(10000)")


def test_a_disk_without_room_for_a_journal_counts_as_full(
    small_disk: Callable[[int], Path],
) -> None:
    """SQLite only says that it cannot open a file if there is no room for a journal."""
    disk = small_disk(1000)
    cellar = CellarFile(disk / "wine.db")
    subprocess.run(["mount", "-o", "remount,nr_inodes=2", str(disk)], check=True)
    with pytest.raises(TemporaryError, match="le disque est plein"), cellar.database.writing() as connection:
        connection.execute("DELETE FROM cellar_category")
    cellar.close()
