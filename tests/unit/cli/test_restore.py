"""`cavecron restore`: it lists what would be lost and restores the old state, and no mail is sent twice."""

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from cavecron.config.settings import BUILT_IN, load
from cavecron.database.backup import require_sound
from cavecron.database.restore import exclusive_connection
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
    """Return a database with two users who get reports."""
    return House(cellar)


def test_restore_first_lists_what_would_be_lost_and_changes_nothing(house: House) -> None:
    """Added, changed and removed rows are counted by table; the exit code is 2: nothing was restored."""
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


def test_without_a_file_the_copies_are_listed(house: House) -> None:
    """The newest first; other files of the folder are none of them, and nothing was restored."""
    none = house.run("restore")
    assert (none.code, none.out) == (
        2,
        f"Aucune copie de la base dans {house.folder} (SCHEDULER_BACKUP_DIR)\n",
    )
    old, new = house.backup(NOW - 24 * HOUR), house.backup(NOW - HOUR)
    (house.folder / "photographs.sqlite").touch()
    listed = house.run("restore", "--yes")
    assert listed.code == 2
    assert listed.out.splitlines() == [
        "Les copies de la base, la plus récente d'abord :",
        f"  {new}, du lundi 23 novembre 2026 à 07:00, il y a 1 h",
        f"  {old}, du dimanche 22 novembre 2026 à 08:00, il y a 1 j",
        "Ce qu'une copie déferait : cavecron restore FICHIER",
    ]


