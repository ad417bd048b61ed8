"""The HTML part of the weekly mail, in the old-fashioned HTML that mail programs need.

It uses tables and inline styles, and loads no image or other resource. Pure: it renders the page that
`wording` makes, and knows nothing of reports or headers. All text of users passes through `_safe`.
"""

import re
from collections.abc import Sequence
from html import escape

from cavecron.report.page import (
    Badge,
    Badges,
    Block,
    Card,
    Heading,
    Meter,
    Page,
    Row,
    Section,
    Sentence,
    Tone,
)

_WINE, _GOLD = "#7b1e3a", "#c9a24b"
_PAPER, _PAGE, _WARM, _INK, _SOFT, _REST = "#f4eeec", "#ffffff", "#faf4f1", "#33242a", "#6a555c", "#e9dfe1"
#: The colour of bars, strips and badges of each tone, and the background of its cards.
_FILLS: dict[Tone, str] = {"urgent": "#b3261e", "optimal": "#3d6b4a", "soon": "#8a5f14", "calm": _WINE}
_TINTS: dict[Tone, str] = {"urgent": "#fdeeec", "optimal": "#eff6f0", "soon": "#fbf5e8", "calm": _WARM}
# Outlook resets the font in a nested table, so each table sets it again.
_LETTERS = f"color:{_INK};font:15px/21px Arial,sans-serif"
_TABLE = '<table role="presentation" cellpadding="0" cellspacing="0"'
_WIDE = f'{_TABLE} width="100%"'
_SMALL = f'class="soft" style="color:{_SOFT};font-size:13px"'
_DARK_PAGE = "#241b1f"
#: The colours of each class in dark mode: (background, text).
_DARK = {
    "out": ("#171214", ""),
    "page": (_DARK_PAGE, ""),
    "warm": ("#33272c", ""),
    "ink": ("", "#f3e8ea"),
    "soft": ("", "#cdbcc1"),
    "title": ("", "#eeabbe"),
    "rest": ("#46383e", ""),
    "calm": ("#d9829b", ""),
    "urgent": ("#ff9a8c", _DARK_PAGE),
    "optimal": ("#8cc79c", _DARK_PAGE),
    "soon": ("#dfb25a", _DARK_PAGE),
    "tint-urgent": ("#43282a", ""),
    "tint-optimal": ("#24352b", ""),
    "tint-soon": ("#3a301d", ""),
}


def _dark_rule(name: str, background: str, text: str) -> str:
    colours = (("background-color", background), ("color", text))
    declared = ";".join(f"{prop}:{colour} !important" for prop, colour in colours if colour)
    return f".{name}{{{declared}}}"


# Only dark mode, round corners and padding of badges: a mail is readable in programs that ignore it.
_STYLE = (
    ".round{border-radius:8px}.left{border-radius:8px 0 0 8px}.pill{border-radius:12px;padding:3px 5px}\n"
    "@media (prefers-color-scheme:dark){"
    + "\n".join(_dark_rule(name, *colours) for name, colours in _DARK.items())
    + "}"
)
#: Longer words than any language has get break opportunities, because CSS for that does not work everywhere.
_LONG_WORD = 24
_OVERLONG_WORD = re.compile(rf"[^\s-]{{{_LONG_WORD},}}")
_PIECE = re.compile(r"\S{8}(?=\S)")
#: Longer texts get line ends, so that no line of the source exceeds the limit of mail servers.
_LONG_TEXT = 250
_LINE = re.compile(r"(.{80}\S*) ")


def html_part(page: Page) -> str:
    """Return the page as an HTML document."""
    return (
        '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        '<meta name="format-detection" content="telephone=no,date=no,address=no">'
        f"<title>Votre rapport hebdomadaire</title>\n<style>{_STYLE}</style></head>\n"
        f'<body class="out" style="margin:0;background-color:{_PAPER}">\n'
        f'{_WIDE} class="out" style="background-color:{_PAPER}">'
        '<tr><td align="center" style="padding:16px 8px">\n'
        f'{_WIDE} class="page ink" style="max-width:600px;background-color:{_PAGE};{_LETTERS}">\n'
        + _banner(page)
        + _figures(page.figures)
        + "".join(map(_section, page.sections))
        + _summary(page.summary)
        + _footer(page.footer)
        + "</table></td></tr></table>\n</body></html>\n"
    )


