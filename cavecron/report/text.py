"""The text part of the weekly mail, for mail programs without HTML.

Pure: it renders the page that `wording` makes, and knows nothing of reports or headers. The layout does not
depend on a monospaced font, because many programs show text in another one.
"""

from collections.abc import Iterator, Sequence

from cavecron.report.page import Badge, Badges, Block, Card, Heading, Meter, Page, Row, Section, Sentence

#: The longest line: a reply that quotes it still fits into 80 columns.
WIDTH = 72
_BAR = 20
_DOT = "\u00a0· "


def text_part(page: Page) -> str:
    """Return the page as plain text."""
    lines = [
        page.name.upper(),
        *_folded(page.period),
        "",
        *_folded(page.greeting),
        "",
        *_folded(page.lead),
        "",
        *_folded(_DOT.join(f"{number} {noun}" for number, noun in page.figures)),
    ]
    for section in page.sections:
        lines += _section(section)
    lines += ("", "", *_folded(page.summary), "", "-- ")
    for line in page.footer:
        lines += _folded(line)
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from ("", "", section.title.upper(), "─" * len(section.title))
    widest = max((len(block.amount) for block in section.blocks if isinstance(block, Row)), default=0)
    before: Block | None = None
    for block in section.blocks:
        if not (isinstance(block, Row) and isinstance(before, Row)):  # rows form one list
            yield ""
        yield from _block(block, widest)
        before = block


def _block(block: Block, widest: int) -> Iterator[str]:
    match block:
        case Card():
            yield from _folded(block.title)
            yield f"  {_badge(block.badge)}"
            yield from _below("  ", *block.lines, block.quote)
        case Row():
            margin = " " * (widest + 1)
            yield from _folded(f"{block.amount:>{widest}} {block.title}", further=margin)
            yield from _below(margin, *block.lines, block.quote)
        case Meter():
            yield from _folded(block.title)
            if block.badge is not None:
                yield f"  {_bar(block.rate)}  {_badge(block.badge)}"
            yield from _below("  ", *block.lines)
        case Sentence() | Heading():
            yield from _folded(block.text)
        case Badges():
            yield from _folded(_DOT.join(map(_badge, block.badges)))


def _badge(badge: Badge) -> str:
    return f"{badge.sign} {badge.word}" if badge.sign else badge.word


def _below(margin: str, *texts: str) -> Iterator[str]:
    for text in texts:
        yield from _folded(text, margin, margin)


def _bar(rate: float) -> str:
    """Return a bar for `rate`, limited to 0 to 100; the exact number is beside it."""
    full = round(min(100, max(0, rate)) * _BAR / 100)
    return "█" * full + "░" * (_BAR - full)


def _folded(text: str, first: str = "", further: str = "") -> Sequence[str]:
    """Return the lines of `text`, wrapped at blanks; a word longer than a line is split.

    It does what the standard library's textwrap does, five times as fast.
    """
    if len(first) + len(text) <= WIDTH:
        return [first + text] if text else []
    lines, line, empty = [], first, True
    for word in text.split(" "):
        if not empty and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line, empty = further, True
        line = f"{line}{word}" if empty else f"{line} {word}"
        empty = False
        while len(line) > WIDTH:
            lines.append(line[:WIDTH])
            line = further + line[WIDTH:]
    return [*lines, line]
