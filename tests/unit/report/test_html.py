"""The HTML part: strictly valid, harmless whatever users typed, and readable in the light and in the dark."""

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
    shown,
    with_cellars,
)

#: WCAG 2.2, success criteria 1.4.3 (text, level AA) and 1.4.11 (graphics).
LEAST_OF_TEXT, LEAST_OF_GRAPHICS = 4.5, 3.0
#: All that the mail is made of; nothing of it fetches or runs anything.
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
def test_whatever_is_in_a_report_is_valid_html(report: WeeklyReport) -> None:
    """Controls, surrogates and tags included; and it makes no element or attribute of its own."""
    html = html_of(report)
    elements = list(parsed(html).iter())
    assert {element.tag for element in elements} <= ELEMENTS
    assert {name for element in elements for name in element.keys()} <= ATTRIBUTES  # noqa: SIM118 - no mapping
    html.encode()


@pytest.mark.parametrize("forbidden", ["http:", "https:", "url(", "@import", "data:", "cid:", "//"])
def test_nothing_is_fetched(forbidden: str) -> None:
    """A mail asks nobody for anything."""
    assert forbidden not in html_of(a_report())


def test_the_language_is_told() -> None:
    """So that it is read aloud, and translated, as French."""
    assert parsed(html_of(a_report())).get("lang") == "fr"


def test_a_tag_in_a_name_is_text() -> None:
    """User text is escaped, quotes too."""
    html = html_of(a_report(name='<b onclick="x">&amp;'))
    assert "<b " not in html
    assert "&lt;b onclick=&quot;x&quot;&gt;&amp;amp;" in html
    assert '<b onclick="x">&amp;' in shown(html)


def test_an_endless_word_can_break() -> None:
    """No mail program's CSS does it everywhere, so that the word itself has to say where."""
    html = shown(html_of(a_report(name="W" * 100)))
    assert max(map(len, html.replace("\u200b", " ").split())) <= 24


def test_an_ordinary_name_is_left_alone() -> None:
    """Whoever copies it gets what was typed."""
    name = "Trockenbeerenauslese de Saint-Rémy-en-Bouzemont-Saint-Genest-et-Isson"
    assert name in shown(html_of(a_report(name=name)))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_text_stands_out(mode: Mode) -> None:
    """Contrast of at least 4.5, in either mode."""
    report = a_report(moves=25)
    faint = [
        (element.tag, look.ink, look.ground)
        for element, look in looks(parsed(html_of(report)), mode)
        if "".join(filter(None, (element.text, *(child.tail for child in element)))).strip()
        and contrast(look.ink, look.ground) < LEAST_OF_TEXT
    ]
    assert not faint


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_bars_stand_out(mode: Mode) -> None:
    """Contrast of at least 3 between a bar, what is left of it, and the page."""
    bars = drawn(a_report_of_all_urgencies(), mode, strips=False)
    assert set(bars) == {"calm", "urgent", "rest"}
    rest = bars.pop("rest").ground
    for look in bars.values():
        assert contrast(look.ground, look.around) >= LEAST_OF_GRAPHICS
        assert contrast(look.ground, rest) >= LEAST_OF_GRAPHICS


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_strip_of_each_card_stands_out(mode: Mode) -> None:
    """Contrast of at least 3 to the tint of its card, whose urgency is seen before it is read."""
    strips = drawn(a_report_of_all_urgencies(), mode, strips=True)
    assert set(strips) == {"urgent left", "optimal left", "soon left"}
    assert min(contrast(look.ground, look.around) for look in strips.values()) >= LEAST_OF_GRAPHICS
    assert (
        len({look.ground for look in strips.values()}) == len({look.around for look in strips.values()}) == 3
    )


def drawn(report: WeeklyReport, mode: Mode, *, strips: bool) -> dict[str, Look]:
    """Return the looks of the cells that are only drawn, by class: the strips of cards, or all bars."""
    return {
        name: look
        for element, look in looks(parsed(html_of(report)), mode)
        if element.tag == "td" and element.text == "\u00a0" and (name := element.get("class", ""))
        if ("left" in name) is strips
    }


