"""`cavecron restore`: it lists what would be lost, restores the old state, and no mail is sent twice."""

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from cavecron.config.settings import BUILT_IN, load
from cavecron.database.backup import require_sound
from cavecron.database.restore import exclusive
from cavecron.database.sqlite import Database
from cavecron.errors import TemporaryError
from cavecron.ledger.history import history
from cavecron.ledger.runs import claim_manual
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW, CellarFile
from tests.support.house import HOUR, MINUTE, House
from tests.support.in_process import command
from tests.support.killed_calls import killed_at, restore

REPORTS = "weekly_reports"


@pytest.fixture
def house(cellar: CellarFile) -> House:
    """Return the house."""
    return House(cellar)


def test_what_would_be_lost_is_told_and_nothing_is_changed(house: House) -> None:
    """Added, changed and removed rows by table; exit code 2, for nothing was restored."""
    old = house.cellar.wine(1, 1, "Pétrus")
    copy = house.backup(NOW - HOUR)
    house.cellar.wine(1, 1, "Yquem")
    house.cellar.execute(
        "UPDATE wine SET quantity = 0, updated_at = '2026-11-23 06:30:00.000000' WHERE id = 1"
    )
    house.cellar.execute("DELETE FROM wine WHERE id = ?", (old,))
    before = house.cellar.path.read_bytes()
    result = house.restore(copy)
    assert result.code == 2
    assert result.out.splitlines() == [
        f"Copie : {copy}, du lundi 23 novembre 2026 à 07:00, il y a 1 h",
        "Ce qui serait défait, par table :",
        "  wine : 1 ajoutée depuis, 1 modifiée depuis, 1 supprimée depuis, qui reviendrait",
        f"Rien n'a été changé. Restaurer : cavecron restore {copy} --yes",
    ]
    assert house.cellar.path.read_bytes() == before


def test_a_table_that_is_gone_is_counted_if_it_had_rows(house: House) -> None:
    """Neither rows that would come back go unsaid, nor is anything said of none."""
    house.cellar.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    house.cellar.execute("CREATE TABLE drafts (id INTEGER PRIMARY KEY)")
    house.cellar.execute("INSERT INTO notes DEFAULT VALUES")
    copy = house.backup(NOW - HOUR)
    house.cellar.execute("DROP TABLE notes")
    house.cellar.execute("DROP TABLE drafts")
    lines = house.restore(copy).out.splitlines()
    assert "  notes : 1 supprimée depuis, qui reviendrait" in lines
    assert not [line for line in lines if "drafts" in line]


def test_many_rows_are_counted_a_few_at_a_time(house: House) -> None:
    """More than one statement looks at, and with gaps in their numbers."""
    insert = (
        "INSERT INTO activity_log (id, user_id, action, created_at)"
        " WITH n(x) AS (SELECT :first UNION ALL SELECT x + :gap FROM n WHERE x + :gap < 9000)"
        " SELECT x, 1, 'x', '2026-11-01 00:00:00.000000' FROM n"
    )
    house.cellar.execute(insert, {"first": 0, "gap": 3})
    copy = house.backup(NOW - HOUR)
    house.cellar.execute(insert, {"first": 1, "gap": 9})
    assert "  activity_log : 1000 ajoutées depuis" in house.restore(copy).out.splitlines()


def test_an_application_that_has_the_file_open_sees_the_old_state(house: House) -> None:
    """It is the same file, and what was is kept beside."""
    copy = house.backup(NOW - HOUR)
    house.cellar.wine(1, 1, "Yquem")
    inode = house.cellar.path.stat().st_ino
    result = house.restore(copy, "--yes")
    assert (result.code, result.err) == (0, "")
    assert house.cellar.rows("SELECT name FROM wine") == [("Margaux",), ("Margaux",)]
    assert house.cellar.path.stat().st_ino == inode
    (kept,) = re.findall(r"L'état d'avant est gardé dans (.*)", result.out)
    with closing(sqlite3.connect(kept)) as connection:
        assert ("Yquem",) in connection.execute("SELECT name FROM wine").fetchall()
    assert "aucun mail ne repart" in result.out
    house.cellar.wine(1, 1, "Cheval Blanc")  # and goes on writing
    assert house.restore(Path(kept), "--yes", at=NOW + MINUTE).code == 0
    assert house.names() == ["Margaux", "Margaux", "Yquem"]
    assert not [path for path in house.folder.iterdir() if path.name.startswith(".")]


