"""Reports of odd but real rows: they are shown as stored, in a fixed order, and affect no other report."""

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from cavecron.appdb.recipients import recipients
from cavecron.appdb.reports import build_reports
from cavecron.report.model import UrgencyCounts, WeeklyReport, as_json
from tests.support.app_database import NOW, CellarFile, ago


def _report(cellar: CellarFile) -> WeeklyReport:
    """Return the report of the only recipient."""
    people = recipients(cellar.database).recipients
    (report,) = build_reports(cellar.database, people, at=NOW, zone=ZoneInfo("Europe/Paris"))
    return report


@pytest.mark.parametrize("vintage", ["NV", "2015-2016", "vers 2010"])
def test_a_vintage_without_a_year_is_shown_as_stored(cellar: CellarFile, vintage: str) -> None:
    """Entries, exits and wines to drink show the text; only the peak determines the score."""
    marie = cellar.user("marie")
    attributes = {"year": f" {vintage} ", "apogee": 2026}
    wine = cellar.wine(marie, cellar.cellar(marie), attributes=attributes, created_at=ago(days=1))
    cellar.exit(marie, wine, snapshot_year=f"{vintage} ")
    report = _report(cellar)
    assert [(one.vintage, one.score, one.basis) for one in report.wines] == [(vintage, 70, "peak")]
    assert [entry.vintage for entry in report.activity.entries] == [vintage]
    assert [exit_.vintage for exit_ in report.activity.exits] == [vintage]


def test_a_number_as_region_is_shown(cellar: CellarFile) -> None:
    """A number is shown as text, from JSON and from a column."""
    marie = cellar.user("marie")
    attributes = {"region": 33}
    wine = cellar.wine(marie, cellar.cellar(marie), attributes=attributes, created_at=ago(days=1))
    cellar.exit(marie, wine, snapshot_region=71)
    activity = _report(cellar).activity
    assert (activity.entries[0].region, activity.exits[0].region) == ("33", "71")


def test_blanks_at_the_ends_are_not_shown(cellar: CellarFile) -> None:
    """Names, cellars, insights and comments are shown without blanks at their ends."""
    marie = cellar.user("marie")
    cave = cellar.cellar(marie, " Salon ")
    wine = cellar.wine(marie, cave, " Chinon\n", created_at=ago(days=1), attributes={"year": 2000})
    cellar.insight(wine, " Garde \n")
    cellar.exit(marie, wine, snapshot_name=" Chinon\t", snapshot_cellar=" Salon ", comment="\u00a0Bon ")
    report = _report(cellar)
    (entry,), (exit_,), (one,) = report.activity.entries, report.activity.exits, report.wines
    assert (entry.name, entry.cellar) == ("Chinon", "Salon")
    assert (exit_.name, exit_.cellar, exit_.comment) == ("Chinon", "Salon", "Bon")
    assert (one.name, one.cellar, one.note) == ("Chinon", "Salon", "Garde")
    assert report.statistics.cellars[0].name == "Salon"


def test_of_equal_instants_the_lower_id_comes_first(cellar: CellarFile) -> None:
    """Newer entries and exits come first, and of equal instants the lower id."""
    marie = cellar.user("marie")
    cave = cellar.cellar(marie)
    for number, days in enumerate((2, 2, 1, 2)):
        wine = cellar.wine(marie, cave, str(number), created_at=ago(days=days))
        cellar.exit(marie, wine, snapshot_name=str(number), consumed_at=ago(days=days))
    activity = _report(cellar).activity
    assert [entry.name for entry in activity.entries] == ["2", "0", "1", "3"]
    assert [exit_.name for exit_ in activity.exits] == ["2", "0", "1", "3"]


def test_exits_belong_to_the_168_hours_at_both_ends(cellar: CellarFile) -> None:
    """An exit of exactly seven days ago counts, and one after the run's instant does not."""
    marie = cellar.user("marie")
    wine = cellar.wine(marie, cellar.cellar(marie))
    for name, at in {
        "seven days": ago(days=7),
        "older": ago(days=7, microseconds=1),
        "now": ago(),
        "tomorrow": ago(days=-1),
    }.items():
        cellar.exit(marie, wine, snapshot_name=name, consumed_at=at)
    assert [exit_.name for exit_ in _report(cellar).activity.exits] == ["now", "seven days"]


