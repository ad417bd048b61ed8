"""The content of a report from the application's rows, and the number of queries for it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cavecron.appdb.recipients import recipients
from cavecron.appdb.reports import build_reports
from cavecron.errors import UsageError
from cavecron.report.maturity import KEEPING
from cavecron.report.model import Cellar, UrgencyCounts, WeeklyReport, as_json
from tests.support.app_database import NOW, CellarFile, ago
from tests.support.traced_database import WatchedDatabase

PARIS = ZoneInfo("Europe/Paris")


def report_of(cellar: CellarFile, *, at: datetime = NOW, zone: ZoneInfo = PARIS) -> WeeklyReport:
    """Return the report of the only recipient."""
    (report,) = build_reports(cellar.database, recipients(cellar.database).recipients, at=at, zone=zone)
    return report


def test_owners_with_an_address_get_a_report(cellar: CellarFile) -> None:
    """A sub-account gets no report, and a user without an address is only counted."""
    marie = cellar.user("marie")
    cellar.user("lucas", parent=marie)
    cellar.user("robert", None)
    cellar.user("jeanne", "  ")
    selection = recipients(cellar.database)
    assert [user.username for user in selection.recipients] == ["marie"]
    assert selection.without_address == 2


@pytest.mark.parametrize("name", ["marie", "1"])
def test_a_user_is_named_by_name_or_id(cellar: CellarFile, name: str) -> None:
    """A name and an id select the same user, and a repetition selects no second one."""
    cellar.user("marie")
    cellar.user("paul")
    assert [user.username for user in recipients(cellar.database, (name, name)).recipients] == ["marie"]


def test_a_name_goes_before_an_id(cellar: CellarFile) -> None:
    """The user named 1 is selected by 1, not the user with that id."""
    cellar.user("marie")
    cellar.user("1")
    assert [user.id for user in recipients(cellar.database, ("1",)).recipients] == [2]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mari", "utilisateur inconnu : 'mari' (vouliez-vous dire 'marie' ?)"),
        ("zzz", "utilisateur inconnu : 'zzz'"),
        ("lucas", "'lucas' est un sous-compte : son rapport est celui de son compte principal"),
        ("robert", "'robert' n'a pas d'adresse e-mail : l'enregistrer dans l'application"),
    ],
)
def test_a_user_who_gets_no_report_is_an_error_with_the_reason(
    cellar: CellarFile, name: str, message: str
) -> None:
    """A user without a report is an error with the reason, instead of a run without mails."""
    cellar.user("lucas", parent=cellar.user("marie"))
    cellar.user("robert", None)
    with pytest.raises(UsageError) as raised:
        recipients(cellar.database, (name,))
    assert str(raised.value) == message


def test_statistics_count_the_owners_bottles(cellar: CellarFile) -> None:
    """NULL counts as 0, a wine without bottles is no reference, and floors determine the capacity."""
    marie, paul = cellar.user("marie"), cellar.user("paul", None)
    salon, garage, vide = (
        cellar.cellar(marie, "Salon"),
        cellar.cellar(marie, "Garage"),
        cellar.cellar(marie, "Vide"),
    )
    cellar.floor(garage, 1, 5)
    cellar.floor(garage, 2, 2)
    cellar.floor(vide, 1, -3)
    cellar.wine(marie, salon, quantity=7)
    cellar.wine(marie, salon, quantity=None)
    cellar.wine(marie, garage, quantity=0)
    cellar.wine(paul, garage, quantity=8)
    statistics = report_of(cellar).statistics
    assert (statistics.bottles, statistics.references) == (7, 1)
    assert statistics.cellars == (
        Cellar(name="Salon", bottles=7, capacity=24, fill_rate=29.2),
        Cellar(name="Garage", bottles=8, capacity=7, fill_rate=114.3),
        Cellar(name="Vide", bottles=0, capacity=-3, fill_rate=0.0),
    )


def test_activity_is_that_of_168_hours(cellar: CellarFile) -> None:
    """Both ends of the week belong to it, newest first; a wine after the run's instant does not."""
    marie = cellar.user("marie")
    cave = cellar.cellar(marie, "Salon")
    attributes = {"year": 2015, "region": "Loire"}
    first = cellar.wine(marie, cave, "first", created_at=ago(hours=168), quantity=2, attributes=attributes)
    cellar.wine(marie, cave, "too old", created_at=ago(hours=168, microseconds=1))
    cellar.wine(marie, cave, "last", created_at=ago(), quantity=3)
    cellar.wine(marie, cave, "future", created_at=ago(microseconds=-1))
    cellar.wine(marie, cave, "no fraction", created_at=ago(days=2)[:19])
    cellar.exit(marie, first, snapshot_name="drunk", quantity=4, comment="Noël", snapshot_year=2010)
    cellar.exit(marie, first, snapshot_name="long ago", consumed_at=ago(days=8))
    activity = report_of(cellar).activity
    assert [entry.name for entry in activity.entries] == ["last", "no fraction", "first"]
    assert (activity.bottles_in, activity.bottles_out, activity.net) == (6, 4, 2)
    oldest = activity.entries[-1]
    assert (oldest.vintage, oldest.region, oldest.cellar) == (2015, "Loire", "Salon")
    assert [(exit_.name, exit_.vintage, exit_.comment) for exit_ in activity.exits] == [
        ("drunk", 2010, "Noël")
    ]


