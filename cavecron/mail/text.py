"""The text part of the weekly mail, for whoever reads mail without HTML.

Pure: it lays out what `wording` says, and knows nothing of headers.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from cavecron.cellar.report import Activity, Movement, Statistics, WeeklyReport
from cavecron.mail import wording


def text_part(report: WeeklyReport, zone: ZoneInfo, generated: datetime) -> str:
    """Return the report as plain text; `generated` is an aware datetime, told in `zone`."""
    lines = [
        wording.greeting(report),
        "",
        "Voici le rapport hebdomadaire de votre cave.",
        wording.period(report, zone),
        *_heading("Votre cave"),
        *_statistics(report.statistics),
        *_heading("Cette semaine"),
        *_activity(report.activity, zone),
        *_heading("À boire"),
        *_wines(report),
        "",
        "-- ",
        wording.footer(generated, zone),
    ]
    return "\n".join(lines) + "\n"


def _heading(title: str) -> tuple[str, ...]:
    return ("", title.upper(), "─" * len(title), "")


def _statistics(statistics: Statistics) -> Iterator[str]:
    yield wording.totals(statistics)
    if not statistics.bottles:
        yield wording.EMPTY_CELLAR
    for cellar in statistics.cellars[: wording.CELLARS_SHOWN]:
        line = wording.cellar_line(cellar)
        yield f"  • {line.title} : {line.detail} ({line.amount})"
    yield from _others(len(statistics.cellars) - wording.CELLARS_SHOWN, "cave")


def _activity(activity: Activity, zone: ZoneInfo) -> Iterator[str]:
    if not activity.entries and not activity.exits:
        yield wording.QUIET_WEEK
        return
    yield wording.balance(activity)
    yield from _movements("Entrées", activity.entries, zone)
    yield from _movements("Sorties", activity.exits, zone)


def _movements(title: str, movements: Sequence[Movement], zone: ZoneInfo) -> Iterator[str]:
    if not movements:
        return
    yield from ("", title)
    for movement in movements[: wording.MOVEMENTS_SHOWN]:
        line = wording.movement_line(movement, zone)
        yield f"  {line.amount} × {line.title}"
        yield f"      {line.detail}"
    yield from _others(len(movements) - wording.MOVEMENTS_SHOWN, "mouvement")


def _wines(report: WeeklyReport) -> Iterator[str]:
    if not report.wines:
        yield wording.NOTHING_TO_DRINK
    for number, wine in enumerate(report.wines[: wording.WINES_SHOWN], start=1):
        line = wording.wine_line(wine)
        yield f"{number}. {line.title} ({line.amount})"
        yield f"   {line.detail}"
        if wine.note:
            yield f"   {wording.plain(wine.note)}"
    yield from _others(report.wines_total - min(len(report.wines), wording.WINES_SHOWN), "vin")


def _others(hidden: int, noun: str) -> Iterator[str]:
    if sentence := wording.others(hidden, noun):
        yield f"  … {sentence}"