@pytest.mark.parametrize(
    ("floors", "rows", "capacity"),
    [
        pytest.param(4, (), 24, id="floors times bottles"),
        pytest.param(-4, (), 0, id="negative product"),
        pytest.param(4, (5, 2), 7, id="capacities of the floors"),
        pytest.param(4, (0,), 0, id="a floor with capacity 0"),
        pytest.param(4, ("x",), 0, id="a floor whose capacity is text"),
        pytest.param(4, (2**63 - 1, 2**63 - 1, 5), 5, id="a sum that would overflow"),
        pytest.param(4, (-(2**63), 5), 5, id="the least integer"),
    ],
)
def test_the_capacity_of_a_cellar_is_that_of_its_floors(
    cellar: CellarFile, floors: int, rows: tuple[object, ...], capacity: int
) -> None:
    """The capacities of floors replace floors × places; a negative product counts as 0."""
    cave = cellar.cellar(cellar.user("marie"), floors=floors, places=6)
    for level, places in enumerate(rows):
        cellar.floor(cave, level, places)
    (one,) = _report(cellar).statistics.cellars
    assert (one.capacity, one.fill_rate) == (capacity, 0.0)


def test_a_quantity_that_sql_cannot_sum_affects_its_wine_only(cellar: CellarFile) -> None:
    """Quantities for which SQLite's `sum` or `abs` overflows count as 0."""
    marie = cellar.user("marie")
    cave = cellar.cellar(marie)
    for quantity in (-(2**63), 2**63 - 1, 2**63 - 1, 3):
        cellar.wine(marie, cave, quantity=quantity)
    statistics = _report(cellar).statistics
    assert (statistics.bottles, statistics.cellars[0].bottles) == (3, 3)


def test_no_number_of_a_report_is_infinite(cellar: CellarFile) -> None:
    """JSON has no infinity, so the fill rate of an extremely small cellar has to be finite."""
    marie = cellar.user("marie")
    cave = cellar.cellar(marie, floors=1e-300, places=1e-8)
    cellar.wine(marie, cave, quantity=10**12)
    assert json.dumps(as_json(_report(cellar)), allow_nan=False)


def test_all_wines_to_drink_are_counted_and_those_of_which_nothing_is_known(cellar: CellarFile) -> None:
    """All wines count, not only the ten that are kept; wines without bottles do not."""
    marie = cellar.user("marie")
    cave = cellar.cellar(marie)
    for count, stored in {12: {"apogee": 2020}, 3: {"apogee": 2026}, 2: {"year": 2021}}.items():
        for _ in range(count):
            cellar.wine(marie, cave, attributes=stored)
    for unknown in ({}, {"year": "NV"}, {"year": 0}):
        cellar.wine(marie, cave, attributes=unknown)
        cellar.wine(marie, cave, attributes=unknown, quantity=0)
    cellar.insight(cellar.wine(marie, cave), "Belle garde")
    cellar.wine(marie, cave, attributes={"year": 2025})
    report = _report(cellar)
    assert report.urgencies == UrgencyCounts(urgent=12, optimal=3, soon=2)
    assert (report.urgencies.total, len(report.wines), report.unassessed) == (17, 10, 3)


def test_of_insights_alike_in_weight_and_age_the_last_stored_is_the_note(cellar: CellarFile) -> None:
    """The order is fixed, so that two runs give the same report."""
    marie = cellar.user("marie")
    wine = cellar.wine(marie, cellar.cellar(marie), attributes={"year": 2000})
    for number in range(5):
        cellar.insight(wine, f"Garde {number}")
    assert _report(cellar).wines[0].note == "Garde 4"


@pytest.mark.parametrize(
    "content", ["\x00 boire maintenant", "\u202eboire\u202c maintenant", "\x1b[2J boire, maintenant"]
)
def test_controls_hide_no_keeping_note(cellar: CellarFile, content: str) -> None:
    """Control characters in an insight do not hide its keywords, although SQLite's LIKE ends at a NUL."""
    marie = cellar.user("marie")
    cellar.insight(cellar.wine(marie, cellar.cellar(marie)), content)
    assert [wine.score for wine in _report(cellar).wines] == [80]


def test_a_wine_dated_tomorrow_is_a_bottle_but_no_entry(cellar: CellarFile) -> None:
    """A wine dated after the run's instant is an entry of the next report, but its bottles count."""
    marie = cellar.user("marie")
    cellar.wine(marie, cellar.cellar(marie), quantity=3, created_at=ago(hours=-24))
    report = _report(cellar)
    assert (report.activity.entries, report.statistics.bottles) == ((), 3)
    assert report.end - report.start == timedelta(hours=168)
