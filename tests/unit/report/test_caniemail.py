"""The mail's CSS, held against what Gmail, Outlook and Apple Mail make of it."""

import re

import pytest

from cavecron.report.model import WeeklyReport
from tests.support.caniemail import SUPPORT, UNDER
from tests.support.pages import declarations, parsed
from tests.support.report_factories import a_report, a_report_of_all_urgencies, an_empty_report, html_of

_CSS_1 = {"color"}  # every client knows it, so that caniemail has no entry
#: What a property that is only partly supported must keep to: (elements, values). From caniemail's notes.
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
    """Return each declaration that some client does not know, or not there, or not with this value."""
    found = []
    for element in parsed(html).iter():
        for name, value in declarations(element.get("style", "")).items():
            tags, values = _LIMITS.get(name, ("*", ".+"))
            fits = tags in ("*", element.tag) and re.fullmatch(values, value)
            if not (fits and _known(name)):
                found.append(f"<{element.tag}> {name}: {value}")
    return found


def _known(name: str) -> bool:
    support = SUPPORT.get(UNDER.get(name, name), "n")
    whole, partly = set("y"), set("ya")
    return name in _CSS_1 or set(support) <= (partly if name in _LIMITS else whole)


@pytest.mark.parametrize(
    "report", [a_report(), a_report_of_all_urgencies(), an_empty_report()], ids=["rich", "each", "empty"]
)
def test_every_css_property_is_one_that_mail_programs_support(report: WeeklyReport) -> None:
    """Another would be a layout that breaks somewhere."""
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
def test_what_breaks_somewhere_is_found(tag: str, style: str) -> None:
    """The check above is seen to find something before its silence means anything."""
    cell = f'<td style="{style}">x</td>' if tag == "td" else f'<td><{tag} style="{style}">x</{tag}></td>'
    assert unsupported(f"<!DOCTYPE html><title>x</title><table><tr>{cell}</tr></table>")


def test_the_style_sheet_adds_dark_mode_and_nothing_that_would_be_missed() -> None:
    """Gmail and Outlook for Windows drop it: dark colours, round corners and air may be missing then."""
    sheet = "".join(style.text or "" for style in parsed(html_of(a_report())).iter("style"))
    light, dark = sheet.split("@media (prefers-color-scheme:dark)")
    assert "@" not in light + dark
    assert properties(light) == {"border-radius", "padding"}
    assert properties(dark) == {"color", "background-color"}


def properties(sheet: str) -> set[str]:
    """Return the properties that a style sheet sets."""
    return {name for style in re.findall(r"\{([^{}]*)\}", sheet) for name in declarations(style)}