def test_nobody_gets_a_second_mail_because_of_a_restore(house: House) -> None:
    """Copied at 7, reports at 8, restored at half past; the history says what is known."""
    copy = house.backup(NOW - HOUR)
    assert house.run("run", "--due", REPORTS, at=NOW + MINUTE).code == 0
    assert house.mails == 2
    assert house.restore(copy, "--yes", at=NOW + 30 * MINUTE).code == 0
    again = house.run("run", "--due", REPORTS, at=NOW + 40 * MINUTE)
    assert (again.code, house.mails) == (0, 2)
    assert "Rien à exécuter maintenant" in again.err
    told = house.run("history", REPORTS, at=NOW + 40 * MINUTE).out
    assert "réussi" in told
    assert "Rapports hebdomadaires: 2 envoyés, 0 échecs" in told
    entries = history(Ledger(database=house.cellar.database))
    assert [(entry.job, entry.state) for entry in entries] == [
        (REPORTS, "succeeded"),
        ("backup", "succeeded"),
    ]


@pytest.mark.parametrize("loss", ["disk", "garbage", "ledger", "begun anew"])
def test_nobody_gets_a_second_mail_where_the_ledger_is_lost(house: House, loss: str) -> None:
    """The slot since the copy counts as passed, and the history says that its fate is not known."""
    house.run("run", "--due", REPORTS, at=NOW - 7 * 24 * HOUR + MINUTE)
    copy = house.backup(NOW - HOUR)
    assert house.run("run", "--due", REPORTS, at=NOW + MINUTE).code == 0
    assert house.mails == 4
    if loss == "disk":
        house.cellar.path.unlink()
    elif loss == "garbage":
        house.cellar.path.write_bytes(b"garbage" * 1_000)
    else:
        for table in ("run", "job", "delivery", "ledger"):
            house.cellar.execute(f"DROP TABLE cavecron_{table}")
        if loss == "begun anew":
            house.run("run", "cleanup", at=NOW + 10 * MINUTE)
    result = house.restore(copy, "--yes", at=NOW + 30 * MINUTE)
    assert (result.code, result.err) == (0, "")
    assert "rien n'est rejoué" in result.out
    for minutes in (40, 55):
        house.run("run", "--due", REPORTS, at=NOW + minutes * MINUTE)
    assert house.mails == 4
    told = house.run("history", REPORTS, at=NOW + 40 * MINUTE).out
    assert "base restaurée : ce qu'il en est advenu n'est pas connu" in told
    assert "--resume" not in told
    assert "rien à reprendre" in house.run("run", REPORTS, "--resume", at=NOW + 57 * MINUTE).err
    assert house.mails == 4
    after = house.run("run", "--due", REPORTS, at=NOW + 7 * 24 * HOUR)
    assert (after.code, house.mails) == (0, 6)


def test_a_run_that_was_going_on_when_the_copy_was_made_is_not_taken_up(house: House) -> None:
    """Its mails went out since, and only the lost ledger knew."""
    ledger = Ledger(database=house.cellar.database)
    claim_manual(ledger, REPORTS, (), NOW - 2 * MINUTE)
    copy = house.folder / "wine-2026-11-23T080000.sqlite"
    house.folder.mkdir()
    with closing(sqlite3.connect(copy)) as target, closing(sqlite3.connect(house.cellar.path)) as source:
        source.backup(target)
    house.cellar.path.unlink()
    assert house.restore(copy, "--yes", at=NOW + 10 * MINUTE).code == 0
    house.run("run", "--due", REPORTS, at=NOW + 11 * MINUTE)
    assert house.mails == 0
    states = {entry.state for entry in history(Ledger(database=Database(house.cellar.path)))}
    assert states == {"failed"}


