"""Checks of every HTML page: it is valid, harmless, accessible, and self-contained."""

from functools import cache
from itertools import pairwise
from xml.etree.ElementTree import Element

from tests.support.pages import parsed

#: All that pages are made of; nothing of it fetches or runs anything.
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "div", "span"),
    *("h1", "h2", "h3", "p", "ul", "li", "dl", "dt", "dd", "a", "br", "code", "strong", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "defs", "g", "pattern", "use", "path", "rect", "circle", "line", "text"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "name", "content", "class", "style", "id", "href", "role", "scope"),
    *("aria-label", "aria-labelledby", "aria-hidden", "width", "height", "x", "y", "rx", "d", "cx", "cy"),
    *("r", "x1", "x2", "y1", "y2", "viewBox", "patternUnits"),
}
_FETCHING = ("http:", "https:", "url(h", "url(/", "@import", "data:", "src=", "//", "<script")


def flaws(page: str) -> list[str]:
    """Return the flaws of a page; fail if it is not valid HTML."""
    document = read(page)
    elements = list(document.iter())
    return [
        *(f"element {element.tag}" for element in elements if element.tag not in ELEMENTS),
        *(f"attribute {name}" for element in elements for name in set(element.keys()) - ATTRIBUTES),
        *(f"fetches: {text}" for text in _FETCHING if text in page),
        *_unnamed(elements),
        *_dangling(elements),
        *_headings(elements),
        *([] if document.get("lang") == "fr" else ["no language"]),
    ]


@cache
def read(page: str) -> Element:
    """Return the document, which has to be without an error; names of SVG are as they are written."""
    document = parsed(page)
    for element in document.iter():
        element.tag = element.tag.rpartition("}")[2]
    return document


def text_of(element: Element) -> str:
    """Return the text of an element and all in it, blanks as in a line of text."""
    return " ".join("".join(element.itertext()).split())


def rows(page: str) -> list[list[str]]:
    """Return the cells of all rows of all tables."""
    return [[text_of(cell) for cell in row] for row in read(page).iter("tr")]


def _unnamed(elements: list[Element]) -> list[str]:
    """Find graphics without a text for screen readers, and tables without caption or scopes."""
    problems = []
    for element in elements:
        if element.tag == "svg" and element.get("aria-hidden") != "true":
            named = element.get("aria-label") or text_of(element[0] if len(element) else element)
            if element.get("role") != "img" or not named:
                problems.append("a picture without a name")
        if element.tag == "table" and (element[0].tag != "caption" or not text_of(element[0])):
            problems.append("a table without a caption")
        if element.tag == "th" and element.get("scope") not in ("col", "row"):
            problems.append("a heading of a table without scope")
    return problems


def _dangling(elements: list[Element]) -> list[str]:
    """Find duplicate ids, and references to ids that do not exist."""
    names = [name for element in elements if (name := element.get("id")) is not None]
    wanted = [name[1:] for element in elements if (name := element.get("href"))]
    wanted += [name for element in elements if (name := element.get("aria-labelledby"))]
    return [
        *(f"id {name} twice" for name in set(names) if names.count(name) > 1),
        *(f"no id {name}" for name in set(wanted) - set(names)),
    ]


def _headings(elements: list[Element]) -> list[str]:
    degrees = [int(element.tag[1]) for element in elements if element.tag in ("h1", "h2", "h3")]
    skipped = any(lower - upper > 1 for upper, lower in pairwise(degrees))
    return ["headings out of order"] if degrees[:1] != [1] or degrees.count(1) != 1 or skipped else []
