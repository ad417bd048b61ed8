"""The HTML part: it is strictly valid, safe for any text of users, and readable in light and dark mode."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings

from cavecron.report.model import WeeklyReport
from tests.support.pages import Look, Mode, contrast, declarations, looks, parsed
from tests.support.report_factories import (
    a_report,
    a_report_of_all_urgencies,
    an_empty_report,
    any_report,
    html_of,
    many_cellars,
    visible_text,
    with_cellars,
)

#: WCAG 2.2, success criteria 1.4.3 (text, level AA) and 1.4.11 (graphics).
LEAST_OF_TEXT, LEAST_OF_GRAPHICS = 4.5, 3.0
#: All elements and attributes of the mail; none of them loads or runs anything.
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "table", "tbody", "tr", "td", "div"),
    *("h1", "h2", "h3", "strong", "span", "br"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "class", "style", "role", "width", "cellpadding", "cellspacing"),
    *("align", "valign", "colspan", "rowspan"),
}


@settings(derandomize=True)
@given(any_report())
def test_any_report_is_valid_html(report: WeeklyReport) -> None:
    """Control characters, surrogates and tags in texts add no element and no attribute."""
    html = html_of(report)
    elements = list(parsed(html).iter())
    assert {element.tag for element in elements} <= ELEMENTS
    assert {name for element in elements for name in element.keys()} <= ATTRIBUTES  # noqa: SIM118 - no mapping
    html.encode()


@pytest.mark.parametrize("forbidden", ["http:", "https:", "url(", "@import", "data:", "cid:", "//"])
def test_nothing_is_fetched(forbidden: str) -> None:
    """The mail contains no URL that a mail program would load."""
    assert forbidden not in html_of(a_report())


def test_the_html_element_has_the_language() -> None:
    """Screen readers and translators need the language."""
    assert parsed(html_of(a_report())).get("lang") == "fr"


def test_a_tag_in_a_name_is_text() -> None:
    """Tags and quotes in a text of a user are escaped."""
    html = html_of(a_report(name='<b onclick="x">&amp;'))
    assert "<b " not in html
    assert "&lt;b onclick=&quot;x&quot;&gt;&amp;amp;" in html
    assert '<b onclick="x">&amp;' in visible_text(html)


def test_an_overlong_word_can_break() -> None:
    """Break opportunities are in the word itself, because CSS for it does not work in all mail programs."""
    html = visible_text(html_of(a_report(name="W" * 100)))
    assert max(map(len, html.replace("\u200b", " ").split())) <= 24


def test_an_ordinary_name_is_left_alone() -> None:
    """It gets no invisible break opportunities, so that it can be copied as it was typed."""
    name = "Trockenbeerenauslese de Saint-Rémy-en-Bouzemont-Saint-Genest-et-Isson"
    assert name in visible_text(html_of(a_report(name=name)))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_text_has_enough_contrast(mode: Mode) -> None:
    """The contrast is at least 4.5 in both modes."""
    report = a_report(moves=25)
    faint = [
        (element.tag, look.ink, look.ground)
        for element, look in looks(parsed(html_of(report)), mode)
        if "".join(filter(None, (element.text, *(child.tail for child in element)))).strip()
        and contrast(look.ink, look.ground) < LEAST_OF_TEXT
    ]
    assert not faint


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_bars_have_enough_contrast(mode: Mode) -> None:
    """The contrast of a bar is at least 3, both to its unfilled rest and to the page."""
    bars = looks_of_empty_cells(a_report_of_all_urgencies(), mode, strips=False)
    assert set(bars) == {"calm", "urgent", "rest"}
    rest = bars.pop("rest").ground
    for look in bars.values():
        assert contrast(look.ground, look.around) >= LEAST_OF_GRAPHICS
        assert contrast(look.ground, rest) >= LEAST_OF_GRAPHICS


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_strip_of_each_card_has_enough_contrast(mode: Mode) -> None:
    """The contrast to the tint of the card is at least 3, and each urgency has its own colours."""
    strips = looks_of_empty_cells(a_report_of_all_urgencies(), mode, strips=True)
    assert set(strips) == {"urgent left", "optimal left", "soon left"}
    assert min(contrast(look.ground, look.around) for look in strips.values()) >= LEAST_OF_GRAPHICS
    assert (
        len({look.ground for look in strips.values()}) == len({look.around for look in strips.values()}) == 3
    )


def looks_of_empty_cells(report: WeeklyReport, mode: Mode, *, strips: bool) -> dict[str, Look]:
    """Return the looks of the cells without text by class: either the strips of cards, or all bars."""
    return {
        name: look
        for element, look in looks(parsed(html_of(report)), mode)
        if element.tag == "td" and element.text == "\u00a0" and (name := element.get("class", ""))
        if ("left" in name) is strips
    }


def test_urgency_has_a_sign_and_a_word_too() -> None:
    """The colour alone would tell nothing to people who cannot distinguish it."""
    badges = [
        "".join(element.itertext()).strip("\u00a0")
        for element in parsed(html_of(a_report_of_all_urgencies())).iter("span")
    ]
    assert [badge.replace("\u00a0", " ") for badge in badges] == [
        *("▲ 1 urgent", "● 1 optimal", "○ 1 bientôt"),
        *("▲ Urgent", "● Optimal", "○ Bientôt", "▲ 113,6 %"),
    ]


def test_a_cellar_that_is_too_full_is_tinted() -> None:
    """Its card has the colours of urgency, and the cards of other cellars have none."""
    report = with_cellars(an_empty_report(), (*many_cellars(1), *many_cellars(1, bottles=40)))
    document = parsed(html_of(report))
    tinted_tables = [table for table in document.iter("table") if "tint-" in table.get("class", "")]
    assert ["".join(table.itertext()).count("Cave n°") for table in tinted_tables] == [1]
    assert "Trop pleine" in "".join(tinted_tables[0].itertext())


def test_headings_are_in_order() -> None:
    """There is one h1, and no level is skipped, because screen readers navigate by headings."""
    degrees = [int(name[1]) for name in tags(a_report()) if name in {"h1", "h2", "h3"}]
    assert degrees[0] == 1
    assert degrees.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in pairwise(degrees))


def tags(report: WeeklyReport) -> list[str]:
    """Return the names of all elements, in document order."""
    return [str(element.tag) for element in parsed(html_of(report)).iter()]


def test_tables_are_marked_as_layout() -> None:
    """Otherwise a screen reader would announce rows and columns that have no meaning."""
    tables = list(parsed(html_of(a_report())).iter("table"))
    assert {table.get("role") for table in tables} == {"presentation"}


@pytest.mark.parametrize("name", ["class", "style"])
def test_no_text_depends_on_styles(name: str) -> None:
    """Without classes, or without inline styles, the text is the same, and none of it is hidden."""
    html = html_of(a_report())
    bare = re.sub(rf' {name}="[^"]*"', "", html)
    assert visible_text(bare) == visible_text(html)
    assert "display" not in html


def test_colours_of_the_style_sheet_are_inline_too() -> None:
    """Gmail ignores the style sheet in some cases, so each element with such a class has an inline colour."""
    for element in parsed(html_of(a_report())).iter():
        names = set(element.get("class", "").split()) - {"round", "left", "pill"}
        kinds = {"color" if name in {"ink", "soft", "title"} else "background-color" for name in names}
        assert kinds <= set(declarations(element.get("style", ""))), names


def test_each_class_changes_something_in_the_dark() -> None:
    """A class without a rule for dark mode would keep its light colours there."""
    document = parsed(html_of(a_report_of_all_urgencies()))
    light, dark = (list(looks(document, mode)) for mode in ("light", "dark"))
    classes = [element.get("class") for element, _ in light]
    unchanged = [
        name for name, (_, one), (_, other) in zip(classes, light, dark, strict=True) if name and one == other
    ]
    assert not unchanged


def test_the_length_of_a_bar_is_its_rate() -> None:
    """The width is in percent, and a rate above 100 percent is drawn as 100."""
    cells = [
        (cell.get("class"), cell.get("width"))
        for cell in parsed(html_of(a_report())).iter("td")
        if cell.text == "\u00a0" and cell.get("class") and "left" not in cell.get("class", "")
    ]
    assert cells == [("calm", "62%"), ("rest", None), ("urgent", "100%")]


def test_an_empty_cellar_gets_a_sentence_for_each_part() -> None:
    """Without bottles, movements and wines to drink, three sentences say so."""
    text = visible_text(html_of(an_empty_report()))
    assert all(
        words in text for words in ("première bouteille", "Rien n’a bougé", "Aucune bouteille ne demande")
    )
