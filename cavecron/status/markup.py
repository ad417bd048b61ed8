"""HTML building blocks: escaped text, tables, sections, and the document around them.

A page has no script and loads nothing. Its content security policy forbids both, in case some text was not
escaped. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cavecron.status.marks import drawings
from cavecron.status.style import STYLE
from cavecron.text import plain

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; caption and columns are text, cells are markup. The first cell of a row is its header.

    If it is `stacked`, a narrow screen shows the cells of a row below each other, without column titles.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    stacked: bool = False


def safe(text: str, limit: int = 300) -> str:
    """Return any text as markup that shows it on one line, printable, of at most `limit` characters."""
    return escape(plain(text, limit))


def table(content: Table) -> str:
    """Return the markup of a table."""
    head = "".join(
        f'<th scope="col"{_role("columnheader", content)}>{safe(column)}</th>' for column in content.columns
    )
    rows = "\n".join(_row(cells, content) for cells in content.rows)
    kind = ' class="stacked"' if content.stacked else ""
    group, row = _role("rowgroup", content), _role("row", content)
    return (
        f"<table{kind}{_role('table', content)}><caption>{safe(content.caption)}</caption>\n"
        f"<thead{group}><tr{row}>{head}</tr></thead>\n<tbody{group}>\n{rows}\n</tbody></table>\n"
    )


def _row(cells: Sequence[str], content: Table) -> str:
    first, *rest = cells
    role = _role("cell", content)
    return (
        f'<tr{_role("row", content)}><th scope="row"{_role("rowheader", content)}>{first}</th>'
        + "".join(f"<td{role}>{cell}</td>" for cell in rest)
        + "</tr>"
    )


def _role(name: str, content: Table) -> str:
    """Return the ARIA role of an element of a stacked table, which would lose it by its CSS; else ''."""
    return f' role="{name}"' if content.stacked else ""


def folded(title: str, content: str) -> str:
    """Return content that a click unfolds; on paper it is always unfolded."""
    return f"<details><summary>{safe(title)}</summary>\n{content}</details>\n"


def section(title: str, name: str, content: str) -> str:
    """Return a section with a heading; `name` is its HTML id, unique on the page."""
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{safe(title)}</h2>\n{content}</section>\n'


def document(title: str, content: str) -> str:
    """Return the whole document around the content of its `body`."""
    return (
        '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{safe(title)}</title>\n<style>\n{STYLE}</style></head>\n"
        f"<body>\n{drawings()}{content}</body></html>\n"
    )
