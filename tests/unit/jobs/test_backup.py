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
    """Run a command on the cellar, with mails into a folder."""
    outbox = f"maildir:{cellar.path.with_name('outbox')}"
    known = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_MAIL": outbox, **variables}
    return live_command(*arguments, at=at, **known)


def test_a_slot_that_is_asked_for_is_backed_up(cellar: CellarFile) -> None:
    """By the time of the slot, however late it is; the copy opens as the application's database."""
    cellar.user("marie")
    result = run(cellar, "run", "--due", "backup", at=NIGHT + 5 * SECOND, SCHEDULER_BACKUP_ENABLED="1")
    assert (result.code, result.err) == (0, "")
    copy = cellar.path.with_name("backups") / NAME
    assert f"cavecron.jobs.backup - INFO - Sauvegarde: {copy}, 0,2 Mo" in result.out
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute('SELECT username FROM "user"').fetchall() == [("marie",)]


def test_nobody_is_backed_up_who_has_not_asked(cellar: CellarFile) -> None:
    """But by hand it works."""
    assert run(cellar, "run", "--due", at=NIGHT + 5 * SECOND).code == 0
    assert not cellar.path.with_name("backups").exists()
    assert run(cellar, "run", "backup").code == 0
    assert cellar.path.with_name("backups").exists()


def test_a_rehearsal_writes_nothing(cellar: CellarFile) -> None:
    """It says what would be written, and what would go."""
    folder = cellar.path.with_name("backups")
    for day in (1, 2, 3):
        run(cellar, "run", "backup", at=NIGHT + day * DAY)
    before = sorted(folder.iterdir())
    said = run(cellar, "run", "backup", "--dry-run", at=NIGHT + 4 * DAY, SCHEDULER_BACKUP_KEEP="2").out
    assert f"copie de 0,2 Mo dans {folder / 'wine-2026-12-04T023000.sqlite'}" in said
    assert f"serait supprimée : {before[0].name}" in said
    assert sorted(folder.iterdir()) == before


def test_programs_are_told_the_file(cellar: CellarFile) -> None:
    """And which old ones went."""
    folder = cellar.path.with_name("elsewhere")
    where = {"SCHEDULER_BACKUP_DIR": str(folder), "SCHEDULER_BACKUP_KEEP": "1"}
    run(cellar, "run", "backup", at=NIGHT + DAY, **where)
    said = json.loads(run(cellar, "run", "backup", "--json", at=NIGHT + 2 * DAY, **where).out)
    assert said["file"] == str(folder / "wine-2026-12-02T023000.sqlite")
    assert said["removed"] == ["wine-2026-12-01T023000.sqlite"]


@pytest.mark.parametrize(
    ("nights", "since", "overdue"),
    [
        pytest.param(0, HOUR, False, id="of tonight"),
        pytest.param(2, 2 * HOUR, False, id="two nights failed"),
        pytest.param(3, 2 * HOUR, True, id="three nights failed"),
        pytest.param(3, HOUR / 2, False, id="the third one may still be tried again"),
        pytest.param(40, HOUR / 2, True, id="of last month"),
    ],
)
def test_a_backup_older_than_three_slots_is_overdue(nights: int, since: timedelta, *, overdue: bool) -> None:
    """Three of them have passed, with the hour in which a slot is tried again."""
    backup = BackupName(name=NAME, at=NIGHT - nights * DAY)
    assert is_backup_overdue(backup, NIGHTLY, NIGHT + since) is overdue


def checked(cellar: CellarFile, at: datetime, **variables: str) -> str:
    """Return what check says of backups."""
    (line,) = [
        line for line in run(cellar, "check", at=at, **variables).out.splitlines() if "Sauvegarde" in line
    ]
    return line


def test_check_tells_the_newest_backup_and_its_age(cellar: CellarFile) -> None:
    """None yet, a fresh one, and one that is too old."""
    asked = {"SCHEDULER_BACKUP_ENABLED": "1"}
    assert checked(cellar, NIGHT, **asked).startswith("✓ Sauvegarde : aucune copie encore ; en faire une")
    run(cellar, "run", "backup")
    fresh = checked(cellar, NIGHT + 7 * HOUR, **asked)
    assert fresh == f"✓ Sauvegarde : dernière copie : {cellar.path.with_name('backups') / NAME}, il y a 7 h"
    old = checked(cellar, NIGHT + 5 * DAY, **asked)
    assert old.startswith("✗ Sauvegarde : dernière copie : ")
    assert "il y a 5 j : plus de trois créneaux" in old
    assert checked(cellar, NIGHT + 5 * DAY).startswith("✓")  # nobody asked for another one


def test_check_tells_a_folder_that_cannot_be_used(cellar: CellarFile) -> None:
    """Before the night in which it would be needed."""
    away = str(cellar.path.with_name("away") / "backups")
    said = checked(cellar, NIGHT, SCHEDULER_BACKUP_ENABLED="1", SCHEDULER_BACKUP_DIR=away)
    assert said.startswith(f"✗ Sauvegarde : dossier des sauvegardes {away} : il n'existe pas")


def test_status_tells_what_check_tells(cellar: CellarFile) -> None:
    """The newest copy among the facts, and an old one among what a person has to see to."""
    run(cellar, "run", "backup")
    facts = json.loads(run(cellar, "status", "--json", at=NIGHT + 5 * DAY, SCHEDULER_BACKUP_ENABLED="1").out)
    assert NAME in json.dumps(facts)
    assert any("cavecron run backup" in json.dumps(need) for need in facts["needs"])


@pytest.mark.parametrize("number", ["0", "-1", "10001", "beaucoup"])
def test_a_senseless_number_is_refused(cellar: CellarFile, number: str) -> None:
    """With the variable's name; zero would throw away what was just made."""
    result = command("check", at=NIGHT, DATABASE_URL=f"sqlite:///{cellar.path}", SCHEDULER_BACKUP_KEEP=number)
    assert result.code == 2
    assert "SCHEDULER_BACKUP_KEEP" in result.out
