"""The names of backups: they sort by time, no two instants have one name, and some of them expire."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cavecron.database.backup_names import BackupName, BackupNames, expired, newest

PARIS = ZoneInfo("Europe/Paris")
NAMES = BackupNames(stem="wine", zone=PARIS)
NIGHT = datetime(2026, 11, 30, 1, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def nights(first: datetime, count: int) -> list[BackupName]:
    """Return the backups of so many nights from `first` on, newest first."""
    return list(NAMES.sorted(NAMES.name(first + number * DAY) for number in range(count)))


def test_a_name_is_the_local_time() -> None:
    """The name consists of the database's name and the local time of the slot."""
    assert NAMES.name(NIGHT) == "wine-2026-11-30T023000.sqlite"


def test_a_name_is_read_as_the_instant_that_it_was_made_from() -> None:
    """Each half hour around a clock change, in autumn and in spring, is read back from its name."""
    for start in (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2027, 3, 27, 23, tzinfo=UTC)):
        for step in range(12):
            instant = start + step * timedelta(minutes=30)
            backup = NAMES.parse(NAMES.name(instant))
            assert backup
            assert backup.at.astimezone(UTC) == instant


def test_the_names_of_the_repeated_hour_are_different_and_sorted() -> None:
    """The names of the repeated hour are different and in the order of time."""
    start = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
    names = [NAMES.name(start + step * timedelta(minutes=10)) for step in range(24)]
    assert names == sorted(set(names))
    assert NAMES.name(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "wine-2026-10-25T02B3000.sqlite"


@pytest.mark.parametrize(
    "name",
    [
        "wine.db",
        "wine-2026-11-30.sqlite",
        "wine-2026-11-30T023000.sqlite.abimee",
        "wine-2026-11-30T023000.sqlite-journal",
        "wine-2026-11-30T02A3000.sqlite",
        "wine-2026-13-30T023000.sqlite",
        "wine-2026-11-30T253000.sqlite",
        "wine-2026-11-30T023000.SQLITE",
        "Wine-2026-11-30T023000.sqlite",
        "old-wine-2026-11-30T023000.sqlite",
        "wine-old-2026-11-30T023000.sqlite",
        "wine-٢٠٢٦-11-30T023000.sqlite",
        "wine-2026-11-30T023000.sqlite\n",
        ".wine-2026-11-30T023000.sqlite.part",
    ],
)
def test_a_file_with_another_name_is_no_backup(name: str) -> None:
    """A file with another form of name belongs to somebody else."""
    assert NAMES.parse(name) is None


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (".wine-2026-11-30T023000.sqlite.part", True),
        (".wine-restore.part", True),
        ("wine-2026-11-30T023000.sqlite.part", False),
        (".wine-2026-11-30T023000.sqlite", False),
        (".other-2026-11-30T023000.sqlite.part", False),
        (".wine-.part", False),
    ],
)
def test_an_unfinished_backup_is_recognised_by_its_name(name: str, *, ours: bool) -> None:
    """Only the exact form is recognised, because such a file is deleted."""
    assert NAMES.is_unfinished(name) is ours


def test_the_newest_are_kept_and_one_of_each_of_six_months_before() -> None:
    """Of a year of nights, the newest 14 stay and the last one of each of six months before."""
    backups = nights(datetime(2025, 12, 1, 1, 30, tzinfo=UTC), 365)
    deleted = set(expired(backups, 14))
    kept = [backup.name[5:15] for backup in backups if backup not in deleted]
    assert kept[:14] == [f"2026-11-{day:02}" for day in range(30, 16, -1)]
    assert kept[14:] == [
        *("2026-10-31", "2026-09-30", "2026-08-31"),
        *("2026-07-31", "2026-06-30", "2026-05-31"),
    ]


@pytest.mark.parametrize("count", [0, 1, 14])
def test_few_backups_are_all_kept(count: int) -> None:
    """No backup expires before there are more than the limit."""
    assert not expired(nights(NIGHT, count), 14)


def test_a_backup_by_a_wrong_clock_replaces_no_month() -> None:
    """A backup in the future counts as a month of its own, so those of the last months stay."""
    backups = nights(datetime(2026, 5, 1, 1, 30, tzinfo=UTC), 200)
    ahead = NAMES.parse("wine-2099-01-01T023000.sqlite")
    assert ahead
    deleted = set(expired([ahead, *backups], 14))
    months = {backup.name[5:12] for backup in backups if backup not in deleted}
    assert months >= {"2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11"}


def test_a_backup_by_a_wrong_clock_is_not_the_newest() -> None:
    """A backup in the future must not hide for years that there are no new ones."""
    backups = [NAMES.parse("wine-2099-01-01T023000.sqlite"), NAMES.parse("wine-2026-11-29T023000.sqlite")]
    backup = newest([backup for backup in backups if backup], NIGHT)
    assert backup
    assert backup.name == "wine-2026-11-29T023000.sqlite"