def test_a_run_under_way_refuses_it(house: House) -> None:
    """Exit code 3, and the name of the job."""
    copy = house.backup(NOW - HOUR)
    claim_manual(Ledger(database=house.cellar.database), REPORTS, (), NOW)
    before = house.cellar.path.read_bytes()
    result = command("restore", str(copy), "--yes", at=NOW, **house.variables())
    assert result.code == 3
    assert "weekly_reports est en cours" in result.err
    assert house.cellar.path.read_bytes() == before


def test_a_file_that_is_gone_is_made_for_whoever_may_use_the_folder(house: House) -> None:
    """The disk died; the journal of the old file is not taken for the new one's."""
    copy = house.backup(NOW - HOUR)
    house.cellar.path.unlink()
    house.cellar.path.with_name("wine.db-journal").write_bytes(
        b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600)
    )
    house.cellar.path.parent.chmod(0o750)
    result = house.restore(copy, "--yes")
    assert (result.code, result.err) == (0, "")
    assert "est créée d'après la copie" in result.out
    assert stat.S_IMODE(house.cellar.path.stat().st_mode) == 0o640
    assert house.names() == ["Margaux", "Margaux"]
    assert not [path.name for path in house.cellar.path.parent.iterdir() if "-" in path.name]


def test_a_damaged_file_is_kept_as_it_is_beside(house: House) -> None:
    """Somebody may still get something out of it; the application's file stays the same one."""
    copy = house.backup(NOW - HOUR)
    house.cellar.path.write_bytes(b"garbage" * 1_000)
    inode = house.cellar.path.stat().st_ino
    result = house.restore(copy, "--yes")
    assert result.code == 0
    (kept,) = re.findall(r"L'état d'avant est gardé dans (.*)", result.out)
    assert Path(kept).read_bytes() == b"garbage" * 1_000
    assert house.cellar.path.stat().st_ino == inode
    assert house.names() == ["Margaux", "Margaux"]


def test_a_file_that_others_do_not_let_go_of_is_told(house: House) -> None:
    """With what to do; what there was stays."""
    house.cellar.execute("PRAGMA journal_mode = WAL")
    house.cellar.rows("SELECT * FROM wine")
    with (
        pytest.raises(TemporaryError, match="arrêter l'application, puis relancer cavecron restore"),
        exclusive(Database(house.cellar.path, busy_timeout=0.1)),
    ):
        pytest.fail("it was not held by the application")
    assert house.names() == ["Margaux", "Margaux"]


@pytest.mark.slow
def test_a_restore_killed_at_any_moment_leaves_the_old_or_the_new(house: House) -> None:
    """At the first, the second, the third … call, of files large enough to be written in several steps."""
    for _ in range(100):
        house.cellar.wine(1, 1, "Pétrus", label_image_data="x" * 100_000)
    copy = house.backup(NOW - HOUR)
    house.cellar.execute("DELETE FROM wine WHERE id % 2")
    house.cellar.wine(1, 1, "Yquem")
    new, live = copy.read_bytes(), house.cellar.path
    states = set()
    moment = killed = 1
    while killed:
        before = house.names()
        killed = killed_at(moment, restore, copy, house.variables())
        after = house.names()  # SQLite takes back what was half done
        require_sound(live, lambda: None)
        assert after in (before, ["Margaux"] * 2 + ["Pétrus"] * 100)
        states.add(len(after))
        if after != before:
            house.cellar.execute("DELETE FROM wine WHERE id % 2")
        for kept in house.folder.iterdir():
            if kept.name[0] != "." and kept != copy:
                require_sound(kept, lambda: None)
                kept.unlink()
        moment += 7
    assert copy.read_bytes() == new
    assert len(states) >= 2


def test_the_schedule_of_backups_is_that_of_the_table() -> None:
    """Every night at half past two, if asked for."""
    settings = load({}, str, BUILT_IN)
    assert settings.jobs["backup"].schedule.expression == "30 2 * * *"
    assert not settings.jobs["backup"].enabled
    assert load({"SCHEDULER_BACKUP_ENABLED": "1"}, str, BUILT_IN).jobs["backup"].enabled
