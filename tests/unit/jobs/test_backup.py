"""The job `backup`: disabled by default, always possible by hand, and shown by `check` and `status`."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cavecron.database.backup_names import BackupName
from cavecron.jobs.backup import is_backup_overdue
from cavecron.schedule import parse
from tests.support.app_database import CellarFile
from tests.support.commands import Result
from tests.support.in_process import command, live_command

#: 02:30 in Paris.
NIGHT = datetime(2026, 11, 30, 1, 30, tzinfo=UTC)
NAME = "wine-2026-11-30T023000.sqlite"
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
NIGHTLY = parse("30 2 * * *", ZoneInfo("Europe/Paris"))


def run(cellar: CellarFile, *arguments: str, at: datetime = NIGHT, **variables: str) -> Result:
    """Run a command on the database, with mails into a folder."""
    outbox = f"maildir:{cellar.path.with_name('outbox')}"
    defaults = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_MAIL": outbox, **variables}
    return live_command(*arguments, at=at, **defaults)


def test_the_slot_of_an_enabled_backup_makes_a_copy(cellar: CellarFile) -> None:
    """The copy is named after its slot, however late it is made, and contains the application's data."""
    cellar.user("marie")
    result = run(cellar, "run", "--due", "backup", at=NIGHT + 5 * SECOND, SCHEDULER_BACKUP_ENABLED="1")
    assert (result.code, result.err) == (0, "")
    copy = cellar.path.with_name("backups") / NAME
    assert f"cavecron.jobs.backup - INFO - Sauvegarde: {copy}, 0,2 Mo" in result.out
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute('SELECT username FROM "user"').fetchall() == [("marie",)]


def test_a_disabled_backup_runs_only_by_hand(cellar: CellarFile) -> None:
    """The scheduler makes no copy unless the job is enabled, but a run by hand does."""
    assert run(cellar, "run", "--due", at=NIGHT + 5 * SECOND).code == 0
    assert not cellar.path.with_name("backups").exists()
    assert run(cellar, "run", "backup").code == 0
    assert cellar.path.with_name("backups").exists()


def test_a_dry_run_writes_nothing(cellar: CellarFile) -> None:
    """A dry run names the file that would be written and those that would be deleted."""
    folder = cellar.path.with_name("backups")
    for day in (1, 2, 3):
        run(cellar, "run", "backup", at=NIGHT + day * DAY)
    before = sorted(folder.iterdir())
    output = run(cellar, "run", "backup", "--dry-run", at=NIGHT + 4 * DAY, SCHEDULER_BACKUP_KEEP="2").out
    assert f"copie de 0,2 Mo dans {folder / 'wine-2026-12-04T023000.sqlite'}" in output
    assert f"serait supprimée : {before[0].name}" in output
    assert sorted(folder.iterdir()) == before


def test_json_output_names_the_file(cellar: CellarFile) -> None:
    """The JSON output contains the new file and the deleted ones."""
    folder = cellar.path.with_name("elsewhere")
    variables = {"SCHEDULER_BACKUP_DIR": str(folder), "SCHEDULER_BACKUP_KEEP": "1"}
    run(cellar, "run", "backup", at=NIGHT + DAY, **variables)
    output = json.loads(run(cellar, "run", "backup", "--json", at=NIGHT + 2 * DAY, **variables).out)
    assert output["file"] == str(folder / "wine-2026-12-02T023000.sqlite")
    assert output["removed"] == ["wine-2026-12-01T023000.sqlite"]


@pytest.mark.parametrize(
    ("nights", "since", "overdue"),
    [
        pytest.param(0, HOUR, False, id="made tonight"),
        pytest.param(2, 2 * HOUR, False, id="two nights failed"),
        pytest.param(3, 2 * HOUR, True, id="three nights failed"),
        pytest.param(3, HOUR / 2, False, id="the third night can still be retried"),
        pytest.param(40, HOUR / 2, True, id="made last month"),
    ],
)
def test_a_backup_older_than_three_slots_is_overdue(nights: int, since: timedelta, *, overdue: bool) -> None:
    """A backup is overdue when three slots have passed since, with the hour for retries of the last one."""
    backup = BackupName(name=NAME, at=NIGHT - nights * DAY)
    assert is_backup_overdue(backup, NIGHTLY, NIGHT + since) is overdue


