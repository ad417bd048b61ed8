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
from tests.support.app_installation import HOUR, MINUTE, AppInstallation
from tests.support.in_process import command
from tests.support.killed_calls import killed_at, restore

REPORTS = "weekly_reports"


@pytest.fixture
def app(cellar: CellarFile) -> AppInstallation:
    """Return a database with two users who get reports."""
    return AppInstallation(cellar)


def test_restore_first_lists_what_would_be_lost_and_changes_nothing(app: AppInstallation) -> None:
    """Added, changed and removed rows are counted by table; the exit code is 2: nothing was restored."""
    old = app.cellar.wine(1, 1, "Pétrus")
    copy = app.backup(NOW - HOUR)
    app.cellar.wine(1, 1, "Yquem")
    app.cellar.execute("UPDATE wine SET quantity = 0, updated_at = '2026-11-23 06:30:00.000000' WHERE id = 1")
    app.cellar.execute("DELETE FROM wine WHERE id = ?", (old,))
    before = app.cellar.path.read_bytes()
    result = app.restore(copy)
    assert result.code == 2
    assert result.out.splitlines() == [
        f"Copie : {copy}, du lundi 23 novembre 2026 à 07:00, il y a 1 h",
        "Ce qui serait défait, par table :",
        "  wine : 1 ajoutée depuis, 1 modifiée depuis, 1 supprimée depuis, qui reviendrait",
        f"Rien n'a été changé. Restaurer : cavecron restore {copy} --yes",
    ]
    assert app.cellar.path.read_bytes() == before


def test_without_a_file_the_copies_are_listed(app: AppInstallation) -> None:
    """The newest first; other files of the folder are none of them, and nothing was restored."""
    none = app.run("restore")
    assert (none.code, none.out) == (
        2,
        f"Aucune copie de la base dans {app.folder} (SCHEDULER_BACKUP_DIR)\n",
    )
    old, new = app.backup(NOW - 24 * HOUR), app.backup(NOW - HOUR)
    (app.folder / "photographs.sqlite").touch()
    listed = app.run("restore", "--yes")
    assert listed.code == 2
    assert listed.out.splitlines() == [
        "Les copies de la base, la plus récente d'abord :",
        f"  {new}, du lundi 23 novembre 2026 à 07:00, il y a 1 h",
        f"  {old}, du dimanche 22 novembre 2026 à 08:00, il y a 1 j",
        "Ce qu'une copie déferait : cavecron restore FICHIER",
    ]


