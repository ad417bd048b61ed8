"""The text part: says what the HTML part says, in lines and bars that a terminal shows well."""

import re

import pytest
from hypothesis import given, settings

from cavecron.report.html import html_part
from cavecron.report.model import WeeklyReport
from cavecron.report.text import WIDTH, text_part
from tests.support.report_factories import NOW, PARIS, a_report, an_empty_report, any_report, said, shown


@settings(derandomize=True, deadline=None, max_examples=80)
@given(any_report())
def test_both_parts_say_the_same(report: WeeklyReport) -> None:
    """Letter by letter and in the same order, whatever is in the report: nobody learns less."""
    assert said(text_part(report, PARIS, NOW)) == said(shown(html_part(report, PARIS, NOW)))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(any_report())
def test_lines_fit_a_terminal(report: WeeklyReport) -> None:
    """Long names are folded."""
    assert max(map(len, text_part(report, PARIS, NOW).splitlines())) <= WIDTH


FACTS = {
    "greeting": "Bonjour marie,",
    "what matters": "Au moins 10 vins sont à boire sans attendre.",
    "period": "Du lundi 16 au lundi 23 novembre 2026",
    "bottles": "100 bouteilles",
    "references": "31 références",
    "wines to drink": "17 vins à boire",
    "cellar": "Cave du salon",
    "bottles of a cellar": "50 bouteilles pour 80 places",
    "fill rate": "62,5 %",
    "overfull": "113,6 %",
    "no capacity": "50 bouteilles, capacité inconnue",
    "balance": "50 bouteilles entrées · 50 bouteilles sorties · solde 0",
    "movement": "2 × Château Margaux 2015",
    "day, region and cellar": "lundi 23 · Bordeaux · Garage",
    "comment": "« Avec les voisins »",
    "entries left out": "et 5 autres entrées",
    "exits left out": "et 5 autres sorties",
    "wine": "Château Margaux n° 4 2012",
    "urgency and score": "Urgent · 95/100",
    "what is known of a wine": "1 bouteille · apogée 2020 · Rouge · Garage",
    "note": "« À boire maintenant ou à garder 3 à 5 ans",
    "wines left out": "et 12 autres vins",
    "instant": "Rapport généré le lundi 23 novembre 2026 à 08:00 (Europe/Paris).",
}


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS.keys())
def test_both_parts_tell_the_fact(fact: str) -> None:
    """What the facts page asks for, in the words of its reader."""
    report = a_report(moves=25)
    assert said(fact) in said(text_part(report, PARIS, NOW))
    assert said(fact) in said(shown(html_part(report, PARIS, NOW)))


def test_no_more_than_five_wines_are_shown() -> None:
    """The sixth is counted among the others."""
    assert "n° 4" in text_part(a_report(), PARIS, NOW)
    assert "n° 5" not in text_part(a_report(), PARIS, NOW)


def test_bars_are_as_long_as_what_they_draw() -> None:
    """Twenty blocks are all; more than full is full, and a cellar without capacity has no bar."""
    bars = re.findall(r"^  ([█░]+)  (\S+)", text_part(a_report(), PARIS, NOW), re.MULTILINE)
    assert [(bar.count("█"), len(bar)) for bar, _ in bars[-2:]] == [(12, 20), (20, 20)]
    assert len(bars) == 5 + 2


def test_amounts_stand_below_each_other() -> None:
    """A column as wide as the widest of a list."""
    report = a_report(moves=2)
    entries = text_part(report, PARIS, NOW).partition("Entrées\n\n")[2]
    assert entries.startswith("2\u00a0× Château Margaux 2015\n    lundi 23")


def test_an_empty_cellar_is_greeted_kindly() -> None:
    """Nothing in the cellar, nothing moved, nothing to drink: each is said in a sentence."""
    text = text_part(an_empty_report(), PARIS, NOW)
    assert all(
        words in text for words in ("première bouteille", "Rien n’a bougé", "Aucune bouteille ne demande")
    )
    assert not set("█░") & set(text)