def test_urgency_is_told_by_a_sign_and_a_word_too() -> None:
    """Never by its colour alone: whoever sees none of them misses nothing."""
    badges = [
        "".join(element.itertext()).strip("\u00a0")
        for element in parsed(html_of(a_report_of_all_urgencies())).iter("span")
    ]
    assert [badge.replace("\u00a0", " ") for badge in badges] == [
        *("▲ 1 urgent", "● 1 optimal", "○ 1 bientôt"),
        *("▲ Urgent", "● Optimal", "○ Bientôt", "▲ 113,6 %"),
    ]


def test_a_cellar_that_is_too_full_looks_like_what_is_urgent() -> None:
    """Its card is tinted; that of the others is not."""
    report = with_cellars(an_empty_report(), (*many_cellars(1), *many_cellars(1, bottles=40)))
    document = parsed(html_of(report))
    tinted = [table for table in document.iter("table") if "tint-" in table.get("class", "")]
    assert ["".join(table.itertext()).count("Cave n°") for table in tinted] == [1]
    assert "Trop pleine" in "".join(tinted[0].itertext())


def test_headings_are_in_order() -> None:
    """One of the first degree, and none skips one: whoever has it read aloud jumps from one to the next."""
    degrees = [int(name[1]) for name in tags(a_report()) if name in {"h1", "h2", "h3"}]
    assert degrees[0] == 1
    assert degrees.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in pairwise(degrees))


def tags(report: WeeklyReport) -> list[str]:
    """Return the names of all elements, in their order."""
    return [str(element.tag) for element in parsed(html_of(report)).iter()]


def test_tables_are_told_to_be_no_tables_of_data() -> None:
    """A screen reader would count rows and columns that mean nothing."""
    tables = list(parsed(html_of(a_report())).iter("table"))
    assert {table.get("role") for table in tables} == {"presentation"}


@pytest.mark.parametrize("name", ["class", "style"])
def test_nothing_is_lost_where_styles_are_dropped(name: str) -> None:
    """Without classes or without any style the same is said, and nothing of it is hidden."""
    html = html_of(a_report())
    bare = re.sub(rf' {name}="[^"]*"', "", html)
    assert shown(bare) == shown(html)
    assert "display" not in html


def test_a_style_is_never_in_the_style_sheet_only() -> None:
    """Gmail drops the sheet for some: whatever has letters or a ground there has them in place too."""
    for element in parsed(html_of(a_report())).iter():
        names = set(element.get("class", "").split()) - {"round", "left", "pill"}
        kinds = {"color" if name in {"ink", "soft", "title"} else "background-color" for name in names}
        assert kinds <= set(declarations(element.get("style", ""))), names


def test_each_class_changes_something_in_the_dark() -> None:
    """A class that the style sheet does not know would leave light colours there."""
    document = parsed(html_of(a_report_of_all_urgencies()))
    light, dark = (list(looks(document, mode)) for mode in ("light", "dark"))
    classed = [element.get("class") for element, _ in light]
    same = [
        name for name, (_, one), (_, other) in zip(classed, light, dark, strict=True) if name and one == other
    ]
    assert not same


def test_bars_are_as_long_as_what_they_draw() -> None:
    """In percent of their table; what lies beyond the ends is drawn as an end."""
    cells = [
        (cell.get("class"), cell.get("width"))
        for cell in parsed(html_of(a_report())).iter("td")
        if cell.text == "\u00a0" and cell.get("class") and "left" not in cell.get("class", "")
    ]
    assert cells == [("calm", "62%"), ("rest", None), ("urgent", "100%")]


def test_an_empty_cellar_is_greeted_kindly() -> None:
    """Nothing in the cellar, nothing moved, nothing to drink: each is said in a sentence."""
    text = shown(html_of(an_empty_report()))
    assert all(
        words in text for words in ("première bouteille", "Rien n’a bougé", "Aucune bouteille ne demande")
    )