def _banner(page: Page) -> str:
    return (
        f'<tr><td style="padding:24px 20px 20px;background-color:{_WINE};color:#ffffff">'
        f'<h1 style="margin:0;font:28px/36px Georgia,serif">{_safe(page.name)}</h1>\n'
        '<div style="margin:4px 0 0;font-size:14px;line-height:20px;color:#f3d9e0">'
        f"{_safe(page.period)}</div></td></tr>\n"
        f'<tr><td style="background-color:{_GOLD};font-size:4px;line-height:4px">&nbsp;</td></tr>\n'
        '<tr><td style="padding:24px 20px 0">'
        f'<div class="title" style="color:{_WINE};font:22px/28px Georgia,serif">'
        f"{_safe(page.greeting)}</div>\n"
        f'<div style="margin:6px 0 0;font-size:17px;line-height:25px">{_safe(page.lead)}</div></td></tr>\n'
    )


def _figures(figures: Sequence[tuple[str, str]]) -> str:
    style = f"color:{_WINE};font:28px/34px Georgia,serif"
    cells = "\n".join(
        f'<td width="33%" align="center" valign="top" style="padding:12px 4px">'
        f'<div class="title" style="{style}">{_safe(number)}</div><div {_SMALL}>{_safe(noun)}</div></td>'
        for number, noun in figures
    )
    return (
        f'<tr><td style="padding:20px 20px 0">{_WIDE} class="warm round" '
        f'style="background-color:{_WARM};{_LETTERS}"><tr>\n{cells}</tr></table></td></tr>\n'
    )