def test_ten_wines_are_kept_by_score_then_id(cellar: CellarFile) -> None:
    """Wines without bottles and scores under 30 are left out; all others are counted."""
    marie = cellar.user("marie")
    cave = cellar.cellar(marie)
    for peak in (2026, 2020, 2035, 2027, 2020, 2026, 2025, 2026, 2026, 2026, 2026, 2026, 2024):
        cellar.wine(marie, cave, attributes={"apogee": peak})
    cellar.wine(marie, cave, quantity=0, attributes={"apogee": 2000})
    report = report_of(cellar)
    assert [(wine.score, wine.id) for wine in report.wines] == [
        *((100, 2), (100, 5), (90, 13), (85, 7)),
        *((70, 1), (70, 6), (70, 8), (70, 9), (70, 10), (70, 11)),
    ]
    assert report.urgencies == UrgencyCounts(urgent=4, optimal=8)


def test_insights_come_by_weight_then_age(cellar: CellarFile) -> None:
    """The note is the lightest insight, and of equal weights the oldest."""
    marie = cellar.user("marie")
    wine = cellar.wine(marie, cellar.cellar(marie))
    cellar.insight(wine, "Garde: old and light", created_at=ago(days=9))
    cellar.insight(wine, "Garde: new and light, boire maintenant", created_at=ago(days=1))
    cellar.insight(wine, "Garde: heavy", weight=9)
    assert report_of(cellar).wines[0].note == "Garde: old and light"


@pytest.mark.parametrize("word", [*KEEPING, "APOGÉE", "Boire", b"\xff garde"])
def test_an_insight_on_keeping_is_found_however_it_is_written(cellar: CellarFile, word: str | bytes) -> None:
    """The query must not leave out an insight that the rules would use."""
    marie = cellar.user("marie")
    wine = cellar.wine(marie, cellar.cellar(marie), attributes={"year": 2010})
    cellar.insight(wine, b"<" + word + b">" if isinstance(word, bytes) else f"<{word}>")
    cellar.insight(wine, "Accompagne un fromage")
    note = report_of(cellar).wines[0].note
    assert note == f"<{word.decode('utf-8', 'replace') if isinstance(word, bytes) else word}>"


def test_the_year_is_that_of_the_schedules_zone(cellar: CellarFile) -> None:
    """Half an hour before midnight UTC, the new year has begun in Paris."""
    marie = cellar.user("marie")
    cellar.wine(marie, cellar.cellar(marie), attributes={"apogee": 2027})
    at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    scores = [
        report_of(cellar, at=at, zone=ZoneInfo(zone)).wines[0].score for zone in ("UTC", "Europe/Paris")
    ]
    assert scores == [50, 70]


