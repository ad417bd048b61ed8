"""An HTML mail as a mail program reads it: its elements, and the colours of each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from xml.etree.ElementTree import Element

import html5lib

Mode = Literal["light", "dark"]
_RULE = re.compile(r"\.([\w-]+)\{([^{}]*)\}")
_DARK = re.compile(r"@media \(prefers-color-scheme:dark\)\{(.*)\}$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Letters of `ink` on `ground`; `around` is the ground of the element that holds this one."""

    ink: str = "#000000"
    ground: str = "#ffffff"
    around: str = "#ffffff"


def parsed(html: str) -> Element:
    """Return the document, which has to be without an error."""
    document: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    return document


def declarations(style: str) -> dict[str, str]:
    """Return the properties that a style sets."""
    pairs = (rule.partition(":") for rule in style.split(";") if rule.strip())
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs}


def looks(document: Element, mode: Mode) -> Iterator[tuple[Element, Look]]:
    """Yield each element of the body with its colours; in dark mode, classes have the last word."""
    sheet = "".join(style.text or "" for style in document.iter("style"))
    block = _DARK.search(sheet)
    rules = {name: declarations(style) for name, style in _RULE.findall(block[1] if block else "")}
    body = document.find("body")
    assert body is not None
    yield from _descend(body, Look(), rules if mode == "dark" else {})


def contrast(one: str, other: str) -> float:
    """Return the ratio of two colours '#rrggbb', 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _descend(
    element: Element, outer: Look, rules: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[Element, Look]]:
    style = declarations(element.get("style", ""))
    for name in element.get("class", "").split():
        style |= rules.get(name, {})
    look = replace(
        outer,
        ink=style.get("color", outer.ink),
        ground=style.get("background-color", outer.ground),
        around=outer.ground,
    )
    yield element, look
    for child in element:
        yield from _descend(child, look, rules)


def _luminance(colour: str) -> float:
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
