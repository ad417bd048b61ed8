"""The checks of the database: that it exists, can be read and written, and is complete, and on which disk."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cavecron.cli.preflight import run_checks
from cavecron.clock import SystemClock
from cavecron.database.permissions import permission_advice
from tests.support.app_database import CellarFile
from tests.support.check_helpers import SUBJECTS, bad, findings, settings_of
from tests.support.commands import cavecron, unprivileged


@pytest.fixture
def ready(cellar: CellarFile) -> CellarFile:
    """Return a database with a user to write to; mails go to a folder beside it."""
    cellar.user("marie")
    return cellar


def test_without_a_database_the_rest_is_not_looked_at(cellar: CellarFile) -> None:
    """All later checks say that they were not made, instead of failing one by one."""
    cellar.path.unlink()
    results = findings(cellar)
    assert bad(results) == f"base introuvable : {cellar.path} ; le volume est-il monté ? (DATABASE_URL)"
    assert {results[subject].message for subject in SUBJECTS[3:-1]} == {
        "pas vérifié : la base n'a pu être lue"
    }


def test_an_empty_database_is_one_line(cellar: CellarFile) -> None:
    """One message says that all tables are absent, instead of naming each of them."""
    cellar.path.write_bytes(b"")
    assert bad(findings(cellar)) == (
        f"{cellar.path} n'a aucune table de Cave à Vin : démarrer une fois l'application, qui met son schéma"
        " à jour, ou corriger DATABASE_URL"
    )


def test_everything_that_a_database_lacks_is_named(ready: CellarFile) -> None:
    """Missing tables are named, and missing columns with their table."""
    ready.execute("DROP TABLE wine_insight")
    ready.execute("ALTER TABLE wine_consumption DROP COLUMN comment")
    results = findings(ready)
    assert bad(results) == (
        f"wine_insight, wine_consumption.comment : absent de {ready.path} ; démarrer une fois l'application,"
        " qui met son schéma à jour"
    )
    assert {results[subject].message for subject in SUBJECTS[6:-1]} == {
        "pas vérifié : les tables ne sont pas là"
    }


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_database_that_cannot_be_written_fails_the_check(ready: CellarFile, place: str) -> None:
    """The file is read-only, or SQLite cannot create its journal in the folder."""
    path = ready.path if place == "file" else ready.path.parent
    (ready.path.parent / "outbox").mkdir()
    path.chmod(0o444 if place == "file" else 0o555)
    result = cavecron("check", prefix=unprivileged(), DATABASE_URL=f"sqlite:///{ready.path}")
    path.chmod(0o755)
    assert result.code == 1
    failures = [line for line in result.out.splitlines() if line.startswith("✗")]
    advice = permission_advice(ready.path)
    assert f"pour l'utilisateur n° {os.geteuid()} ? Faire « chmod -R u+rwX »" in advice
    assert failures[0] == f"✗ Écriture : {ready.path} ne peut être ouverte en écriture : {advice}"


def test_a_locked_database_fails_the_check(ready: CellarFile) -> None:
    """The database is readable, but locked for longer than a run would wait."""
    ready.execute("BEGIN IMMEDIATE")
    settings = settings_of(ready)
    results = {}
    for result in run_checks(settings, clock=SystemClock(), mounts="", send_to=None, patience=0.05):
        results[result.subject] = result
    ready.execute("ROLLBACK")
    assert bad(results) == f"base verrouillée par un autre programme depuis 0.05 s : {ready.path}"
    assert results["Base"].ok


MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / {folder} rw,relatime shared:1 - {kind} nas:/share rw,vers=4.2
31 22 0:41 / {folder}x rw - btrfs /dev/sdb rw
broken line
"""


@pytest.mark.parametrize(
    ("kind", "journal", "ok", "message"),
    [
        ("ext4", "delete", True, "local (ext4)"),
        ("overlay", "wal", True, "local (overlay)"),
        ("nfs4", "delete", True, "partage réseau (nfs4) : possible, si le serveur tient les verrous"),
        ("cifs", "delete", True, "partage réseau (cifs) : possible, si le serveur tient les verrous"),
        (
            "nfs",
            "wal",
            False,
            "partage réseau (nfs) et journal WAL : SQLite peut y perdre des données",
        ),
        ("fuse.sshfs", "wal", False, "partage réseau (fuse.sshfs) et journal WAL : SQLite peut y perdre"),
    ],
)
def test_a_network_share_is_recognised(
    ready: CellarFile, *, kind: str, journal: str, ok: bool, message: str
) -> None:
    """The kind of file system is read from Linux's list of mounts; a share with WAL fails the check."""
    ready.close()
    with closing(sqlite3.connect(ready.path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    mounts = MOUNTS.format(kind=kind, folder=ready.path.parent.resolve())
    check = findings(ready, mounts=mounts)["Disque"]
    assert check.ok is ok
    assert check.message.startswith(message)


def test_a_mount_point_with_a_space_is_found(tmp_path: Path) -> None:
    """Linux writes the space as an octal escape, which has to be decoded."""
    folder = tmp_path / "ma cave"
    folder.mkdir()
    cellar = CellarFile(folder / "wine.db")
    cellar.user("marie")
    escaped = str(folder.resolve()).replace(" ", "\\040")
    results = findings(cellar, mounts=MOUNTS.format(kind="nfs4", folder=escaped))
    assert results["Disque"].message.startswith("partage réseau (nfs4)")
    cellar.close()


def test_an_unknown_file_system_is_no_trouble(ready: CellarFile) -> None:
    """An empty list of mounts, as on other systems than Linux, fails no check."""
    assert findings(ready)["Disque"].message == "système de fichiers inconnu"


def test_a_damaged_table_is_found(ready: CellarFile) -> None:
    """All reports are built as in a run, so that an unreadable page is reported before Monday."""
    user = 1
    cave = ready.cellar(user)
    for _ in range(300):
        ready.wine(user, cave)
    (((page,),)) = ready.rows("SELECT rootpage FROM sqlite_master WHERE name = 'wine'")
    ready.close()
    with ready.path.open("r+b") as file:
        file.seek((int(str(page)) - 1) * 4096)
        file.write(b"\xff" * 4096)
    assert "est abîmée : arrêter l'application et restaurer une sauvegarde" in bad(findings(ready))
