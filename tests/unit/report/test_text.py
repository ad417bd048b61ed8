"""The text part: it says the same as the HTML part, in lines and bars for a terminal."""

import re

import pytest
from hypothesis import given, settings

from cavecron.report.model import WeeklyReport
from cavecron.report.text import WIDTH
from tests.support.report_factories import (
    a_report,
    an_empty_report,
    any_report,
    commented,
    html_of,
    letters,
    text_of,
    visible_text,
)


@settings(derandomize=True)
@given(any_report())
def test_both_parts_say_the_same(report: WeeklyReport) -> None:
    """For any report the words are the same, and in the same order."""
    assert letters(text_of(report)) == letters(visible_text(html_of(report)))


@settings(derandomize=True)
@given(any_report())
def test_lines_fit_a_terminal(report: WeeklyReport) -> None:
    """Long names are wrapped."""
    assert max(map(len, text_of(report).splitlines())) <= WIDTH


FACTS = {
    "name": "🍷 Cave à Vin",
    "greeting": "Bonjour marie,",
    "first sentence": "12 vins sont à boire sans attendre, 4 sont à point et 1 sera bientôt à point.",
    "period": "Du lundi 16 au lundi 23 novembre 2026",
    "bottles": "100 bouteilles",
    "references": "31 références",
    "wines to drink": "17 vins à boire",
    "urgent wines": "▲ 12 urgents",
    "wines at their best": "● 4 optimaux",
    "wines soon at their best": "○ 1 bientôt",
    "cellar": "Cave du salon",
    "bottles of a cellar": "50 bouteilles pour 80 places",
    "fill rate": "62,5 %",
    "overfull": "▲ 113,6 %",
    "bottles beyond the capacity": "50 bouteilles pour 44 places Trop pleine : 6 bouteilles de trop",
    "no capacity": "50 bouteilles, capacité inconnue",
    "balance": "210 bouteilles entrées · 210 bouteilles sorties · solde 0",
    "movement": "2 × Château Margaux 2015",
    "full date, region and cellar": "lundi 23 novembre 2026 · Bordeaux · Garage",
    "comment": "« Avec les voisins »",
    "entries left out": "et 5 autres entrées : 10 bouteilles.",
    "exits left out": "et 5 autres sorties : 10 bouteilles.",
    "wine": "Château Margaux n° 4 2012",
    "urgency": "n° 4 2012 ▲ Urgent",
    "details of a wine": "1 bouteille · apogée 2020 · Rouge · Garage",
    "reason for the choice": "Priorité 95/100 d’après l’apogée (il y a 6 ans)",
    "note": "« À boire maintenant ou à garder 3 à 5 ans",
    "wines left out": "et 12 autres vins",
    "wines of unknown maturity": "3 vins restent hors de ce choix",
    "summary": "En bref : 100 bouteilles dans 3 caves, 210 bouteilles entrées et 210 sorties cette semaine,"
    " 17 vins à boire.",
    "unsubscribing": "Pour ne plus recevoir ce rapport, répondez à ce message",
    "instant": "Rapport généré le lundi 23 novembre 2026 à 08:00 (Europe/Paris).",
}


@pytest.fixture(scope="module")
def both_parts() -> tuple[str, str]:
    """Return the words of the text part and of the HTML part of one report."""
    report = a_report(moves=105)
    return letters(text_of(report)), letters(visible_text(html_of(report)))


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS.keys())
def test_both_parts_contain_the_fact(both_parts: tuple[str, str], fact: str) -> None:
    """Both parts contain each fact that appdb/README.md requires."""
    assert not [part for part in both_parts if letters(fact) not in part]


def test_no_more_than_five_wines_are_shown() -> None:
    """The sixth wine is counted among the others."""
    assert "n° 4" in text_of(a_report())
    assert "n° 5" not in text_of(a_report())


def test_the_length_of_a_bar_is_its_rate() -> None:
    """A bar has twenty blocks; a rate above 100 percent fills it, and without a capacity there is none."""
    bars = re.findall(r"^  ([█░]+)  \S", text_of(a_report()), re.MULTILINE)
    assert [(bar.count("█"), len(bar)) for bar in bars] == [(12, 20), (20, 20)]


def test_a_long_comment_is_folded_and_nothing_of_it_is_lost() -> None:
    """Lines are broken at blanks, and a word that is longer than a line is broken too."""
    comment = " ".join(f"{'x' * length}é" for length in (*range(1, 55), 150))
    text = text_of(commented(a_report(moves=1), comment))
    assert "".join(comment.split()) in "".join(text.split())
    assert all(f" {word}" in text or f"\n{word}" in text for word in comment.split()[1:50])


def test_amounts_stand_below_each_other() -> None:
    """The column of amounts is as wide as the widest amount of the list."""
    report = a_report(moves=2)
    entries = text_of(report).partition("Entrées\n\n")[2]
    assert entries.startswith("2\u00a0× Château Margaux 2015\n    lundi 23")


def test_an_empty_cellar_gets_a_sentence_for_each_part() -> None:
    """Without bottles, movements and wines to drink, three sentences say so, and there are no bars."""
    text = text_of(an_empty_report())
    assert all(
        words in text for words in ("première bouteille", "Rien n’a bougé", "Aucune bouteille ne demande")
    )
    assert not set("█░") & set(text)