def test_the_json_form_keeps_its_names(cellar: CellarFile) -> None:
    """Programs read the JSON, so its names and the form of instants do not change."""
    marie = cellar.user("marie")
    wine = cellar.wine(
        marie, cellar.cellar(marie, "Salon"), created_at=ago(days=1), attributes={"apogee": 2020}
    )
    cellar.exit(marie, wine, snapshot_region="Loire", comment="bon")
    document = as_json(report_of(cellar))
    common = {"name": "Margaux", "vintage": None, "quantity": 1, "at": (NOW - timedelta(days=1)).isoformat()}
    assert document == {
        "user": {"id": 1, "username": "marie"},
        "period": {"start": "2026-11-16T07:00:00+00:00", "end": "2026-11-23T07:00:00+00:00"},
        "statistics": {
            "bottles": 1,
            "references": 1,
            "cellars": ({"name": "Salon", "bottles": 1, "capacity": 24, "fill_rate": 4.2},),
        },
        "activity": {
            "bottles_in": 1,
            "bottles_out": 1,
            "net": 0,
            "entries": [{**common, "region": None, "cellar": "Salon"}],
            "exits": [{**common, "region": "Loire", "cellar": None, "comment": "bon"}],
        },
        "wines_to_drink": [
            {
                **{"id": 1, "name": "Margaux", "vintage": None, "peak": 2020, "score": 100},
                **{
                    "urgency": "urgent",
                    "basis": "peak",
                    "quantity": 1,
                    "cellar": "Salon",
                    "subcategory": None,
                    "note": None,
                },
            }
        ],
        "urgencies": {"urgent": 1, "optimal": 0, "soon": 0},
        "unassessed": 0,
    }


def _statements(cellar: CellarFile) -> WatchedDatabase:
    database = WatchedDatabase(cellar.path)
    list(build_reports(database, recipients(database).recipients, at=NOW, zone=PARIS))
    return database


def test_the_number_of_statements_does_not_grow_with_the_cellar(cellar: CellarFile) -> None:
    """A large cellar needs as many statements as a small one."""
    marie = cellar.user("marie")
    cellar.wine(marie, cellar.cellar(marie))
    few = len(_statements(cellar).statements)
    for number in range(30):
        cave = cellar.cellar(marie, str(number))
        for _ in range(30):
            cellar.insight(cellar.wine(marie, cave), "Garde")
    assert len(_statements(cellar).statements) == few


def test_label_images_are_never_read(cellar: CellarFile) -> None:
    """The columns that SQLite reports for each statement do not contain the images."""
    cellar.wine(cellar.user("marie"), 1)
    columns = _statements(cellar).columns
    assert ("wine", "extra_attributes") in columns
    assert not {("wine", "label_image_data"), ("wine", "image_url")} & columns


def test_no_transaction_is_open_between_two_reports(cellar: CellarFile) -> None:
    """Between two reports there is no transaction: another program can lock the file."""
    for name in ("marie", "paul"):
        cellar.user(name)
    people = recipients(cellar.database).recipients
    for _ in build_reports(cellar.database, people, at=NOW, zone=PARIS):
        with closing(sqlite3.connect(cellar.path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            other.execute("ROLLBACK")


def test_more_users_than_fit_in_one_transaction_all_get_a_report(cellar: CellarFile) -> None:
    """All users get their report, in order of their ids."""
    for number in range(450):
        cellar.wine(cellar.user(f"user{number}"), 1, str(number), created_at=ago(days=1))
    people = recipients(cellar.database).recipients
    names = [
        report.activity.entries[0].name
        for report in build_reports(cellar.database, people, at=NOW, zone=PARIS)
    ]
    assert names == [str(number) for number in range(450)]
