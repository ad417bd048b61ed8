"""The HTML part: strictly valid, harmless whatever users typed, and with CSS that mail programs know."""

import re
from dataclasses import replace

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavecron.cellar.report import Activity, Statistics
from cavecron.mail.html import html_part
from tests.test_message import NOW, PARIS, a_report

# Known to Gmail, Outlook and Apple Mail according to the npm package caniemail.
CSS = {"background-color", "color", "font-family", "font-size", "font-weight", "line-height"} | {
    *("margin", "padding", "white-space", "width"),
}


def test_every_css_property_is_one_that_mail_programs_support() -> None:
    """A property outside the list is a layout that breaks somewhere."""
    html = html_part(a_report(), PARIS, NOW)
    blocks = re.findall(r'style="([^"]*)"', html) + re.findall(r"\.\w+\{([^}]*)\}", html)
    used = {rule.split(":")[0].strip() for block in blocks for rule in block.split(";") if rule}
    assert used <= CSS


@pytest.mark.parametrize("forbidden", ["<script", "<img", "<link", "http:", "https:", "url(", "@import"])
def test_nothing_is_fetched_or_run(forbidden: str) -> None:
    """A mail asks nobody for anything."""
    assert forbidden not in html_part(a_report(), PARIS, NOW)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_whatever_a_user_typed_is_valid_html(name: str) -> None:
    """Controls, surrogates and tags included."""
    html = html_part(a_report(name=name, moves=1), PARIS, NOW)
    html5lib.HTMLParser(strict=True).parse(html)
    html.encode()


def test_a_tag_in_a_name_is_text() -> None:
    """User text is escaped, quotes too."""
    html = html_part(a_report(name='<b onclick="x">&'), PARIS, NOW)
    assert "<b" not in html.replace("<body", "")
    assert "&lt;b onclick=&quot;x&quot;&gt;&amp;" in html


def test_an_empty_week_is_told_kindly() -> None:
    """Nothing in the cellar, nothing moved, nothing to drink."""
    nothing = Statistics(bottles=0, references=0, cellars=())
    report = replace(
        a_report(), statistics=nothing, activity=Activity(entries=(), exits=()), wines=(), wines_total=0
    )
    html = html_part(report, PARIS, NOW)
    html5lib.HTMLParser(strict=True).parse(html)
    assert all(words in html for words in ("première bouteille", "Rien n’a bougé", "Rien ne presse"))
