"""French wording that both parts of a mail share, so that they cannot say different things.

Pure: it knows neither HTML nor mail headers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cavecron import french
from cavecron.report.model import Activity, Cellar, Movement, Quantity, Vintage, WeeklyReport, WineToDrink
from cavecron.text import plain

URGENCIES = {"urgent": "Urgent", "optimal": "Optimal", "bientôt": "Bientôt"}
MOVEMENTS_SHOWN = 20
WINES_SHOWN = 5
CELLARS_SHOWN = 20
TO_DRINK, CELLAR, THIS_WEEK, ENTRIES, EXITS = "À boire", "Votre cave", "Cette semaine", "Entrées", "Sorties"
SIGNATURE = "🍷 Cave à Vin"
EMPTY_CELLAR = "Votre cave attend sa première bouteille."
NOTHING_PRESSES = "Rien ne presse\u00a0: vos bouteilles vieillissent en paix."
NOTHING_TO_DRINK = "Aucune bouteille ne demande à être ouverte."
NO_CELLAR = "Aucune cave n’est encore enregistrée."
QUIET_WEEK = "Rien n’a bougé cette semaine\u00a0: vos bouteilles se reposent."
_FRENCH_DIGITS = str.maketrans({",": "\u202f", ".": ",", "-": "−"})
#: What is said of one wine, and of several, of the most urgent kind that a cellar has.
_LEADS = {
    "urgent": ("est à boire sans attendre.", "sont à boire sans attendre."),
    "optimal": ("est à point.", "sont à point."),
    "bientôt": ("sera bientôt à point.", "seront bientôt à point."),
}
#: Beyond this a number in percent says nothing but that the capacity is a slip.
_HIGHEST_RATE = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing in a list: what it is, what is known of it, how many or how much, what was noted of it."""

    title: str
    detail: str
    amount: str
    note: str = ""


def counted(number: Quantity, noun: str) -> str:
    """Return '1 bouteille', '0 bouteille' or '2 bouteilles', as French counts."""
    return f"{grouped(number)} {plural(number, noun)}"


def plural(number: Quantity, noun: str) -> str:
    """Return the noun, or each word of it, as it follows `number`: French counts in plural from two."""
    return noun if abs(number) < 2 else " ".join(f"{word}s" for word in noun.split())


def grouped(number: Quantity) -> str:
    """Return the number as French writes it: '1 234,5' with a thin space, '−2' with a minus sign."""
    if type(number) is int and 0 <= number < 1000:  # nearly all of them
        return str(number)
    shown = round(number, 2) + 0  # + 0: no "−0" of something that was rounded away
    return f"{shown:,}".removesuffix(".0").translate(_FRENCH_DIGITS)


def date(moment: datetime, zone: ZoneInfo) -> str:
    """Return 'lundi 23 novembre 2026', the day of an aware datetime in `zone`."""
    return french.date(moment.astimezone(zone))


def greeting(report: WeeklyReport) -> str:
    """Return 'Bonjour marie,'."""
    return f"Bonjour {plain(report.user.username)},"


def lead(report: WeeklyReport) -> str:
    """Return the sentence that matters most: mail programs show it beside the subject."""
    wines = report.wines
    if not wines:
        return NOTHING_PRESSES if report.statistics.bottles else EMPTY_CELLAR
    alike = sum(wine.urgency == wines[0].urgency for wine in wines)
    unsure = "Au moins " if alike == len(wines) < report.urgencies.total else ""
    return f"{unsure}{counted(alike, 'vin')} {_LEADS[wines[0].urgency][alike > 1]}"


def period(report: WeeklyReport, zone: ZoneInfo) -> str:
    """Return 'Du lundi 16 au lundi 23 novembre 2026', the days in `zone` of which the report tells."""
    start, end = report.start.astimezone(zone), report.end.astimezone(zone)
    first = date(start, zone)
    if start.year == end.year:
        first = (
            french.day(start)
            if start.month == end.month
            else f"{french.day(start)} {french.MONTHS[start.month - 1]}"
        )
    return f"Du {first} au {date(end, zone)}"


