"""The French of the mail: what it tells of wines, cellars and movements, and what it leaves out."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cavecron.report import wording
from cavecron.report.model import Activity, Basis, Cellar, UrgencyCounts, WeeklyReport
from cavecron.report.page import Badge, Badges, Card, Heading, Meter, Row, Sentence
from cavecron.report.phrases import FULL, SHORTEST
from tests.support.report_factories import (
    COMMENT,
    NOTE,
    NOW,
    PARIS,
    a_movement,
    a_page,
    a_report,
    a_wine,
    an_empty_report,
    many_cellars,
    with_cellars,
)

YEAR = 2026


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((2026, 11, 16), (2026, 11, 23), "Du lundi 16 au lundi 23 novembre 2026"),
        ((2026, 11, 24), (2026, 12, 1), "Du mardi 24 novembre au mardi 1er décembre 2026"),
        ((2026, 12, 28), (2027, 1, 4), "Du lundi 28 décembre 2026 au lundi 4 janvier 2027"),
    ],
    ids=["one month", "two months", "two years"],
)
def test_a_period_repeats_no_month_or_year(
    start: tuple[int, int, int], end: tuple[int, int, int], expected: str
) -> None:
    """A month or year that both days share is written once."""
    report = replace(a_report(), start=datetime(*start, 7, tzinfo=UTC), end=datetime(*end, 7, tzinfo=UTC))
    assert wording.period(report, PARIS) == expected


def test_days_are_those_of_the_schedule_s_zone() -> None:
    """23:30 in London is the next day, and at the end of December the next year, in Paris."""
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    (line,) = wording.movement_row(replace(a_movement(), at=late), PARIS).lines
    assert line == "lundi 23 novembre 2026\u00a0· Bordeaux\u00a0· Garage"
    report = replace(a_report(), end=datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    assert wording.period(report, PARIS).endswith("au vendredi 1er janvier 2027")
    assert "(il y a 7\u00a0ans)" in cards(report)[0].lines[1]  # its peak was 2020


@pytest.mark.parametrize(
    ("urgent", "optimal", "soon", "sentence"),
    [
        (1, 0, 0, "1 vin est à boire sans attendre."),
        (2, 1, 0, "2 vins sont à boire sans attendre et 1 est à point."),
        (1234, 0, 0, "1\u202f234 vins sont à boire sans attendre."),
        (0, 1, 1, "1 vin est à point et 1 sera bientôt à point."),
        (0, 2, 0, "2 vins sont à point."),
        (0, 0, 1, "1 vin sera bientôt à point."),
        (0, 0, 3, "3 vins seront bientôt à point."),
        (1, 2, 3, "1 vin est à boire sans attendre, 2 sont à point et 3 seront bientôt à point."),
        (0, 0, 0, "Rien ne presse\u00a0: vos bouteilles vieillissent en paix."),
    ],
)
def test_the_first_sentence_counts_wines_by_urgency(
    urgent: int, optimal: int, soon: int, sentence: str
) -> None:
    """All wines are counted, also those without a card."""
    counts = UrgencyCounts(urgent=urgent, optimal=optimal, soon=soon)
    assert wording.lead(replace(a_report(), urgencies=counts)) == sentence


def test_an_empty_cellar_has_its_own_first_sentence() -> None:
    """In the first mail of a new account there are no bottles that could wait."""
    assert wording.lead(an_empty_report()) == wording.EMPTY_CELLAR


def test_wines_are_counted_by_urgency_with_sign_and_word() -> None:
    """An urgency that no wine has gets no badge."""
    report = replace(a_report(), urgencies=UrgencyCounts(urgent=1, soon=2))
    (badges,) = (block for block in a_page(report).sections[0].blocks if isinstance(block, Badges))
    assert badges.badges == (
        Badge(tone="urgent", sign="▲", word="1 urgent"),
        Badge(tone="soon", sign="○", word="2 bientôt"),
    )


@pytest.mark.parametrize(
    ("basis", "peak", "vintage", "basis_text"),
    [
        ("peak", 2023, 2012, "l’apogée (il y a 3\u00a0ans)"),
        ("peak", 2025, 2012, "l’apogée (il y a 1\u00a0an)"),
        ("peak", 2026, 2012, "l’apogée (cette année)"),
        ("peak", 2028, 2012, "l’apogée (dans 2\u00a0ans)"),
        ("peak", -(10**30), 2012, "l’apogée"),
        ("peak", None, 2012, "l’apogée"),
        ("note", 2023, 2012, "la note de garde"),
        ("age", None, 2012, "l’âge (14\u00a0ans)"),
        ("age", 2040, 2025, "l’âge (1\u00a0an)"),
        ("age", None, "NV", "l’âge"),
        ("age", None, -(10**30), "l’âge"),
        ("age", None, None, "l’âge"),
    ],
)
def test_a_wine_says_on_what_the_choice_is_based(
    basis: Basis, peak: int | None, vintage: int | str | None, basis_text: str
) -> None:
    """The basis is the peak, the keeping note or the age, with the number of years if it is known."""
    wine = replace(a_wine(), basis=basis, peak=peak, vintage=vintage)
    assert wording.wine_card(wine, YEAR).lines[1] == f"Priorité 95/100 d’après {basis_text}"


@pytest.mark.parametrize(
    ("unassessed", "hint"),
    [
        (0, None),
        (1, "1 vin reste hors de ce choix\u00a0: ni millésime, ni apogée, ni note de garde n’est connu."
            " Indiquez son millésime ou son apogée dans Cave à Vin, et il comptera."),
        (2, "2 vins restent hors de ce choix\u00a0: ni millésime, ni apogée, ni note de garde n’est connu."
            " Indiquez leur millésime ou leur apogée dans Cave à Vin, et ils compteront."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("drinkable", [True, False])
def test_a_hint_says_what_to_enter_for_unassessed_wines(
    unassessed: int, hint: str | None, *, drinkable: bool
) -> None:
    """The hint appears with and without wines to drink, and only if a wine is unassessed."""
    report = replace(a_report() if drinkable else an_empty_report(), unassessed=unassessed)
    hints = [
        block.text
        for block in a_page(report).sections[0].blocks
        if isinstance(block, Sentence) and block.hint
    ]
    assert hints == ([hint] if hint else [])


def test_a_keeping_note_is_long_enough_and_cut_after_a_word() -> None:
    """At least 200 characters are shown, because two to four sentences are usual."""
    quote = wording.wine_card(a_wine(note=NOTE), YEAR).quote
    excerpt = quote.removeprefix("«\u00a0").removesuffix("…\u00a0»")
    assert 200 <= len(excerpt) <= FULL.note
    assert NOTE.startswith(excerpt)
    assert NOTE[len(excerpt)] in " .,"


def test_a_comment_is_complete_up_to_a_limit() -> None:
    """Comments of 600 characters are usual; the limit is two thousand."""
    row = wording.movement_row(a_movement(comment=COMMENT), PARIS)
    assert row.quote == f"«\u00a0{COMMENT.strip()}\u00a0»"
    excerpt = wording.movement_row(a_movement(comment="mot " * 100_000), PARIS).quote
    assert 1900 < len(excerpt) <= 2000 + len("«\u00a0\u00a0»")


def test_a_text_of_control_characters_is_left_out() -> None:
    """There is no empty quotation, region or cellar in the line."""
    movement = replace(a_movement(comment="\u202e\x00"), region="\x07", cellar=" ")
    row = wording.movement_row(movement, PARIS)
    assert (row.lines, row.quote) == (("lundi 23 novembre 2026",), "")


def test_a_blank_name_is_replaced() -> None:
    """A line with only a number would not say what it is about."""
    assert wording.movement_row(a_movement(" \t"), PARIS).title == "Sans nom 2015"
    cellar = Cellar(name="", bottles=1, capacity=2, fill_rate=50.0)
    assert wording.cellar_meter(cellar).title == "Sans nom"


@pytest.mark.parametrize("capacity", [0, -4])
def test_an_invalid_capacity_is_shown_as_unknown(capacity: int) -> None:
    """No fill rate is shown, because it would be wrong."""
    meter = wording.cellar_meter(Cellar(name="Cave", bottles=3, capacity=capacity, fill_rate=0.0))
    assert (meter.lines, meter.badge) == (("3 bouteilles, capacité inconnue",), None)


@pytest.mark.parametrize(
    ("bottles", "tone", "sign", "over"),
    [
        (99, "calm", "", ()),
        (100, "calm", "", ()),
        (101, "urgent", "▲", ("Trop pleine\u00a0: 1 bouteille de trop",)),
        (154, "urgent", "▲", ("Trop pleine\u00a0: 54 bouteilles de trop",)),
    ],
)
def test_a_cellar_that_is_too_full_is_marked(
    bottles: int, tone: str, sign: str, over: tuple[str, ...]
) -> None:
    """It has a sign and the number of bottles that do not fit; a cellar that is exactly full has none."""
    meter = wording.cellar_meter(Cellar(name="Cave", bottles=bottles, capacity=100, fill_rate=float(bottles)))
    assert meter.badge == Badge(tone=tone, sign=sign, word=f"{bottles}\u00a0%")  # type: ignore[arg-type]
    assert meter.lines == (f"{bottles} bouteilles pour 100 places", *over)


@pytest.mark.parametrize("number", [1, 20, 21, 100])
def test_every_cellar_has_a_line(number: int) -> None:
    """Up to a hundred cellars have a line each."""
    blocks = a_page(with_cellars(a_report(), many_cellars(number))).sections[1].blocks
    assert [block.title for block in blocks if isinstance(block, Meter)] == [
        f"Cave n° {i}" for i in range(number)
    ]
    assert len(blocks) == number


def test_cellars_beyond_the_limit_share_a_line() -> None:
    """Their bottles, capacity and overfull cellars are summed up; a negative capacity counts as 0."""
    cellars = (
        *many_cellars(100),
        *many_cellars(2),
        *many_cellars(3, bottles=1),
        *many_cellars(1, capacity=-40),
    )
    rest = a_page(with_cellars(a_report(), cellars)).sections[1].blocks[100:]
    assert rest == (
        Sentence(text="… et 6 autres caves, dont 2 trop pleines\u00a0: 153 bouteilles pour 200 places."),
    )


@pytest.mark.parametrize(
    ("entries", "exits", "balance"),
    [
        (1, 0, "2 bouteilles entrées\u00a0· 0 bouteille sortie\u00a0· solde\u00a0+2"),
        (0, 2, "0 bouteille entrée\u00a0· 4 bouteilles sorties\u00a0· solde\u00a0−4"),
    ],
)
def test_the_balance_has_its_sign(entries: int, exits: int, balance: str) -> None:
    """There is a plus sign if more bottles came, and a minus sign if more went."""
    activity = Activity(entries=(a_movement(),) * entries, exits=(a_movement(),) * exits)
    assert wording.balance(activity) == balance


def test_movements_stand_under_their_heading_and_the_rest_is_counted() -> None:
    """Up to a hundred movements each way are listed, and a heading without movements is left out."""
    activity = Activity(entries=(), exits=(a_movement(),) * 102)
    blocks = a_page(replace(a_report(), activity=activity)).sections[2].blocks[1:]
    assert blocks[0] == Heading(text="Sorties")
    assert sum(isinstance(block, Row) for block in blocks) == 100
    assert blocks[-1] == Sentence(text="… et 2 autres sorties\u00a0: 4 bouteilles.")


@pytest.mark.parametrize(
    ("summary", "cellars", "moves", "to_drink"),
    [
        ("100 bouteilles dans 3 caves, 2 bouteilles entrées et 2 sorties cette semaine, 1 vin à boire."
         " Bonne dégustation\u00a0!", 3, 1, 1),
        ("100 bouteilles dans 1 cave, rien n’a bougé cette semaine, rien à ouvrir sans attendre."
         " Bonne semaine\u00a0!", 1, 0, 0),
        ("100 bouteilles, rien n’a bougé cette semaine, 2 vins à boire. Bonne dégustation\u00a0!", 0, 0, 2),
    ],
)  # fmt: skip
def test_the_last_line_sums_up(summary: str, cellars: int, moves: int, to_drink: int) -> None:
    """The number of bottles, of movements and of wines to drink, for readers who look only at the end."""
    report = replace(a_report(moves=moves), urgencies=UrgencyCounts(optimal=to_drink))
    assert a_page(with_cellars(report, many_cellars(cellars))).summary == f"En bref\u00a0: {summary}"


def test_tighter_limits_shorten_only_lists_and_texts() -> None:
    """The first sentence, the figures, the summary and the footer are the same."""
    report = with_cellars(a_report(moves=30), many_cellars(30))
    full, short = (wording.page(report, PARIS, NOW, limits) for limits in (FULL, SHORTEST))
    assert (full.lead, full.figures, full.summary, full.footer) == (
        *(short.lead, short.figures, short.summary, short.footer),
    )
    assert len(short.sections[1].blocks) == SHORTEST.cellars + 1
    assert sum(isinstance(block, Row) for block in short.sections[2].blocks) == 2 * SHORTEST.movements


def cards(report: WeeklyReport) -> list[Card]:
    """Return the wine cards of a report."""
    return [block for block in a_page(report).sections[0].blocks if isinstance(block, Card)]