def test_a_relative_file_is_found_although_a_file_of_jobs_changes_the_folder(
    app: AppInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is meant from the folder in which the command was typed."""
    copy = app.backup(NOW - HOUR)
    jobs = tmp_path / "jobs.py"
    jobs.write_text(
        "import os\nfrom cavecron import job\nos.chdir('/')\n@job('own')\ndef own(run):\n    pass\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(copy.parent)
    result = command("restore", copy.name, at=NOW, **app.variables(CAVECRON_JOBS=str(jobs)))
    assert result.out.splitlines()[0].startswith(f"Copie : {copy}, ")


def test_a_row_that_changed_is_counted_in_a_table_without_the_time_of_a_change(app: AppInstallation) -> None:
    """A password or an address of before would come back; a column that is new is no change."""
    claire = app.cellar.user("Claire")
    copy = app.backup(NOW - HOUR)
    unchanged = "Rien n'a changé depuis : aucune ligne ne serait perdue"
    assert unchanged in app.restore(copy).out.splitlines()
    app.cellar.execute("ALTER TABLE \"user\" ADD COLUMN language VARCHAR(5) DEFAULT 'fr'")
    assert unchanged in app.restore(copy).out.splitlines()
    app.cellar.execute("UPDATE \"user\" SET email = 'c@example.org' WHERE id = ?", (claire,))
    assert "  user : 1 modifiée depuis" in app.restore(copy).out.splitlines()


def test_a_table_that_is_gone_is_counted_if_it_had_rows(app: AppInstallation) -> None:
    """A dropped table with rows is listed, and an empty one is not."""
    app.cellar.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    app.cellar.execute("CREATE TABLE drafts (id INTEGER PRIMARY KEY)")
    app.cellar.execute("INSERT INTO notes DEFAULT VALUES")
    copy = app.backup(NOW - HOUR)
    app.cellar.execute("DROP TABLE notes")
    app.cellar.execute("DROP TABLE drafts")
    lines = app.restore(copy).out.splitlines()
    assert "  notes : 1 supprimée depuis, qui reviendrait" in lines
    assert not [line for line in lines if "drafts" in line]


def test_many_rows_are_counted_a_few_at_a_time(app: AppInstallation) -> None:
    """The count is right for more ids, with gaps, than one statement compares."""
    insert = (
        "INSERT INTO activity_log (id, user_id, action, created_at)"
        " WITH n(x) AS (SELECT :first UNION ALL SELECT x + :gap FROM n WHERE x + :gap < 9000)"
        " SELECT x, 1, 'x', '2026-11-01 00:00:00.000000' FROM n"
    )
    app.cellar.execute(insert, {"first": 0, "gap": 3})
    copy = app.backup(NOW - HOUR)
    app.cellar.execute(insert, {"first": 1, "gap": 9})
    assert "  activity_log : 1000 ajoutées depuis" in app.restore(copy).out.splitlines()


def test_an_application_that_has_the_file_open_sees_the_old_state(app: AppInstallation) -> None:
    """The file is the same one (inode), and the state before is kept in another file."""
    copy = app.backup(NOW - HOUR)
    app.cellar.wine(1, 1, "Yquem")
    inode = app.cellar.path.stat().st_ino
    result = app.restore(copy, "--yes")
    assert (result.code, result.err) == (0, "")
    assert app.cellar.rows("SELECT name FROM wine") == [("Margaux",), ("Margaux",)]
    assert app.cellar.path.stat().st_ino == inode
    (previous,) = re.findall(r"L'état d'avant est gardé dans (.*)", result.out)
    with closing(sqlite3.connect(previous)) as connection:
        assert ("Yquem",) in connection.execute("SELECT name FROM wine").fetchall()
    assert "aucun mail ne repart" in result.out
    app.cellar.wine(1, 1, "Cheval Blanc")  # the application goes on writing
    assert app.restore(Path(previous), "--yes", at=NOW + MINUTE).code == 0
    assert app.names() == ["Margaux", "Margaux", "Yquem"]
    assert not [path for path in app.folder.iterdir() if path.name.startswith(".")]


def test_nobody_gets_a_second_mail_because_of_a_restore(app: AppInstallation) -> None:
    """The reports sent after the copy was made are still recorded after the restore."""
    copy = app.backup(NOW - HOUR)
    assert app.run("run", "--due", REPORTS, at=NOW + MINUTE).code == 0
    assert app.mails == 2
    assert app.restore(copy, "--yes", at=NOW + 30 * MINUTE).code == 0
    again = app.run("run", "--due", REPORTS, at=NOW + 40 * MINUTE)
    assert (again.code, app.mails) == (0, 2)
    assert "Rien à exécuter maintenant" in again.err
    output = app.run("history", REPORTS, at=NOW + 40 * MINUTE).out
    assert "réussi" in output
    assert "Rapports hebdomadaires: 2 envoyés, 0 échecs" in output
    entries = history(Ledger(database=app.cellar.database))
    assert [(entry.job, entry.state) for entry in entries] == [
        (REPORTS, "succeeded"),
        ("backup", "succeeded"),
    ]


@pytest.mark.parametrize("loss", ["disk", "garbage", "ledger", "new ledger"])
def test_nobody_gets_a_second_mail_where_the_ledger_is_lost(app: AppInstallation, loss: str) -> None:
    """Slots since the copy are closed, and the history says that their result is unknown."""
    app.run("run", "--due", REPORTS, at=NOW - 7 * 24 * HOUR + MINUTE)
    copy = app.backup(NOW - HOUR)
    assert app.run("run", "--due", REPORTS, at=NOW + MINUTE).code == 0
    assert app.mails == 4
    if loss == "disk":
        app.cellar.path.unlink()
    elif loss == "garbage":
        app.cellar.path.write_bytes(b"garbage" * 1_000)
    else:
        for table in ("run", "job", "delivery", "ledger"):
            app.cellar.execute(f"DROP TABLE cavecron_{table}")
        if loss == "new ledger":
            app.run("run", "cleanup", at=NOW + 10 * MINUTE)
    result = app.restore(copy, "--yes", at=NOW + 30 * MINUTE)
    assert (result.code, result.err) == (0, "")
    assert "rien n'est rejoué" in result.out
    for minutes in (40, 55):
        app.run("run", "--due", REPORTS, at=NOW + minutes * MINUTE)
    assert app.mails == 4
    output = app.run("history", REPORTS, at=NOW + 40 * MINUTE).out
    assert "base restaurée : ce qu'il en est advenu n'est pas connu" in output
    assert "--resume" not in output
    assert "rien à reprendre" in app.run("run", REPORTS, "--resume", at=NOW + 57 * MINUTE).err
    assert app.mails == 4
    after = app.run("run", "--due", REPORTS, at=NOW + 7 * 24 * HOUR)
    assert (after.code, app.mails) == (0, 6)


def test_a_run_that_was_going_on_when_the_copy_was_made_is_not_taken_up(app: AppInstallation) -> None:
    """It may have sent its mails since, which only the lost ledger recorded."""
    ledger = Ledger(database=app.cellar.database)
    claim_manual(ledger, REPORTS, (), NOW - 2 * MINUTE)
    copy = app.folder / "wine-2026-11-23T080000.sqlite"
    app.folder.mkdir()
    with closing(sqlite3.connect(copy)) as target, closing(sqlite3.connect(app.cellar.path)) as source:
        source.backup(target)
    app.cellar.path.unlink()
    assert app.restore(copy, "--yes", at=NOW + 10 * MINUTE).code == 0
    app.run("run", "--due", REPORTS, at=NOW + 11 * MINUTE)
    assert app.mails == 0
    states = {entry.state for entry in history(Ledger(database=Database(app.cellar.path)))}
    assert states == {"failed"}


def test_a_run_under_way_refuses_it(app: AppInstallation) -> None:
    """While a job runs, the exit code is 3, the message names the job, and nothing is changed."""
    copy = app.backup(NOW - HOUR)
    claim_manual(Ledger(database=app.cellar.database), REPORTS, (), NOW)
    before = app.cellar.path.read_bytes()
    result = command("restore", str(copy), "--yes", at=NOW, **app.variables())
    assert result.code == 3
    assert "weekly_reports est en cours" in result.err
    assert app.cellar.path.read_bytes() == before


def test_a_missing_file_is_created_with_the_permissions_of_its_folder(app: AppInstallation) -> None:
    """The journal of the lost file is removed, because SQLite would apply it to the new file."""
    copy = app.backup(NOW - HOUR)
    app.cellar.path.unlink()
    app.cellar.path.with_name("wine.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600))
    app.cellar.path.parent.chmod(0o750)
    result = app.restore(copy, "--yes")
    assert (result.code, result.err) == (0, "")
    assert "est créée d'après la copie" in result.out
    assert stat.S_IMODE(app.cellar.path.stat().st_mode) == 0o640
    assert app.names() == ["Margaux", "Margaux"]
    assert not [path.name for path in app.cellar.path.parent.iterdir() if "-" in path.name]


def test_a_damaged_file_is_kept_as_it_is_beside(app: AppInstallation) -> None:
    """It is copied unchanged, because something in it may be recovered; its inode stays the same."""
    copy = app.backup(NOW - HOUR)
    app.cellar.path.write_bytes(b"garbage" * 1_000)
    inode = app.cellar.path.stat().st_ino
    result = app.restore(copy, "--yes")
    assert result.code == 0
    (previous,) = re.findall(r"L'état d'avant est gardé dans (.*)", result.out)
    assert Path(previous).read_bytes() == b"garbage" * 1_000
    assert app.cellar.path.stat().st_ino == inode
    assert app.names() == ["Margaux", "Margaux"]


def test_a_file_that_the_application_keeps_open_is_refused(app: AppInstallation) -> None:
    """The message says that the application has to be stopped, and nothing is changed."""
    app.cellar.execute("PRAGMA journal_mode = WAL")
    app.cellar.rows("SELECT * FROM wine")
    with (
        pytest.raises(TemporaryError, match="arrêter l'application, puis relancer cavecron restore"),
        exclusive_connection(Database(app.cellar.path, busy_timeout=0.1)),
    ):
        pytest.fail("it was not held by the application")
    assert app.names() == ["Margaux", "Margaux"]


@pytest.mark.slow
def test_a_restore_killed_at_any_moment_leaves_the_old_or_the_new(app: AppInstallation) -> None:
    """The process is killed at every seventh call, while files are written in several steps."""
    for _ in range(100):
        app.cellar.wine(1, 1, "Pétrus", label_image_data="x" * 100_000)
    copy = app.backup(NOW - HOUR)
    app.cellar.execute("DELETE FROM wine WHERE id % 2")
    app.cellar.wine(1, 1, "Yquem")
    new, live = copy.read_bytes(), app.cellar.path
    states = set()
    moment = killed = 1
    while killed:
        before = app.names()
        killed = killed_at(moment, restore, copy, app.variables())
        after = app.names()  # SQLite rolls an unfinished transaction back
        require_sound(live, lambda: None)
        assert after in (before, ["Margaux"] * 2 + ["Pétrus"] * 100)
        states.add(len(after))
        if after != before:
            app.cellar.execute("DELETE FROM wine WHERE id % 2")
        for previous in app.folder.iterdir():
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
