"""The HTML part of the weekly mail, in the old-fashioned HTML that mail programs need.

Tables, inline styles, no image, nothing fetched. Pure: it lays out what `wording` says, and knows
nothing of headers. Whatever a user typed passes through `_safe`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from cavecron.cellar.report import Activity, Movement, Statistics, WeeklyReport
from cavecron.mail import wording

WINE = "#7b1e3a"
URGENCY_COLOURS = {"urgent": "#b3261e", "optimal": "#7b1e3a", "bientôt": "#a8762b"}
TABLE = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0"'
# Only dark mode and the width on wide screens live here: without it, everything still reads well.
STYLE = (
    "@media (min-width:640px){.page{width:600px!important}}"
    "@media (prefers-color-scheme:dark){.out{background-color:#1a1315!important}"
    ".page{background-color:#261b1f!important}.ink{color:#f3e8ea!important}"
    ".soft{color:#c9b3b9!important}.title{color:#e9a3b8!important}.rest{background-color:#4a363d!important}}"
)


def html_part(report: WeeklyReport, zone: ZoneInfo, generated: datetime) -> str:
    """Return the report as an HTML document; `generated` is an aware datetime, told in `zone`."""
    sections = (
        _section("Votre cave", _statistics(report.statistics)),
        _section("Cette semaine", _activity(report.activity, zone)),
        _section("À boire", _wines(report)),
    )
    return (
        '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        f"<title>Votre rapport hebdomadaire</title><style>{STYLE}</style></head>\n"
        '<body class="out" style="margin:0;padding:0;background-color:#f5eff0">\n'
        f'{TABLE} class="out" style="background-color:#f5eff0">'
        '<tr><td align="center" style="padding:16px 8px">\n'
        f'{TABLE} class="page ink" style="width:100%;background-color:#ffffff;'
        'color:#33242a;font-family:Georgia,serif;font-size:15px;line-height:22px">\n'
        + _banner(report, zone)
        + "\n".join(sections)
        + '\n<tr><td class="soft" style="padding:24px;color:#7a666c;font-size:12px;line-height:18px">'
        f"{_safe(wording.footer(generated, zone))}</td></tr></table></td></tr></table>\n</body></html>\n"
    )


def _banner(report: WeeklyReport, zone: ZoneInfo) -> str:
    return (
        f'<tr><td style="padding:24px;background-color:{WINE};color:#ffffff">'
        '<div style="font-size:14px;line-height:20px;color:#f3d9e0">🍷 Cave à Vin</div>'
        '<div style="padding:8px 0 4px;font-size:24px;line-height:32px">'
        f"{_safe(wording.greeting(report))}</div>"
        '<div style="font-size:14px;line-height:20px;color:#f3d9e0">'
        f"{_safe(wording.period(report, zone))}</div></td></tr>\n"
    )


def _section(title: str, rows: Iterator[str]) -> str:
    return (
        f'<tr><td style="padding:24px 24px 0"><h2 class="title" style="margin:0;padding:0 0 8px;color:{WINE};'
        f'font-size:19px;line-height:26px;font-weight:normal">{title}</h2>\n{TABLE}>'
        + "\n".join(rows)
        + "</table></td></tr>"
    )


def _statistics(statistics: Statistics) -> Iterator[str]:
    yield _sentence(wording.totals(statistics))
    if not statistics.bottles:
        yield _sentence(wording.EMPTY_CELLAR)
    for cellar in statistics.cellars[: wording.CELLARS_SHOWN]:
        yield _row(wording.cellar_line(cellar), _bar(cellar.fill_rate, WINE))
    yield from _others(len(statistics.cellars) - wording.CELLARS_SHOWN, "cave")


def _activity(activity: Activity, zone: ZoneInfo) -> Iterator[str]:
    if not activity.entries and not activity.exits:
        yield _sentence(wording.QUIET_WEEK)
        return
    yield _sentence(wording.balance(activity))
    yield from _movements("Entrées", activity.entries, zone)
    yield from _movements("Sorties", activity.exits, zone)


def _movements(title: str, movements: Sequence[Movement], zone: ZoneInfo) -> Iterator[str]:
    if not movements:
        return
    yield _sentence(title)
    for movement in movements[: wording.MOVEMENTS_SHOWN]:
        line = wording.movement_line(movement, zone)
        yield _row(wording.Line(title=line.title, detail=line.detail, amount=f"× {line.amount}"))
    yield from _others(len(movements) - wording.MOVEMENTS_SHOWN, "mouvement")


def _wines(report: WeeklyReport) -> Iterator[str]:
    if not report.wines:
        yield _sentence(wording.NOTHING_TO_DRINK)
    for wine in report.wines[: wording.WINES_SHOWN]:
        note = _soft(wording.plain(wine.note)) if wine.note else ""
        colour = URGENCY_COLOURS.get(wine.urgency, WINE)
        yield _row(wording.wine_line(wine), note + _bar(wine.score, colour))
    yield from _others(report.wines_total - min(len(report.wines), wording.WINES_SHOWN), "vin")


def _row(line: wording.Line, below: str = "") -> str:
    return (
        '<tr><td style="padding:8px 0 4px">'
        f"{_safe(line.title)}{_soft(line.detail)}</td>"
        '<td align="right" valign="top" style="padding:8px 0 0 12px;white-space:nowrap">'
        f"{_safe(line.amount)}</td></tr>"
        + (f'<tr><td colspan="2" style="padding:2px 0 4px">{below}</td></tr>' if below else "")
    )


def _soft(text: str) -> str:
    return f'<div class="soft" style="color:#7a666c;font-size:13px;line-height:19px">{_safe(text)}</div>'


def _sentence(text: str) -> str:
    return f'<tr><td colspan="2" style="padding:6px 0">{_safe(text)}</td></tr>'


def _others(hidden: int, noun: str) -> Iterator[str]:
    if sentence := wording.others(hidden, noun):
        yield _sentence(f"… {sentence}")


def _bar(rate: float, colour: str) -> str:
    """Draw a bar from 0 to 100; what lies outside is drawn as its end, for the number is told beside it."""
    full = round(min(100, max(0, rate)))
    thin = "font-size:6px;line-height:6px"
    done = f'<td width="{full}%" style="background-color:{colour};{thin}">&nbsp;</td>' if full else ""
    rest = f'<td class="rest" style="background-color:#eadfe2;{thin}">&nbsp;</td>' if full < 100 else ""
    return f"{TABLE}><tr>{done}{rest}</tr></table>"


def _safe(text: str) -> str:
    return escape(text)