def _section(section: Section) -> str:
    return (
        '<tr><td style="padding:28px 20px 0">'
        f'<h2 class="title" style="margin:0;color:{_WINE};font:21px/28px Georgia,serif">'
        f'{_safe(section.title)}</h2>\n{_WIDE} class="ink" style="{_LETTERS}">\n'
        + "\n".join(map(_block, section.blocks))
        + "</table></td></tr>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Card():
            return _card(block)
        case Row():
            return _row(block)
        case Meter():
            return _meter(block)
        case Sentence():
            return _sentence(block)
        case Badges():
            return _badges(block)
        case Heading():
            return _across(
                "16px 0 0",
                f'<h3 class="title" style="margin:0;color:{_WINE};font:17px/24px Georgia,serif">'
                f"{_safe(block.text)}</h3>",
            )


def _card(card: Card) -> str:
    tone = card.badge.tone
    quote = f'<div style="margin:6px 0 0">{_safe(card.quote)}</div>' if card.quote else ""
    return _across(
        "10px 0 0",
        f"{_framed(tone, rows=2)}"
        f'<td valign="top" style="padding:12px 8px 0 12px">{_title(card.title)}</td>\n'
        f'<td align="right" valign="top" style="padding:12px 12px 0 0">{_badge(card.badge)}</td></tr>\n'
        f'<tr><td colspan="2" style="padding:2px 12px 12px">{_soft(card.lines)}{quote}</td></tr></table>',
    )


def _framed(tone: Tone, *, rows: int) -> str:
    """Return the start of a tinted table with a coloured strip on the left, over `rows` rows."""
    return (
        f'{_WIDE} class="tint-{tone} ink round" style="background-color:{_TINTS[tone]};{_LETTERS}"><tr>\n'
        f'<td class="{tone} left" width="6" rowspan="{rows}" style="background-color:{_FILLS[tone]}">'
        "&nbsp;</td>"
    )


def _meter(meter: Meter) -> str:
    """Render a bar with its title; the words beside it say the same."""
    badge, title, lines = meter.badge, _title(meter.title), _soft(meter.lines)
    if badge is None:
        return _across("14px 0 0", title + lines)
    bar = _bar(meter.rate, badge.tone)
    if not badge.sign:
        return (
            f"{_across('14px 0 0', title)}\n<tr><td>{bar}</td>"
            f'<td width="1" align="right" style="padding:0 0 0 12px">{_safe(badge.word)}</td></tr>\n'
            f"{_across('0', lines)}"
        )
    return _across(
        "14px 0 0",
        f'{_framed(badge.tone, rows=3)}<td colspan="2" style="padding:10px 12px 0">{title}</td></tr>\n'
        f'<tr><td style="padding:0 0 0 12px">{bar}</td>'
        f'<td width="1" align="right" style="padding:0 12px">{_badge(badge)}</td></tr>\n'
        f'<tr><td colspan="2" style="padding:2px 12px 10px">{lines}</td></tr></table>',
    )


def _row(row: Row) -> str:
    quote = f"<div>{_safe(row.quote)}</div>" if row.quote else ""
    return (
        f'<tr><td width="1" align="right" valign="top" style="padding:8px 0 0">{_safe(row.amount)}</td>\n'
        f'<td style="padding:8px 0 0 8px"><strong>{_safe(row.title)}</strong>'
        f"{_soft(row.lines)}{quote}</td></tr>"
    )


def _sentence(sentence: Sentence) -> str:
    if not sentence.hint:
        return _across("8px 0 0", _safe(sentence.text))
    return _across(
        "12px 0 0",
        f'{_WIDE} class="warm ink round" style="background-color:{_WARM};{_LETTERS}"><tr>'
        f'<td style="padding:10px 12px">{_safe(sentence.text)}</td></tr></table>',
    )


def _badges(block: Badges) -> str:
    return _across("8px 0 0", "&nbsp;\n".join(map(_badge, block.badges)))


def _badge(badge: Badge) -> str:
    """Render a badge; non-breaking spaces keep it on one line, and pad it without the style sheet."""
    style = f"background-color:{_FILLS[badge.tone]};color:#ffffff;font-size:13px;font-weight:bold"
    words = _safe(f"{badge.sign} {badge.word}").replace(" ", "&nbsp;")
    return f'<span class="{badge.tone} pill" style="{style}">&nbsp;{words}&nbsp;</span>'


def _bar(rate: float, tone: Tone) -> str:
    """Render a bar for `rate`, limited to 0 to 100; the exact number is beside it."""
    full = round(min(100, max(0, rate)))
    cells = ""
    if full:
        cells = f'<td class="{tone}" width="{full}%" style="background-color:{_FILLS[tone]}">&nbsp;</td>'
    if full < 100:
        cells += f'<td class="rest" style="background-color:{_REST}">&nbsp;</td>'
    return f'{_WIDE} style="font-size:8px;line-height:8px"><tr>{cells}</tr></table>'


def _summary(text: str) -> str:
    style = f"padding:16px 20px;color:{_WINE};font:17px/25px Georgia,serif"
    return (
        f'<tr><td style="padding:28px 20px 0">{_WIDE} class="warm round" style="background-color:{_WARM}">'
        f'<tr><td class="title" style="{style}">{_safe(text)}</td></tr></table></td></tr>\n'
    )


def _footer(lines: Sequence[str]) -> str:
    style = f"padding:20px 20px 24px;color:{_SOFT};font-size:12px;line-height:18px"
    return f'<tr><td class="soft" style="{style}">{_lines(lines)}</td></tr>\n'


def _across(padding: str, content: str) -> str:
    return f'<tr><td colspan="2" style="padding:{padding}">{content}</td></tr>'


def _title(text: str) -> str:
    return f'<h3 style="margin:0;font-size:16px">{_safe(text)}</h3>'


def _soft(lines: Sequence[str]) -> str:
    return f"<div {_SMALL}>{_lines(lines)}</div>"


def _lines(lines: Sequence[str]) -> str:
    return "<br>\n".join(map(_safe, lines))


def _safe(text: str) -> str:
    if len(text) < _LONG_WORD:
        return escape(text)
    if len(text) > _LONG_TEXT:
        text = _LINE.sub("\\1\n", text)
    return escape(_OVERLONG_WORD.sub(lambda word: _PIECE.sub("\\g<0>\u200b", word[0]), text))
