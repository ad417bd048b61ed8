"""The HTML part of the weekly mail, in the old-fashioned HTML that mail programs need.

Tables, inline styles, no image, nothing fetched. Pure: it lays out what `wording` says, and knows
nothing of headers. Whatever a user typed passes through `_safe`.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from cavecron.report import wording
from cavecron.report.model import Activity, Cellar, Movement, WeeklyReport

_WINE = "#7b1e3a"
_PAPER, _PAGE, _INK, _SOFT, _REST = "#f4eeec", "#ffffff", "#33242a", "#6e5960", "#e9dfe1"
#: What a bar is drawn in, and its class in dark mode; the words beside it say the same.
_FULL = ("full", _WINE)
_URGENCIES = {
    "urgent": ("urgent", "#b3261e"),
    "optimal": ("optimal", "#41704f"),
    "bientôt": ("soon", "#96691b"),
}
# Outlook gives a table inside a table its own letters, so that each says them anew.
_LETTERS = f"color:{_INK};font-family:Helvetica,Arial,sans-serif;font-size:15px;line-height:22px"
_TITLES = "font-family:Georgia,serif;font-weight:normal"
_TABLE = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0"'
_SMALL = f'class="soft" style="color:{_SOFT};font-size:13px;line-height:19px"'
_ABOVE = "padding:8px 0 0"
# Only dark mode lives here: without it, everything still reads well.
_DARK = {
    ("out", "background-color"): "#171214",
    ("page", "background-color"): "#241b1f",
    ("ink", "color"): "#f3e8ea",
    ("soft", "color"): "#c9b6bc",
    ("title", "color"): "#eeabbe",
    ("rest", "background-color"): "#46383e",
    ("full", "background-color"): "#d9829b",
    ("urgent", "background-color"): "#ff8a7a",
    ("optimal", "background-color"): "#8cc79c",
    ("soon", "background-color"): "#dfb25a",
}
_STYLE = (
    "@media (prefers-color-scheme:dark){"
    + "".join(f".{name}{{{prop}:{colour} !important}}" for (name, prop), colour in _DARK.items())
    + "}"
)
#: Words longer than any of a language get places where they may break; no mail program's CSS does it for all.
_LONG_WORD = 24
_ENDLESS = re.compile(rf"[^\s-]{{{_LONG_WORD},}}")
_PIECE = re.compile(r"\S{8}(?=\S)")


def html_part(report: WeeklyReport, zone: ZoneInfo, generated: datetime) -> str:
    """Return the report as an HTML document; `generated` is an aware datetime, told in `zone`."""
    return (
        '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        '<meta name="format-detection" content="telephone=no,date=no,address=no">'
        f"<title>Votre rapport hebdomadaire</title><style>{_STYLE}</style></head>\n"
        f'<body class="out" style="margin:0;background-color:{_PAPER}">\n'
        f'{_TABLE} class="out" style="background-color:{_PAPER}">'
        '<tr><td align="center" style="padding:16px 8px">\n'
        f'{_TABLE} class="page ink" style="max-width:600px;background-color:{_PAGE};{_LETTERS}">\n'
        + _banner(report, zone)
        + _section("", _totals(report))
        + _section(wording.TO_DRINK, _wines(report))
        + _section(wording.CELLAR, _cellars(report.statistics.cellars))
        + _section(wording.THIS_WEEK, _activity(report.activity, zone))
        + _footer(wording.footer(generated, zone))
        + "</table></td></tr></table>\n</body></html>\n"
    )


def _banner(report: WeeklyReport, zone: ZoneInfo) -> str:
    return (
        f'<tr><td style="padding:28px 24px;background-color:{_WINE};color:#ffffff">'
        f'<h1 style="margin:0 0 8px;{_TITLES};font-size:26px;line-height:32px">'
        f"{_safe(wording.greeting(report))}</h1>"
        f'<div style="font-size:17px;line-height:24px">{_safe(wording.lead(report))}</div>'
        '<div style="margin:8px 0 0;font-size:13px;line-height:20px;color:#f3d9e0">'
        f"{_safe(wording.period(report, zone))}</div></td></tr>\n"
    )


def _section(title: str, rows: Iterator[str]) -> str:
    heading = (
        f'<h2 class="title" style="margin:0 0 4px;color:{_WINE};{_TITLES};font-size:21px;line-height:28px">'
        f"{title}</h2>\n"
    )
    return (
        f'<tr><td style="padding:28px 24px 0">{heading if title else ""}'
        f'{_TABLE} class="ink" style="{_LETTERS}">\n' + "\n".join(rows) + "</table></td></tr>\n"
    )


def _totals(report: WeeklyReport) -> Iterator[str]:
    style = f"color:{_WINE};{_TITLES};font-size:28px;line-height:34px"
    yield "<tr>"
    for number, noun in wording.totals(report):
        yield (
            '<td width="33%" valign="top" style="padding:0 12px 0 0">'
            f'<div class="title" style="{style}">{_safe(number)}</div>{_soft(noun)}</td>'
        )
    yield "</tr>"


def _wines(report: WeeklyReport) -> Iterator[str]:
    if not report.wines:
        yield _sentence(wording.NOTHING_TO_DRINK)
    for wine in report.wines[: wording.WINES_SHOWN]:
        yield from _measured(wording.wine_line(wine), wine.score, _URGENCIES[wine.urgency])
    yield from _others(report.urgencies.total - min(len(report.wines), wording.WINES_SHOWN), "vin")


def _cellars(cellars: Sequence[Cellar]) -> Iterator[str]:
    if not cellars:
        yield _sentence(wording.NO_CELLAR)
    for cellar in cellars[: wording.CELLARS_SHOWN]:
        yield from _measured(wording.cellar_line(cellar), cellar.fill_rate, _FULL)
    yield from _others(len(cellars) - wording.CELLARS_SHOWN, "cave")


def _activity(activity: Activity, zone: ZoneInfo) -> Iterator[str]:
    if not activity.entries and not activity.exits:
        yield _sentence(wording.QUIET_WEEK)
        return
    yield _sentence(wording.balance(activity))
    yield from _movements(wording.ENTRIES, activity.entries, zone)
    yield from _movements(wording.EXITS, activity.exits, zone)


def _movements(title: str, movements: Sequence[Movement], zone: ZoneInfo) -> Iterator[str]:
    if not movements:
        return
    yield (
        '<tr><td colspan="2" style="padding:16px 0 0"><h3 class="title" '
        f'style="margin:0;color:{_WINE};{_TITLES};font-size:17px;line-height:24px">{title}</h3></td></tr>'
    )
    for movement in movements[: wording.MOVEMENTS_SHOWN]:
        line = wording.movement_line(movement, zone)
        yield f'<tr><td width="1" align="right" valign="top" style="{_ABOVE}">{_safe(line.amount)}</td>'
        yield f'<td style="padding:8px 0 0 8px"><strong>{_safe(line.title)}</strong>'
        yield f"{_soft(line.detail, line.note)}</td></tr>"
    yield from _others(len(movements) - wording.MOVEMENTS_SHOWN, title.lower().removesuffix("s"))


def _measured(line: wording.Line, rate: float, kind: tuple[str, str]) -> Iterator[str]:
    """Lay out something that is drawn as a bar; the words beside the bar say the same."""
    yield f'<tr><td colspan="2" style="padding:12px 0 0;font-weight:bold">{_safe(line.title)}</td></tr>'
    if line.amount:
        yield f"<tr><td>{_bar(rate, kind)}</td>"
        yield f'<td width="1" align="right" style="padding:0 0 0 12px">{_safe(line.amount)}</td></tr>'
    yield f'<tr><td colspan="2" {_SMALL}>{_lines(line.detail, line.note)}</td></tr>'


def _bar(rate: float, kind: tuple[str, str]) -> str:
    """Draw a bar from 0 to 100; what lies outside is drawn as its end, for the number is told beside it."""
    full = round(min(100, max(0, rate)))
    name, colour = kind
    cells = ""
    if full:
        cells = f'<td class="{name}" width="{full}%" style="background-color:{colour}">&nbsp;</td>'
    if full < 100:
        cells += f'<td class="rest" style="background-color:{_REST}">&nbsp;</td>'
    return f'{_TABLE} style="font-size:8px;line-height:8px"><tr>{cells}</tr></table>'


def _soft(*texts: str) -> str:
    return f"<div {_SMALL}>{_lines(*texts)}</div>"


def _lines(*texts: str) -> str:
    return "<br>\n".join(_safe(text) for text in texts if text)


def _sentence(text: str) -> str:
    return f'<tr><td colspan="2" style="{_ABOVE}">{_safe(text)}</td></tr>'


def _others(hidden: int, noun: str) -> Iterator[str]:
    if sentence := wording.others(hidden, noun):
        yield _sentence(sentence)


def _footer(text: str) -> str:
    style = f"padding:32px 24px 24px;color:{_SOFT};font-size:12px;line-height:18px"
    return f'<tr><td class="soft" style="{style}">{wording.SIGNATURE}<br>\n{_safe(text)}</td></tr>'


def _safe(text: str) -> str:
    if len(text) < _LONG_WORD:
        return escape(text)
    return escape(_ENDLESS.sub(lambda word: _PIECE.sub("\\g<0>\u200b", word[0]), text))
