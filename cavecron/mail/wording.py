"""French wording that both parts of a mail share, so that they cannot say different things.

Pure: it knows neither HTML nor mail headers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cavecron.cellar.report import Activity, Cellar, Movement, Quantity, Statistics, WeeklyReport, WineToDrink

DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)
URGENCIES = {"urgent": "Urgent", "optimal": "Optimal", "bientôt": "Bientôt"}
_FRENCH_DIGITS = str.maketrans({",": "\u202f", ".": ",", "-": "−"})
MOVEMENTS_SHOWN = 20
WINES_SHOWN = 5
CELLARS_SHOWN = 20
EMPTY_CELLAR = "Votre cave attend sa première bouteille."
QUIET_WEEK = "Rien n’a bougé cette semaine : vos bouteilles se reposent."
NOTHING_TO_DRINK = "Rien ne presse : aucune bouteille n’a besoin d’être ouverte."

# Controls, lone surrogates, bidirectional overrides and non-characters: HTML refuses
# them, or they disguise text.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing in a list: what it is, what is known of it, and how many."""

    title: str
    detail: str
    amount: str


def plain(text: str, limit: int = 120) -> str:
    """Return `text` on one line, printable, and no longer than `limit` characters."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def counted(number: Quantity, noun: str) -> str:
    """Return '1 bouteille', '0 bouteille' or '2 bouteilles', as French counts."""
    return f"{grouped(number)} {noun}{'s' if abs(number) >= 2 else ''}"


def grouped(number: Quantity) -> str:
    """Return the number as French writes it: '1 234,5' with a thin space, '−2' with a minus sign."""
    return f"{round(number, 2):,}".translate(_FRENCH_DIGITS)


def date(moment: datetime, zone: ZoneInfo) -> str:
    """Return 'lundi 23 novembre 2026', the day of an aware datetime in `zone`."""
    local = moment.astimezone(zone)
    day = "1er" if local.day == 1 else str(local.day)
    return f"{DAYS[local.weekday()]} {day} {MONTHS[local.month - 1]} {local.year}"


def greeting(report: WeeklyReport) -> str:
    """Return 'Bonjour marie,'."""
    return f"Bonjour {plain(report.user.username)},"


def period(report: WeeklyReport, zone: ZoneInfo) -> str:
    """Return the days, in `zone`, of which the report tells."""
    return f"Du {date(report.start, zone)} au {date(report.end, zone)}"


def footer(generated: datetime, zone: ZoneInfo) -> str:
    """Return when the report was made, in `zone`."""
    hour = f"{generated.astimezone(zone):%H:%M}"
    return f"Rapport généré le {date(generated, zone)} à {hour} ({zone.key})."


def totals(statistics: Statistics) -> str:
    """Return '84 bouteilles · 31 références'."""
    return f"{counted(statistics.bottles, 'bouteille')} · {counted(statistics.references, 'référence')}"


def percent(rate: float) -> str:
    """Return '62,5 %'."""
    return f"{rate:.1f}".removesuffix(".0").replace(".", ",").replace("-", "−") + "\u00a0%"


def cellar_line(cellar: Cellar) -> Line:
    """Word how full one cellar is; a capacity that makes no sense is not told as a number."""
    if cellar.capacity <= 0:
        detail = f"{counted(cellar.bottles, 'bouteille')}, capacité inconnue"
        return Line(title=plain(cellar.name), detail=detail, amount="–")
    detail = f"{counted(cellar.bottles, 'bouteille')} pour {counted(cellar.capacity, 'place')}"
    return Line(title=plain(cellar.name), detail=detail, amount=percent(cellar.fill_rate))


def balance(activity: Activity) -> str:
    """Return "6 bouteilles entrées · 2 bouteilles sorties · solde +4"; its last space does not break."""
    entered = _moved(activity.bottles_in, "entrée")
    left = _moved(activity.bottles_out, "sortie")
    sign = "+" if activity.net > 0 else ""
    return f"{entered} · {left} · solde\u00a0{sign}{grouped(activity.net)}"


def _moved(bottles: Quantity, participle: str) -> str:
    return f"{counted(bottles, 'bouteille')} {participle}{'s' if abs(bottles) >= 2 else ''}"


def movement_line(movement: Movement, zone: ZoneInfo) -> Line:
    """Word bottles that came or went, with the day in `zone`."""
    local = movement.at.astimezone(zone)
    known = [f"{DAYS[local.weekday()]} {local.day}", movement.region, movement.cellar]
    if movement.comment and (comment := plain(movement.comment)):
        known.append(f"«\u00a0{comment}\u00a0»")
    title = _titled(movement.name, movement.vintage)
    return Line(title=title, detail=_joined(known), amount=grouped(movement.quantity))


def wine_line(wine: WineToDrink) -> Line:
    """Word a wine to drink; its amount is the urgency, as a word and a score."""
    peak = f"apogée {wine.peak}" if wine.peak is not None else None
    known = [counted(wine.quantity, "bouteille"), peak, wine.subcategory, wine.cellar]
    urgency = f"{URGENCIES.get(wine.urgency, plain(wine.urgency))} · {wine.score}/100"
    return Line(title=_titled(wine.name, wine.vintage), detail=_joined(known), amount=urgency)


def others(hidden: int, noun: str) -> str:
    """Return 'et 7 autres vins', or '' when nothing is hidden."""
    if hidden <= 0:
        return ""
    return f"et {grouped(hidden)} autre{'s' if hidden >= 2 else ''} {noun}{'s' if hidden >= 2 else ''}"


def _titled(name: str, vintage: int | None) -> str:
    return plain(name) if vintage is None else f"{plain(name)} {vintage}"


def _joined(known: Sequence[str | None]) -> str:
    return " · ".join(cleaned for text in known if text and (cleaned := plain(text, 170)))