def footer(generated: datetime, zone: ZoneInfo) -> str:
    """Return when the report was made, in `zone`."""
    hour = f"{generated.astimezone(zone):%H:%M}"
    return f"Rapport généré le {date(generated, zone)} à {hour} ({zone.key})."


def totals(report: WeeklyReport) -> Sequence[tuple[str, str]]:
    """Return ('84', 'bouteilles'), ('31', 'références') and ('9', 'vins à boire')."""
    statistics = report.statistics
    return (
        (grouped(statistics.bottles), plural(statistics.bottles, "bouteille")),
        (grouped(statistics.references), plural(statistics.references, "référence")),
        (grouped(report.urgencies.total), f"{plural(report.urgencies.total, 'vin')} à boire"),
    )


def percent(rate: float) -> str:
    """Return '62,5 %'."""
    if rate > _HIGHEST_RATE:
        return f">\u00a0{grouped(_HIGHEST_RATE)}\u00a0%"
    return f"{grouped(round(rate, 1))}\u00a0%"


def cellar_line(cellar: Cellar) -> Line:
    """Word how full one cellar is; without a capacity that makes sense there is no amount."""
    bottles, name = counted(cellar.bottles, "bouteille"), _named(cellar.name)
    if cellar.capacity <= 0:
        return Line(title=name, detail=f"{bottles}, capacité inconnue", amount="")
    places = counted(cellar.capacity, "place")
    return Line(title=name, detail=f"{bottles} pour {places}", amount=percent(cellar.fill_rate))


def balance(activity: Activity) -> str:
    """Return '6 bouteilles entrées · 2 bouteilles sorties · solde +4'."""
    entered = counted(activity.bottles_in, "bouteille entrée")
    left = counted(activity.bottles_out, "bouteille sortie")
    sign = "+" if activity.net > 0 else ""
    return _joined((entered, left, f"solde\u00a0{sign}{grouped(activity.net)}"))


def movement_line(movement: Movement, zone: ZoneInfo) -> Line:
    """Word bottles that came or went, with the day in `zone`."""
    known = (french.day(movement.at.astimezone(zone)), _cleaned(movement.region), _cleaned(movement.cellar))
    return Line(
        title=_titled(movement.name, movement.vintage),
        detail=_joined(known),
        amount=f"{grouped(movement.quantity)}\u00a0×",
        note=_quoted(movement.comment),
    )


def wine_line(wine: WineToDrink) -> Line:
    """Word a wine to drink; its amount is the urgency, as a word and a score."""
    peak = f"apogée\u00a0{_year(wine.peak)}" if wine.peak is not None else ""
    known = (counted(wine.quantity, "bouteille"), peak, _cleaned(wine.subcategory), _cleaned(wine.cellar))
    return Line(
        title=_titled(wine.name, wine.vintage),
        detail=_joined(known),
        amount=f"{URGENCIES[wine.urgency]}\u00a0·\u00a0{wine.score}/100",
        note=_quoted(wine.note),
    )


def others(hidden: int, noun: str) -> str:
    """Return '… et 7 autres vins', or '' when nothing is hidden."""
    return f"… et {grouped(hidden)} {plural(hidden, f'autre {noun}')}" if hidden > 0 else ""


def _year(year: Vintage) -> str:
    return plain(str(year), 8)  # what the application stores can have a thousand digits


def _named(name: str) -> str:
    return plain(name) or "Sans nom"


def _titled(name: str, vintage: Vintage | None) -> str:
    """Return 'Château Margaux 2015', and not the year twice where the name has it already."""
    title = _named(name)
    return title if vintage is None or _year(vintage) in title.split() else f"{title} {_year(vintage)}"


def _cleaned(text: str | None) -> str:
    return plain(text) if text else ""


def _quoted(text: str | None) -> str:
    return f"«\u00a0{words}\u00a0»" if (words := _cleaned(text)) else ""


def _joined(known: Sequence[str]) -> str:
    # A line may end with the dot, and does not begin with it.
    return "\u00a0· ".join(piece for piece in known if piece)
