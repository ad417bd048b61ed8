"""The French of the mail: how it counts, dates, cuts and points."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cavecron.report import wording
from cavecron.report.model import Activity, Cellar, UrgencyCounts
from cavecron.text import plain
from tests.support.report_factories import PARIS, a_movement, a_report, a_wine, an_empty_report


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0 bouteille"),
        (1, "1 bouteille"),
        (1.5, "1,5 bouteille"),
        (2, "2 bouteilles"),
        (2.0, "2 bouteilles"),
        (-1, "−1 bouteille"),
        (-2, "−2 bouteilles"),
        (-0.001, "0 bouteille"),
        (0.1 + 0.2, "0,3 bouteille"),
        (1234567, "1\u202f234\u202f567 bouteilles"),
    ],
)
def test_things_are_counted_as_french_does(number: float, written: str) -> None:
    """Plural from two, a comma, a thin space for thousands, a true minus."""
    assert wording.counted(number, "bouteille") == written


@pytest.mark.parametrize(
    ("rate", "written"),
    [
        (0.0, "0\u00a0%"),
        (62.5, "62,5\u00a0%"),
        (100.0, "100\u00a0%"),
        (-12.5, "−12,5\u00a0%"),
        (1234.5, "1\u202f234,5\u00a0%"),
        (float("inf"), ">\u00a09\u202f999\u00a0%"),
    ],
)
def test_a_rate_is_written_as_french_does(rate: float, written: str) -> None:
    """A blank before the sign, which does not break."""
    assert wording.percent(rate) == written


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        ((2026, 11, 16), (2026, 11, 23), "Du lundi 16 au lundi 23 novembre 2026"),
        ((2026, 11, 24), (2026, 12, 1), "Du mardi 24 novembre au mardi 1er décembre 2026"),
        ((2026, 12, 28), (2027, 1, 4), "Du lundi 28 décembre 2026 au lundi 4 janvier 2027"),
    ],
    ids=["one month", "two months", "two years"],
)
def test_a_period_says_nothing_twice(
    start: tuple[int, int, int], end: tuple[int, int, int], written: str
) -> None:
    """Month and year once where they are the same."""
    report = replace(a_report(), start=datetime(*start, 7, tzinfo=UTC), end=datetime(*end, 7, tzinfo=UTC))
    assert wording.period(report, PARIS) == written


def test_days_are_those_of_the_schedule_s_zone() -> None:
    """Half past eleven in the evening in London is the next day in Paris."""
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert wording.date(late, PARIS) == "lundi 23 novembre 2026"
    assert wording.movement_line(replace(a_movement(), at=late), PARIS).detail.startswith("lundi 23")


@pytest.mark.parametrize(
    ("urgencies", "total", "sentence"),
    [
        (["urgent"], 1, "1 vin est à boire sans attendre."),
        (["urgent", "urgent", "optimal"], 3, "2 vins sont à boire sans attendre."),
        (["urgent"] * 10, 10, "10 vins sont à boire sans attendre."),
        (["urgent"] * 10, 11, "Au moins 10 vins sont à boire sans attendre."),
        (["urgent"] * 9 + ["optimal"], 11, "9 vins sont à boire sans attendre."),
        (["optimal", "bientôt"], 2, "1 vin est à point."),
        (["optimal", "optimal"], 2, "2 vins sont à point."),
        (["bientôt"], 1, "1 vin sera bientôt à point."),
        (["bientôt"] * 3, 3, "3 vins seront bientôt à point."),
        ([], 0, "Rien ne presse\u00a0: vos bouteilles vieillissent en paix."),
    ],
)
def test_the_first_sentence_says_what_matters(urgencies: list[str], total: int, sentence: str) -> None:
    """It is what mail programs show beside the subject."""
    wines = tuple(a_wine(urgency=urgency) for urgency in urgencies)
    assert wording.lead(replace(a_report(), wines=wines, urgencies=UrgencyCounts(urgent=total))) == sentence


def test_whoever_has_no_bottle_is_not_told_that_bottles_rest() -> None:
    """The first mail of a new account."""
    assert wording.lead(an_empty_report()) == wording.EMPTY_CELLAR


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a\tb\r\nc  ", "a b c"),
        ("a\x00\u202eb", "a b"),
        ("x" * 121, "x" * 119 + "…"),
        ("mot " * 40, " ".join(["mot"] * 30) + "…"),
        ("Une phrase. " * 20, " ".join(["Une phrase."] * 9) + " Une phrase…"),
    ],
    ids=["blanks", "unprintable", "endless word", "words", "sentences"],
)
def test_what_users_typed_is_one_line(text: str, line: str) -> None:
    """Printable, and cut after a word where it goes on and on."""
    assert plain(text) == line


def test_a_vintage_is_not_told_twice() -> None:
    """Many write it into the name."""
    assert wording.wine_line(a_wine("Château Margaux 2012")).title == "Château Margaux 2012"
    assert wording.wine_line(a_wine("Cuvée 20120")).title == "Cuvée 20120 2012"


def test_a_name_of_blanks_has_a_name() -> None:
    """A line with nothing but a number would be a riddle."""
    assert wording.movement_line(a_movement(" \t"), PARIS).title == "Sans nom 2015"
    cellar = Cellar(name="", bottles=1, capacity=2, fill_rate=50.0)
    assert wording.cellar_line(cellar).title == "Sans nom"


@pytest.mark.parametrize("capacity", [0, -4])
def test_a_capacity_that_is_none_is_not_told(capacity: int) -> None:
    """Nor a rate of it, which would be a lie."""
    line = wording.cellar_line(Cellar(name="Cave", bottles=3, capacity=capacity, fill_rate=0.0))
    assert (line.detail, line.amount) == ("3 bouteilles, capacité inconnue", "")


@pytest.mark.parametrize(
    ("entries", "exits", "balance"),
    [
        (1, 0, "2 bouteilles entrées\u00a0· 0 bouteille sortie\u00a0· solde\u00a0+2"),
        (0, 2, "0 bouteille entrée\u00a0· 4 bouteilles sorties\u00a0· solde\u00a0−4"),
    ],
)
def test_the_balance_has_its_sign(entries: int, exits: int, balance: str) -> None:
    """More came, or more went."""
    moved = Activity(entries=(a_movement(),) * entries, exits=(a_movement(),) * exits)
    assert wording.balance(moved) == balance
