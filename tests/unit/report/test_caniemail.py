"""The mail's CSS, compared with what Gmail, Outlook and Apple Mail support."""

import re

import pytest

from cavecron.report.model import WeeklyReport
from tests.support.caniemail import SUPPORT, UNDER
from tests.support.pages import declarations, parsed
from tests.support.report_factories import a_report, a_report_of_all_urgencies, an_empty_report, html_of

_CSS_1 = {"color"}  # all clients support it, so caniemail has no entry for it
#: Limits of properties that are only partly supported, from caniemail's notes: (elements, values).
_LIMITS = {
    "font": ("*", r"\d+px/\d+px [A-Za-z,-]+"),  # Outlook: as for font-size and line-height
    "font-size": ("*", r"\d+px"),  # Outlook: no rem, no percentage
    "font-weight": ("*", "normal|bold"),  # Outlook: no numbers
    "line-height": ("*", r"\d+px"),  # Outlook: not `normal`
    "margin": ("*", r"(\d+(px)?\s?){1,4}"),  # Gmail: nothing negative; Outlook: no `auto`
    "max-width": ("table", r"\d+px"),  # Outlook: on tables only
    "padding": ("td", r"(\d+(px)?\s?){1,4}"),  # Outlook: on cells only
}


def unsupported(html: str) -> list[str]:
    """Return each declaration that some client does not support, for its element and value."""
    unsupported_declarations = []
    for element in parsed(html).iter():
        for name, value in declarations(element.get("style", "")).items():
            tags, values = _LIMITS.get(name, ("*", ".+"))
            fits = tags in ("*", element.tag) and re.fullmatch(values, value)
            if not (fits and _known(name)):
                unsupported_declarations.append(f"<{element.tag}> {name}: {value}")
    return unsupported_declarations


def _known(name: str) -> bool:
    support = SUPPORT.get(UNDER.get(name, name), "n")
    whole, partly = set("y"), set("ya")
    return name in _CSS_1 or set(support) <= (partly if name in _LIMITS else whole)


@pytest.mark.parametrize(
    "report", [a_report(), a_report_of_all_urgencies(), an_empty_report()], ids=["rich", "each", "empty"]
)
def test_every_css_property_is_one_that_mail_programs_support(report: WeeklyReport) -> None:
    """With another property the layout would break in some mail program."""
    assert not unsupported(html_of(report))


@pytest.mark.parametrize(
    ("tag", "style"),
    [
        ("td", "white-space:nowrap"),
        ("td", "border-radius:4px"),
        ("div", "padding:4px"),
        ("div", "max-width:600px"),
        ("div", "margin:0 auto"),
        ("div", "margin:-4px"),
        ("div", "font-weight:600"),
        ("div", "font-size:1rem"),
        ("div", "display:flex"),
        ("div", "gap:4px"),
    ],
)
def test_an_unsupported_declaration_is_found(tag: str, style: str) -> None:
    """The check above finds declarations that some mail program does not support."""
    cell = f'<td style="{style}">x</td>' if tag == "td" else f'<td><{tag} style="{style}">x</{tag}></td>'
    assert unsupported(f"<!DOCTYPE html><title>x</title><table><tr>{cell}</tr></table>")


def test_the_style_sheet_adds_only_dark_mode_and_decoration() -> None:
    """Gmail and Outlook for Windows ignore it: only dark colours, round corners and padding are lost."""
    sheet = "".join(style.text or "" for style in parsed(html_of(a_report())).iter("style"))
    light, dark = sheet.split("@media (prefers-color-scheme:dark)")
    assert "@" not in light + dark
    assert properties(light) == {"border-radius", "padding"}
    assert properties(dark) == {"color", "background-color"}


def properties(sheet: str) -> set[str]:
    """Return the properties that a style sheet sets."""
    return {name for style in re.findall(r"\{([^{}]*)\}", sheet) for name in declarations(style)}
