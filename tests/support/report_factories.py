"""Reports and mails for tests: one fixed household, and random reports."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from cavecron.mail.message import Mail, Sender, message_id
from cavecron.report import wording
from cavecron.report.html import html_part
from cavecron.report.message import compose
from cavecron.report.model import (
    Activity,
    Cellar,
    Movement,
    Recipient,
    Statistics,
    UrgencyCounts,
    WeeklyReport,
    WineToDrink,
)
from cavecron.report.page import Page
from cavecron.report.text import text_part
from tests.support.pages import parsed

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
NOTE = "À boire maintenant ou à garder 3 à 5 ans dans une cave fraîche, loin de la lumière. " * 4
#: Longer than any the application's own mail would show, shorter than what is cut.
COMMENT = "Carafé une heure : cèdre, cassis, tanins fondus ; une finale qui n’en finit pas. " * 8
#: Characters that draw: bars, rules, and separators between words.
_DRAWN = re.compile("[█░─•·\\s\u200b]+|^-- $", re.MULTILINE)


def a_movement(name: str = "Château Margaux", *, hours: int = 0, comment: str | None = None) -> Movement:
    """Make two bottles that came or went so many hours ago."""
    at = NOW - timedelta(hours=hours)
    return Movement(
        name=name,
        vintage=2015,
        region="Bordeaux",
        quantity=2,
        cellar="Garage",
        at=at,
        comment=comment,
    )


def a_wine(
    name: str = "Château Margaux", *, score: int = 95, urgency: str = "urgent", note: str | None = None
) -> WineToDrink:
    """Make a wine to drink."""
    return WineToDrink(
        id=1,
        name=name,
        vintage=2012,
        peak=2020,
        score=score,
        urgency=urgency,
        basis="peak",
        quantity=1,
        cellar="Garage",
        subcategory="Rouge",
        note=note,
    )


def a_report(
    *, email: str = "marie@example.org", name: str = "Château Margaux", moves: int = 3
) -> WeeklyReport:
    """Make the report of a household with three cellars and ten bottles to drink, each with a long note."""
    shapes = (("Cave du salon", 80, 62.5), ("Garage", 44, 113.6), ("Vide", -4, 0.0))
    entries, exits = (
        tuple(a_movement(name, hours=i, comment=comment) for i in range(moves))
        for comment in (None, "Avec les voisins")
    )
    return WeeklyReport(
        user=Recipient(id=1, username="marie", email=email),
        start=NOW - timedelta(days=7),
        end=NOW,
        statistics=Statistics(
            bottles=100,
            references=31,
            cellars=tuple(
                Cellar(name=cellar, bottles=50, capacity=capacity, fill_rate=rate)
                for cellar, capacity, rate in shapes
            ),
        ),
        activity=Activity(entries=entries, exits=exits),
        wines=tuple(a_wine(f"{name} n° {i}", score=95 - i, note=NOTE) for i in range(10)),
        urgencies=UrgencyCounts(urgent=12, optimal=4, soon=1),
        unassessed=3,
    )


def an_empty_report() -> WeeklyReport:
    """Make the report of a new user: no cellar, no bottle, no movement."""
    return WeeklyReport(
        user=Recipient(id=2, username="thomas", email="thomas@example.org"),
        start=NOW - timedelta(days=7),
        end=NOW,
        statistics=Statistics(bottles=0, references=0, cellars=()),
        activity=Activity(entries=(), exits=()),
        wines=(),
        urgencies=UrgencyCounts(),
        unassessed=0,
    )


def a_report_of_all_urgencies() -> WeeklyReport:
    """Make the report of a household with a bottle of each kind."""
    kinds = (("urgent", 90), ("optimal", 60), ("bientôt", 30))
    wines = tuple(a_wine(score=score, urgency=urgency) for urgency, score in kinds)
    return replace(a_report(), wines=wines, urgencies=UrgencyCounts(urgent=1, optimal=1, soon=1))


def commented(report: WeeklyReport, comment: str) -> WeeklyReport:
    """Return the report with this comment on all that went out, and none on what came in."""
    entries, exits = (
        tuple(replace(movement, comment=text) for movement in movements)
        for movements, text in ((report.activity.entries, None), (report.activity.exits, comment))
    )
    return replace(report, activity=Activity(entries=entries, exits=exits))


def many_cellars(number: int, *, bottles: int = 50, capacity: int = 40) -> tuple[Cellar, ...]:
    """Make so many cellars, by default each over its capacity."""
    rate = round(bottles / capacity * 100, 1)
    return tuple(
        Cellar(name=f"Cave n° {i}", bottles=bottles, capacity=capacity, fill_rate=rate) for i in range(number)
    )


def with_cellars(report: WeeklyReport, cellars: tuple[Cellar, ...]) -> WeeklyReport:
    """Return the report with these cellars."""
    return replace(report, statistics=replace(report.statistics, cellars=cellars))


def a_page(report: WeeklyReport) -> Page:
    """Word a report at a fixed instant."""
    return wording.page(report, PARIS, NOW)


def html_of(report: WeeklyReport) -> str:
    """Render a report as HTML, at a fixed instant."""
    return html_part(a_page(report))


def text_of(report: WeeklyReport) -> str:
    """Render a report as text, at a fixed instant."""
    return text_part(a_page(report))


def composed(report: WeeklyReport, sender: Sender | None = None) -> Mail:
    """Compose a mail at a fixed instant."""
    origin = sender or Sender(address="cave@example.org", name="Cave à Vin, maison")
    identity = message_id("weekly_reports/2026-11-23", 1, "example.org")
    return compose(report, zone=PARIS, generated=NOW, sender=origin, message_id=identity)


def visible_text(html: str) -> str:
    """Return all text in the body of an HTML document, which has to be without an error."""
    body = parsed(html).find("body")
    assert body is not None
    return " ".join(body.itertext())


def letters(text: str) -> str:
    """Return the letters of a part in lower case, without blanks and graphics, to compare parts."""
    return _DRAWN.sub("", text).casefold()


_TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)
_OPTIONAL = st.none() | _TEXTS
_YEARS = st.none() | st.integers(-9, 99999)
_VINTAGES = _YEARS | st.sampled_from(("NV", "2015-2016", "vers 2010")) | _TEXTS
_QUANTITIES = st.integers(-5, 10**12) | st.floats(-5, 1e6)
_MOVEMENTS = st.lists(
    st.builds(
        Movement,
        name=_TEXTS,
        vintage=_VINTAGES,
        region=_OPTIONAL,
        quantity=_QUANTITIES,
        cellar=_OPTIONAL,
        at=st.timedeltas(timedelta(), timedelta(days=7)).map(lambda age: NOW - age),
        comment=_OPTIONAL,
    ),
    max_size=22,
).map(tuple)
_CELLARS = st.lists(
    st.builds(
        Cellar,
        name=_TEXTS,
        bottles=_QUANTITIES,
        capacity=st.integers(-5, 5000),
        fill_rate=st.floats(-10, allow_nan=False),
    ),
    max_size=22,
).map(tuple)
_WINES = st.lists(
    st.builds(
        WineToDrink,
        id=st.integers(1),
        name=_TEXTS,
        vintage=_VINTAGES,
        peak=_YEARS,
        score=st.integers(30, 100),
        urgency=st.sampled_from(("urgent", "optimal", "bientôt")),
        basis=st.sampled_from(("peak", "note", "age")),
        quantity=_QUANTITIES,
        cellar=_OPTIONAL,
        subcategory=_OPTIONAL,
        note=_OPTIONAL,
    ),
    max_size=10,
).map(tuple)


@st.composite
def any_report(draw: st.DrawFn) -> WeeklyReport:
    """Draw a random report with all values that the application's columns can have."""
    wines = draw(_WINES)
    return WeeklyReport(
        user=Recipient(id=1, username=draw(_TEXTS), email="marie@example.org"),
        start=NOW - timedelta(days=7),
        end=NOW,
        statistics=Statistics(
            bottles=draw(_QUANTITIES), references=draw(st.integers(0, 99999)), cellars=draw(_CELLARS)
        ),
        activity=Activity(entries=draw(_MOVEMENTS), exits=draw(_MOVEMENTS)),
        wines=wines,
        urgencies=UrgencyCounts(
            urgent=sum(wine.urgency == "urgent" for wine in wines) + draw(st.integers(0, 5)),
            optimal=sum(wine.urgency == "optimal" for wine in wines),
            soon=sum(wine.urgency == "bientôt" for wine in wines) + draw(st.integers(0, 5000)),
        ),
        unassessed=draw(st.integers(0, 3)),
    )