def check_line(cellar: CellarFile, at: datetime, **variables: str) -> str:
    """Return the line of `check` about backups."""
    (line,) = [
        line for line in run(cellar, "check", at=at, **variables).out.splitlines() if "Sauvegarde" in line
    ]
    return line


def test_check_shows_the_newest_backup_and_its_age(cellar: CellarFile) -> None:
    """The line reports that there is no copy, a recent copy, or one that is too old."""
    variables = {"SCHEDULER_BACKUP_ENABLED": "1"}
    first = check_line(cellar, NIGHT, **variables)
    assert first.startswith("✓ Sauvegarde : aucune copie encore ; en faire une")
    run(cellar, "run", "backup")
    fresh = check_line(cellar, NIGHT + 7 * HOUR, **variables)
    assert fresh == f"✓ Sauvegarde : dernière copie : {cellar.path.with_name('backups') / NAME}, il y a 7 h"
    old = check_line(cellar, NIGHT + 5 * DAY, **variables)
    assert old.startswith("✗ Sauvegarde : dernière copie : ")
    assert "il y a 5 j : plus de trois créneaux" in old
    when_disabled = check_line(cellar, NIGHT + 5 * DAY)
    assert when_disabled.startswith("✓")


def test_check_reports_a_folder_that_cannot_be_used(cellar: CellarFile) -> None:
    """The error is shown before the night in which the folder is needed."""
    folder = str(cellar.path.with_name("away") / "backups")
    output = check_line(cellar, NIGHT, SCHEDULER_BACKUP_ENABLED="1", SCHEDULER_BACKUP_DIR=folder)
    assert output.startswith(f"✗ Sauvegarde : dossier des sauvegardes {folder} : il n'existe pas")


def test_status_shows_the_newest_backup(cellar: CellarFile) -> None:
    """`status` shows the newest copy, and an old one as something that a person has to do."""
    run(cellar, "run", "backup")
    facts = json.loads(run(cellar, "status", "--json", at=NIGHT + 5 * DAY, SCHEDULER_BACKUP_ENABLED="1").out)
    assert NAME in json.dumps(facts)
    assert any("cavecron run backup" in json.dumps(need) for need in facts["needs"])


def test_check_reports_that_the_copies_are_gone(cellar: CellarFile) -> None:
    """An empty folder is fine before the first backup; later it is a problem, for example a lost disk."""
    variables, folder = {"SCHEDULER_BACKUP_ENABLED": "1"}, cellar.path.with_name("backups")
    run(cellar, "run", "backup")
    folder.rename(folder.with_name("unmounted"))
    gone = f"aucune copie de la base dans {folder} ; le disque est-il monté ?"
    advice = "En faire une autre : cavecron run backup"
    assert check_line(cellar, NIGHT, **variables) == f"✗ Sauvegarde : {gone} {advice}"
    assert check_line(cellar, NIGHT).startswith("✓")


def test_status_reports_that_the_copies_are_gone(cellar: CellarFile) -> None:
    """An unmounted disk and a file in place of the folder are reported, but not before the first copy."""
    variables, folder = {"SCHEDULER_BACKUP_ENABLED": "1"}, cellar.path.with_name("backups")
    assert "copie" not in run(cellar, "status", at=NIGHT, **variables).out
    run(cellar, "run", "backup")
    folder.rename(folder.with_name("unmounted"))
    without_folder = " ".join(run(cellar, "status", at=NIGHT, **variables).out.split())
    assert (
        f"aucune copie de la base dans {folder} ; le disque est-il monté ? cavecron run backup"
        in without_folder
    )
    assert "aucune copie" not in run(cellar, "status", at=NIGHT).out  # the job is disabled
    folder.touch()
    with_file = " ".join(run(cellar, "status", at=NIGHT, **variables).out.split())
    assert f"{folder} : ce n'est pas un dossier" in with_file


@pytest.mark.parametrize("number", ["0", "-1", "10001", "beaucoup"])
def test_a_senseless_number_is_refused(cellar: CellarFile, number: str) -> None:
    """The error names the variable; a value of zero would delete the copy that was just made."""
    result = command("check", at=NIGHT, DATABASE_URL=f"sqlite:///{cellar.path}", SCHEDULER_BACKUP_KEEP=number)
    assert result.code == 2
    assert "SCHEDULER_BACKUP_KEEP" in result.out
