"""The folder of backups: which files are created, deleted and kept."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cavecron.database.backup import DamagedCopyError, require_sound
from cavecron.database.backup_folder import BackupFolder, NoRoomError, megabytes
from cavecron.database.backup_names import BackupNames
from cavecron.errors import CavecronError, StoppedError
from tests.support.app_database import CellarFile
from tests.support.killed_calls import back_up as back_up_once
from tests.support.killed_calls import killed_at

NIGHT = datetime(2026, 11, 30, 1, 30, tzinfo=UTC)
NAME = "wine-2026-11-30T023000.sqlite"
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    """Return a folder that does not exist yet."""
    return folder_at(tmp_path / "backups")


def folder_at(path: Path) -> BackupFolder:
    """Return the folder of the backups of wine.db."""
    return BackupFolder(path=path, names=BackupNames(stem="wine", zone=ZoneInfo("Europe/Paris")))


def names(folder: BackupFolder) -> set[str]:
    """Return the names in the folder."""
    return {path.name for path in folder.path.iterdir()}


def back_up(folder: BackupFolder, cellar: CellarFile, at: datetime = NIGHT) -> None:
    """Make a backup, and delete the expired ones."""
    folder.prepare(100_000)
    folder.add(cellar.database, at, lambda: None)
    folder.remove_expired(2)


def test_a_backup_is_readable_by_its_owner_only(folder: BackupFolder, cellar: CellarFile) -> None:
    """Backups contain addresses and passwords, so they are private whatever the umask."""
    before = os.umask(0)
    try:
        back_up(folder, cellar)
    finally:
        os.umask(before)
    assert names(folder) == {NAME}
    assert stat.S_IMODE((folder.path / NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_only_old_backups_are_deleted(folder: BackupFolder, cellar: CellarFile) -> None:
    """Foreign names, other databases' backups, and folders and links with a backup's name stay."""
    folder.path.mkdir()
    valuable = cellar.path.with_name("valuable")
    valuable.write_text("mine")
    others = {"notes.txt", "other-2020-01-01T023000.sqlite", "wine-2020-01-01T023000.sqlite.bak", "wine.db"}
    for name in others:
        (folder.path / name).write_text("mine")
    (folder.path / "wine-2020-01-02T023000.sqlite").mkdir()
    (folder.path / "wine-2020-01-03T023000.sqlite").symlink_to(valuable)
    (folder.path / ".wine-2020-01-03T023000.sqlite.part").symlink_to(valuable)
    before = names(folder)
    for night in range(5):
        back_up(folder, cellar, NIGHT + night * DAY)
    backups = {f"wine-2026-12-0{day}T023000.sqlite" for day in (3, 4)} | {NAME}  # the newest of November, too
    assert names(folder) == before | backups
    assert valuable.read_text() == "mine"


def test_an_unfinished_file_is_deleted_unless_it_is_being_written(
    folder: BackupFolder, cellar: CellarFile
) -> None:
    """An unfinished file is deleted unless its writer holds the lock."""
    folder.path.mkdir()
    dead, alive = (folder.path / f".wine-2026-11-{day}T023000.sqlite.part" for day in (28, 29))
    dead.touch()
    with alive.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        back_up(folder, cellar)
        assert names(folder) == {NAME, alive.name}


def test_two_backups_of_one_instant_do_not_write_into_one_file(
    folder: BackupFolder, cellar: CellarFile
) -> None:
    """The second backup of the same instant raises an error."""
    folder.path.mkdir()
    with (
        folder.temporary(folder.names.unfinished(NAME)),
        pytest.raises(CavecronError, match="une autre copie est en train de s'écrire"),
    ):
        folder.add(cellar.database, NIGHT, lambda: None)


def test_a_backup_that_is_stopped_leaves_nothing(folder: BackupFolder, cellar: CellarFile) -> None:
    """A stopped backup leaves no file, and the older backup stays."""
    back_up(folder, cellar, NIGHT - DAY)
    before = names(folder)

    def stop() -> None:
        raise StoppedError("arrêt")

    with pytest.raises(StoppedError):
        folder.add(cellar.database, NIGHT, stop)
    assert names(folder) == before


def test_a_damaged_database_deletes_no_old_backup(folder: BackupFolder, cellar: CellarFile) -> None:
    """The copy is damaged too and is deleted; the old backups stay."""
    cellar.execute(
        "CREATE TABLE filler AS WITH n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n LIMIT 9000)"
        " SELECT x, hex(randomblob(100)) FROM n"
    )
    back_up(folder, cellar, NIGHT - DAY)
    before = names(folder)
    with cellar.path.open("r+b") as file:
        file.seek(-4096 * 200, os.SEEK_END)
        file.write(b"\xff" * 4096 * 3)
    with pytest.raises(DamagedCopyError, match=r"wine\.db est abîmée .* les anciennes copies sont gardées"):
        folder.add(cellar.database, NIGHT, lambda: None)
    assert names(folder) == before


def test_a_backup_needs_enough_free_space(folder: BackupFolder, small_disk: Callable[[int], Path]) -> None:
    """The error contains the free and the needed space and the variable to change."""
    small = folder_at(small_disk(2_000) / "backups")
    message = (
        r"pas assez de place dans .*backups : [\d,]+ Mo libres, 101 Mo nécessaires .*SCHEDULER_BACKUP_DIR"
    )
    with pytest.raises(NoRoomError, match=message) as caught:
        small.prepare(100 << 20)
    assert caught.value.temporary


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    """The error says that the parent folder is missing (an unmounted volume) or that a file has the name."""
    with pytest.raises(CavecronError, match="il n'existe pas ; vérifier SCHEDULER_BACKUP_DIR"):
        folder_at(tmp_path / "away" / "backups").prepare(0)
    (tmp_path / "backups").touch()
    with pytest.raises(CavecronError, match="ce n'est pas un dossier"):
        folder_at(tmp_path / "backups").prepare(0)


@pytest.mark.slow
def test_a_backup_killed_at_any_moment_leaves_good_ones(folder: BackupFolder, cellar: CellarFile) -> None:
    """Killed at each call in turn, it leaves at least one backup, and all backups are sound."""
    cellar.user("marie")
    moment = 0
    back_up(folder, cellar, NIGHT - DAY)
    while True:
        moment += 1
        killed = killed_at(moment, back_up_once, cellar.path, folder.path, "wine", NIGHT)
        backup_names = {backup.name for backup in folder.backups()}
        assert backup_names
        for name in backup_names:
            require_sound(folder.path / name, lambda: None)
            with closing(sqlite3.connect(folder.path / name)) as copy:
                assert copy.execute('SELECT username FROM "user"').fetchall() == [("marie",)]
        if not killed:
            break
    assert moment > 100
    assert names(folder) == {NAME}


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0,0 Mo"), (300_000, "0,3 Mo"), (500 << 20, "500 Mo"), (3 << 29, "1,5 Go")]
)
def test_sizes_are_written_in_french(size: int, words: str) -> None:
    """Sizes have a comma and at most one decimal."""
    assert megabytes(size) == words
