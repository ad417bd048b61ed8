"""The HTML part: strictly valid, harmless whatever users typed, and readable in the light and in the dark."""

import pytest
from hypothesis import given, settings

from cavecron.report.html import html_part
from cavecron.report.model import WeeklyReport
from tests.support.pages import Mode, contrast, looks, parsed
from tests.support.report_factories import (
    NOW,
    PARIS,
    a_report,
    a_report_of_all_urgencies,
    an_empty_report,
    any_report,
    shown,
)

#: WCAG 2.2, success criteria 1.4.3 (text, level AA) and 1.4.11 (graphics).
LEAST_OF_TEXT, LEAST_OF_GRAPHICS = 4.5, 3.0
#: All that the mail is made of; nothing of it fetches or runs anything.
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "table", "tbody", "tr", "td", "div"),
    *("h1", "h2", "h3", "strong", "br"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "class", "style", "role", "width", "cellpadding", "cellspacing"),
    *("align", "valign", "colspan"),
}


@settings(derandomize=True, deadline=None, max_examples=80)
@given(any_report())
def test_whatever_is_in_a_report_is_valid_html(report: WeeklyReport) -> None:
    """Controls, surrogates and tags included; and it makes no element or attribute of its own."""
    html = html_part(report, PARIS, NOW)
    elements = list(parsed(html).iter())
    assert {element.tag for element in elements} <= ELEMENTS
    assert {name for element in elements for name in element.keys()} <= ATTRIBUTES  # noqa: SIM118 - no mapping
    html.encode()


@pytest.mark.parametrize("forbidden", ["http:", "https:", "url(", "@import", "data:", "cid:", "//"])
def test_nothing_is_fetched(forbidden: str) -> None:
    """A mail asks nobody for anything."""
    assert forbidden not in html_part(a_report(), PARIS, NOW)


def test_the_language_is_told() -> None:
    """So that it is read aloud, and translated, as French."""
    assert parsed(html_part(a_report(), PARIS, NOW)).get("lang") == "fr"


def test_a_tag_in_a_name_is_text() -> None:
    """User text is escaped, quotes too."""
    html = html_part(a_report(name='<b onclick="x">&amp;'), PARIS, NOW)
    assert "<b " not in html
    assert "&lt;b onclick=&quot;x&quot;&gt;&amp;amp;" in html
    assert '<b onclick="x">&amp;' in shown(html)


def test_an_endless_word_can_break() -> None:
    """No mail program's CSS does it everywhere, so that the word itself has to say where."""
    html = shown(html_part(a_report(name="W" * 100), PARIS, NOW))
    assert max(map(len, html.replace("\u200b", " ").split())) <= 24


def test_an_ordinary_name_is_left_alone() -> None:
    """Whoever copies it gets what was typed."""
    name = "Trockenbeerenauslese de Saint-Rémy-en-Bouzemont-Saint-Genest-et-Isson"
    assert name in shown(html_part(a_report(name=name), PARIS, NOW))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_text_stands_out(mode: Mode) -> None:
    """Contrast of at least 4.5, in either mode."""
    report = a_report(moves=25)
    faint = [
        (element.tag, look.ink, look.ground)
        for element, look in looks(parsed(html_part(report, PARIS, NOW)), mode)
        if "".join(filter(None, (element.text, *(child.tail for child in element)))).strip()
        and contrast(look.ink, look.ground) < LEAST_OF_TEXT
    ]
    assert not faint


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_bars_stand_out(mode: Mode) -> None:
    """Contrast of at least 3 between a bar, what is left of it, and the page."""
    shades = a_report_of_all_urgencies()
    bars = {
        element.get("class"): look
        for element, look in looks(parsed(html_part(shades, PARIS, NOW)), mode)
        if element.tag == "td" and element.text == "\u00a0"
    }
    assert set(bars) == {"full", "urgent", "optimal", "soon", "rest"}
    rest = bars.pop("rest").ground
    for look in bars.values():
        assert contrast(look.ground, look.around) >= LEAST_OF_GRAPHICS
        assert contrast(look.ground, rest) >= LEAST_OF_GRAPHICS


def test_each_class_changes_something_in_the_dark() -> None:
    """A class that the style sheet does not know would leave light colours there."""
    document = parsed(html_part(a_report_of_all_urgencies(), PARIS, NOW))
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
        for cell in parsed(html_part(a_report(), PARIS, NOW)).iter("td")
        if cell.text == "\u00a0"
    ]
    assert cells[:2] == [("urgent", "95%"), ("rest", None)]
    assert cells[-3:] == [("full", "62%"), ("rest", None), ("full", "100%")]


def test_an_empty_cellar_is_greeted_kindly() -> None:
    """Nothing in the cellar, nothing moved, nothing to drink: each is said in a sentence."""
    text = shown(html_part(an_empty_report(), PARIS, NOW))
    assert all(
        words in text for words in ("première bouteille", "Rien n’a bougé", "Aucune bouteille ne demande")
    )
