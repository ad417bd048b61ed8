"""The text part of the weekly mail, for whoever reads mail without HTML.

Pure: it lays out what `wording` says, and knows nothing of headers. Nothing in it depends on letters of
one width, for many programs show text in others.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from textwrap import wrap
from zoneinfo import ZoneInfo

from cavecron.report import wording
from cavecron.report.model import Activity, Cellar, Movement, WeeklyReport

#: Columns of the longest line: what a quoting answer in a terminal of 80 leaves.
WIDTH = 72
_BAR = 20


def text_part(report: WeeklyReport, zone: ZoneInfo, generated: datetime) -> str:
    """Return the report as plain text; `generated` is an aware datetime, told in `zone`."""
    lines = [
        *_folded(wording.greeting(report)),
        "",
        *_folded(wording.lead(report)),
        "",
        *_folded(wording.period(report, zone)),
        *_folded("\u00a0· ".join(f"{number} {noun}" for number, noun in wording.totals(report))),
        *_heading(wording.TO_DRINK),
        *_wines(report),
        *_heading(wording.CELLAR),
        *_cellars(report.statistics.cellars),
        *_heading(wording.THIS_WEEK),
        *_activity(report.activity, zone),
        "",
        "-- ",
        wording.SIGNATURE,
        *_folded(wording.footer(generated, zone)),
    ]
    return "\n".join(lines) + "\n"


def _heading(title: str) -> tuple[str, ...]:
    return ("", "", title.upper(), "─" * len(title))


def _wines(report: WeeklyReport) -> Iterator[str]:
    if not report.wines:
        yield from ("", wording.NOTHING_TO_DRINK)
    for wine in report.wines[: wording.WINES_SHOWN]:
        yield from _measured(wording.wine_line(wine), wine.score)
    yield from _others(report.urgencies.total - min(len(report.wines), wording.WINES_SHOWN), "vin")


def _cellars(cellars: Sequence[Cellar]) -> Iterator[str]:
    if not cellars:
        yield from ("", wording.NO_CELLAR)
    for cellar in cellars[: wording.CELLARS_SHOWN]:
        yield from _measured(wording.cellar_line(cellar), cellar.fill_rate)
    yield from _others(len(cellars) - wording.CELLARS_SHOWN, "cave")


def _activity(activity: Activity, zone: ZoneInfo) -> Iterator[str]:
    yield ""
    if not activity.entries and not activity.exits:
        yield wording.QUIET_WEEK
        return
    yield from _folded(wording.balance(activity))
    yield from _movements(wording.ENTRIES, activity.entries, zone)
    yield from _movements(wording.EXITS, activity.exits, zone)


def _movements(title: str, movements: Sequence[Movement], zone: ZoneInfo) -> Iterator[str]:
    if not movements:
        return
    yield from ("", title, "")
    lines = [wording.movement_line(movement, zone) for movement in movements[: wording.MOVEMENTS_SHOWN]]
    widest = max(len(line.amount) for line in lines)
    for line in lines:
        yield from _folded(f"{line.amount:>{widest}} {line.title}", further=" " * (widest + 1))
        yield from _below(line, " " * (widest + 1))
    yield from _others(len(movements) - wording.MOVEMENTS_SHOWN, title.lower().removesuffix("s"))


def _measured(line: wording.Line, rate: float) -> Iterator[str]:
    """Lay out something that is drawn as a bar; the words beside the bar say the same."""
    yield ""
    yield from _folded(line.title)
    if line.amount:
        yield f"  {_bar(rate)}  {line.amount}"
    yield from _below(line, "  ")


def _below(line: wording.Line, margin: str) -> Iterator[str]:
    for text in (line.detail, line.note):
        yield from _folded(text, margin, margin)


def _bar(rate: float) -> str:
    """Draw a bar from 0 to 100; what lies outside is drawn as its end, for the number is told beside it."""
    full = round(min(100, max(0, rate)) * _BAR / 100)
    return "█" * full + "░" * (_BAR - full)


def _others(hidden: int, noun: str) -> Iterator[str]:
    if sentence := wording.others(hidden, noun):
        yield from ("", sentence)


def _folded(text: str, first: str = "", further: str = "") -> Sequence[str]:
    """Return the lines of `text`, broken at blanks; a word too long for a line is broken where it must be."""
    if len(first) + len(text) <= WIDTH:  # most are short, and wrap takes its time
        return [first + text] if text else []
    return wrap(text, WIDTH, initial_indent=first, subsequent_indent=further, break_on_hyphens=False)