def test_a_relative_file_is_found_although_a_file_of_jobs_changes_the_folder(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is meant from the folder in which the command was typed."""
    copy = house.backup(NOW - HOUR)
    jobs = tmp_path / "jobs.py"
    jobs.write_text(
        "import os\nfrom cavecron import job\nos.chdir('/')\n@job('own')\ndef own(run):\n    pass\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(copy.parent)
    result = command("restore", copy.name, at=NOW, **house.variables(CAVECRON_JOBS=str(jobs)))
    assert result.out.splitlines()[0].startswith(f"Copie : {copy}, ")


def test_a_row_that_changed_is_counted_in_a_table_without_the_time_of_a_change(house: House) -> None:
    """A password or an address of before would come back; a column that is new is no change."""
    claire = house.cellar.user("Claire")
    copy = house.backup(NOW - HOUR)
    unchanged = "Rien n'a changé depuis : aucune ligne ne serait perdue"
    assert unchanged in house.restore(copy).out.splitlines()
    house.cellar.execute("ALTER TABLE \"user\" ADD COLUMN language VARCHAR(5) DEFAULT 'fr'")
    assert unchanged in house.restore(copy).out.splitlines()
    house.cellar.execute("UPDATE \"user\" SET email = 'c@example.org' WHERE id = ?", (claire,))
    assert "  user : 1 modifiée depuis" in house.restore(copy).out.splitlines()


def test_a_table_that_is_gone_is_counted_if_it_had_rows(house: House) -> None:
    """A dropped table with rows is listed, and an empty one is not."""
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
    """The count is right for more ids, with gaps, than one statement compares."""
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
    """The file is the same one (inode), and the state before is kept in another file."""
    copy = house.backup(NOW - HOUR)
    house.cellar.wine(1, 1, "Yquem")
    inode = house.cellar.path.stat().st_ino
    result = house.restore(copy, "--yes")
    assert (result.code, result.err) == (0, "")
    assert house.cellar.rows("SELECT name FROM wine") == [("Margaux",), ("Margaux",)]
    assert house.cellar.path.stat().st_ino == inode
    (previous,) = re.findall(r"L'état d'avant est gardé dans (.*)", result.out)
    with closing(sqlite3.connect(previous)) as connection:
        assert ("Yquem",) in connection.execute("SELECT name FROM wine").fetchall()
    assert "aucun mail ne repart" in result.out
    house.cellar.wine(1, 1, "Cheval Blanc")  # the application goes on writing
    assert house.restore(Path(previous), "--yes", at=NOW + MINUTE).code == 0
    assert house.names() == ["Margaux", "Margaux", "Yquem"]
    assert not [path for path in house.folder.iterdir() if path.name.startswith(".")]


def test_nobody_gets_a_second_mail_because_of_a_restore(house: House) -> None:
    """The reports sent after the copy was made are still recorded after the restore."""
    copy = house.backup(NOW - HOUR)
    assert house.run("run", "--due", REPORTS, at=NOW + MINUTE).code == 0
    assert house.mails == 2
    assert house.restore(copy, "--yes", at=NOW + 30 * MINUTE).code == 0
    again = house.run("run", "--due", REPORTS, at=NOW + 40 * MINUTE)
    assert (again.code, house.mails) == (0, 2)
    assert "Rien à exécuter maintenant" in again.err
    output = house.run("history", REPORTS, at=NOW + 40 * MINUTE).out
    assert "réussi" in output
    assert "Rapports hebdomadaires: 2 envoyés, 0 échecs" in output
    entries = history(Ledger(database=house.cellar.database))
    assert [(entry.job, entry.state) for entry in entries] == [
        (REPORTS, "succeeded"),
        ("backup", "succeeded"),
    ]


@pytest.mark.parametrize("loss", ["disk", "garbage", "ledger", "begun anew"])
def test_nobody_gets_a_second_mail_where_the_ledger_is_lost(house: House, loss: str) -> None:
    """Slots since the copy are closed, and the history says that their result is unknown."""
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
    output = house.run("history", REPORTS, at=NOW + 40 * MINUTE).out
    assert "base restaurée : ce qu'il en est advenu n'est pas connu" in output
    assert "--resume" not in output
    assert "rien à reprendre" in house.run("run", REPORTS, "--resume", at=NOW + 57 * MINUTE).err
    assert house.mails == 4
    after = house.run("run", "--due", REPORTS, at=NOW + 7 * 24 * HOUR)
    assert (after.code, house.mails) == (0, 6)


def test_a_run_that_was_going_on_when_the_copy_was_made_is_not_taken_up(house: House) -> None:
    """It may have sent its mails since, which only the lost ledger recorded."""
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
    """While a job runs, the exit code is 3, the message names the job, and nothing is changed."""
    copy = house.backup(NOW - HOUR)
    claim_manual(Ledger(database=house.cellar.database), REPORTS, (), NOW)
    before = house.cellar.path.read_bytes()
    result = command("restore", str(copy), "--yes", at=NOW, **house.variables())
    assert result.code == 3
    assert "weekly_reports est en cours" in result.err
    assert house.cellar.path.read_bytes() == before


def test_a_missing_file_is_created_with_the_permissions_of_its_folder(house: House) -> None:
    """The journal of the lost file is removed, because SQLite would apply it to the new file."""
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
    """It is copied unchanged, because something in it may be recovered; its inode stays the same."""
    copy = house.backup(NOW - HOUR)
    house.cellar.path.write_bytes(b"garbage" * 1_000)
    inode = house.cellar.path.stat().st_ino
    result = house.restore(copy, "--yes")
    assert result.code == 0
    (previous,) = re.findall(r"L'état d'avant est gardé dans (.*)", result.out)
    assert Path(previous).read_bytes() == b"garbage" * 1_000
    assert house.cellar.path.stat().st_ino == inode
    assert house.names() == ["Margaux", "Margaux"]


def test_a_file_that_the_application_keeps_open_is_refused(house: House) -> None:
    """The message says that the application has to be stopped, and nothing is changed."""
    house.cellar.execute("PRAGMA journal_mode = WAL")
    house.cellar.rows("SELECT * FROM wine")
    with (
        pytest.raises(TemporaryError, match="arrêter l'application, puis relancer cavecron restore"),
        exclusive_connection(Database(house.cellar.path, busy_timeout=0.1)),
    ):
        pytest.fail("it was not held by the application")
    assert house.names() == ["Margaux", "Margaux"]


@pytest.mark.slow
def test_a_restore_killed_at_any_moment_leaves_the_old_or_the_new(house: House) -> None:
    """The process is killed at every seventh call, while files are written in several steps."""
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
        after = house.names()  # SQLite rolls an unfinished transaction back
        require_sound(live, lambda: None)
        assert after in (before, ["Margaux"] * 2 + ["Pétrus"] * 100)
        states.add(len(after))
        if after != before:
            house.cellar.execute("DELETE FROM wine WHERE id % 2")
        for previous in house.folder.iterdir():
            if previous.name[0] != "." and previous != copy:
                require_sound(previous, lambda: None)
                previous.unlink()
        moment += 7
    assert copy.read_bytes() == new
    assert len(states) >= 2


def test_the_schedule_of_backups_is_that_of_the_table() -> None:
    """The backup is disabled by default, and its schedule is every night at half past two."""
    settings = load({}, str, BUILT_IN)
    assert settings.jobs["backup"].schedule.expression == "30 2 * * *"
    assert not settings.jobs["backup"].enabled
    assert load({"SCHEDULER_BACKUP_ENABLED": "1"}, str, BUILT_IN).jobs["backup"].enabled
