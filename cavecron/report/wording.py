"""The French text of a weekly mail: it turns a report into a page, which `html` and `text` render.

Pure: it knows neither HTML nor mail headers.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from cavecron import french
from cavecron.report.model import (
    Activity,
    Cellar,
    Movement,
    UrgencyCounts,
    WeeklyReport,
    WineToDrink,
)
from cavecron.report.page import Badge, Badges, Block, Card, Heading, Meter, Page, Row, Section, Sentence
from cavecron.report.phrases import (
    FULL,
    Limits,
    cleaned,
    counted,
    grouped,
    in_guillemets,
    joined,
    listed,
    named,
    others,
    percent,
    plural,
    titled,
    vintage,
)
from cavecron.text import plain

WINES_SHOWN = 5
NAME = "🍷 Cave à Vin"
TO_DRINK, CELLARS, THIS_WEEK, ENTRIES, EXITS = "À boire", "Vos caves", "Cette semaine", "Entrées", "Sorties"
EMPTY_CELLAR = "Votre cave attend sa première bouteille."
NOTHING_PRESSES = "Rien ne presse\u00a0: vos bouteilles vieillissent en paix."
NOTHING_TO_DRINK = "Aucune bouteille ne demande à être ouverte."
NO_CELLAR = "Aucune cave n’est encore enregistrée."
QUIET_WEEK = "Rien n’a bougé cette semaine\u00a0: vos bouteilles se reposent."
UNSUBSCRIBE = (
    "Pour ne plus recevoir ce rapport, répondez à ce message ou choisissez «\u00a0Se désabonner\u00a0»\u00a0:"
    " l’administrateur de votre Cave à Vin vous en retirera."
)
#: The sentence for one wine, and for several, of each urgency.
_LEADS = (
    ("est à boire sans attendre", "sont à boire sans attendre"),
    ("est à point", "sont à point"),
    ("sera bientôt à point", "seront bientôt à point"),
)
#: By urgency as in `maturity`, the most urgent first; nearly every font has these signs.
_BADGES = {
    "urgent": Badge(tone="urgent", sign="▲", word="Urgent"),
    "optimal": Badge(tone="optimal", sign="●", word="Optimal"),
    "bientôt": Badge(tone="soon", sign="○", word="Bientôt"),
}
_COUNTED = {
    "urgent": ("urgent", "urgents"),
    "optimal": ("optimal", "optimaux"),
    "soon": ("bientôt", "bientôt"),
}
_OVERFULL = "▲"
#: A peak further away than this many years, or a higher age, is an error.
_MOST_YEARS = 9999


def page(report: WeeklyReport, zone: ZoneInfo, generated: datetime, limits: Limits = FULL) -> Page:
    """Return the whole mail; `generated` is an aware datetime; it and all days are shown in `zone`."""
    return Page(
        name=NAME,
        period=period(report, zone),
        greeting=f"Bonjour {plain(report.user.username, limits.name)},",
        lead=lead(report),
        figures=_figures(report),
        sections=(
            Section(title=TO_DRINK, blocks=tuple(_wines(report, zone, limits))),
            Section(title=CELLARS, blocks=tuple(_cellars(report.statistics.cellars, limits))),
            Section(title=THIS_WEEK, blocks=tuple(_week(report.activity, zone, limits))),
        ),
        summary=summary(report),
        footer=(UNSUBSCRIBE, f"Rapport généré le {french.local_moment(generated, zone)} ({zone.key})."),
    )


def period(report: WeeklyReport, zone: ZoneInfo) -> str:
    """Return 'Du lundi 16 au lundi 23 novembre 2026', the days of the report's period in `zone`."""
    start, end = report.start.astimezone(zone), report.end.astimezone(zone)
    first = french.date(start)
    if start.year == end.year:
        month = "" if start.month == end.month else f" {french.MONTHS[start.month - 1]}"
        first = french.day(start) + month
    return f"Du {first} au {french.date(end)}"


def lead(report: WeeklyReport) -> str:
    """Return the main sentence: how many wines of each urgency, the most urgent first."""
    counts = report.urgencies
    parts: list[str] = []
    for count, forms in zip((counts.urgent, counts.optimal, counts.soon), _LEADS, strict=True):
        if count:
            number = grouped(count) if parts else counted(count, "vin")
            parts.append(f"{number} {forms[count > 1]}")
    if parts:
        return f"{listed(parts)}."
    return NOTHING_PRESSES if report.statistics.bottles else EMPTY_CELLAR


def summary(report: WeeklyReport) -> str:
    """Return the last sentence: how many bottles there are, came in and went out, and wines to drink."""
    statistics, activity = report.statistics, report.activity
    stock = counted(statistics.bottles, "bouteille")
    if statistics.cellars:
        stock += f" dans {counted(len(statistics.cellars), 'cave')}"
    movements = "rien n’a bougé cette semaine"
    if activity.entries or activity.exits:
        entered = counted(activity.bottles_in, "bouteille entrée")
        movements = f"{entered} et {counted(activity.bottles_out, 'sortie')} cette semaine"
    to_drink = report.urgencies.total
    to_drink_text = f"{counted(to_drink, 'vin')} à boire" if to_drink else "rien à ouvrir sans attendre"
    closing = "Bonne dégustation" if to_drink else "Bonne semaine"
    return f"En bref\u00a0: {stock}, {movements}, {to_drink_text}. {closing}\u00a0!"


def _figures(report: WeeklyReport) -> tuple[tuple[str, str], ...]:
    """Return ('84', 'bouteilles'), ('31', 'références') and ('9', 'vins à boire')."""
    statistics, to_drink = report.statistics, report.urgencies.total
    return (
        (grouped(statistics.bottles), plural(statistics.bottles, "bouteille")),
        (grouped(statistics.references), plural(statistics.references, "référence")),
        (grouped(to_drink), f"{plural(to_drink, 'vin')} à boire"),
    )


def _wines(report: WeeklyReport, zone: ZoneInfo, limits: Limits) -> Iterator[Block]:
    if not report.urgencies.total:
        yield Sentence(text=NOTHING_TO_DRINK)
    else:
        yield Badges(badges=tuple(_counts(report.urgencies)))
    year = report.end.astimezone(zone).year
    shown = report.wines[:WINES_SHOWN]
    for wine in shown:
        yield wine_card(wine, year, limits)
    if sentence := others(report.urgencies.total - len(shown), "vin"):
        yield Sentence(text=sentence)
    if report.unassessed:
        yield Sentence(text=_unassessed(report.unassessed), hint=True)


def _counts(urgencies: UrgencyCounts) -> Iterator[Badge]:
    for badge, count in zip(
        _BADGES.values(), (urgencies.urgent, urgencies.optimal, urgencies.soon), strict=True
    ):
        if count:
            word = f"{grouped(count)} {_COUNTED[badge.tone][count > 1]}"
            yield Badge(tone=badge.tone, sign=badge.sign, word=word)


def wine_card(wine: WineToDrink, year: int, limits: Limits = FULL) -> Card:
    """Return a wine to drink in French, with the reason for its choice in the calendar year `year`."""
    peak = f"apogée\u00a0{vintage(wine.peak)}" if wine.peak is not None else ""
    parts = (
        counted(wine.quantity, "bouteille"),
        peak,
        cleaned(wine.subcategory, limits.name),
        cleaned(wine.cellar, limits.name),
    )
    return Card(
        title=titled(wine.name, wine.vintage, limits),
        badge=_BADGES[wine.urgency],
        lines=(joined(parts), f"Priorité {wine.score}/100 d’après {_basis(wine, year)}"),
        quote=in_guillemets(wine.note, limits.note),
    )


def _basis(wine: WineToDrink, year: int) -> str:
    """Return the reason for the choice, such as 'l’apogée (il y a 3 ans)'."""
    if wine.basis == "note":
        return "la note de garde"
    if wine.basis == "age":
        age = year - wine.vintage if isinstance(wine.vintage, int) else 0
        return f"l’âge ({_years(age)})" if 0 < age <= _MOST_YEARS else "l’âge"
    years_past_peak = year - wine.peak if wine.peak is not None else _MOST_YEARS + 1
    if abs(years_past_peak) > _MOST_YEARS:
        return "l’apogée"
    if years_past_peak == 0:
        return "l’apogée (cette année)"
    when = "il y a" if years_past_peak > 0 else "dans"
    return f"l’apogée ({when} {_years(abs(years_past_peak))})"


def _years(number: int) -> str:
    return f"{grouped(number)}\u00a0{plural(number, 'an')}"


def _unassessed(wines: int) -> str:
    """Return what the reader can do about wines without score."""
    remain, their, count = (
        ("reste", "son", "il comptera") if wines < 2 else ("restent", "leur", "ils compteront")
    )
    return (
        f"{counted(wines, 'vin')} {remain} hors de ce choix\u00a0: ni millésime, ni apogée, ni note de garde "
        f"n’est connu. Indiquez {their} millésime ou {their} apogée dans Cave à Vin, et {count}."
    )


def _cellars(cellars: Sequence[Cellar], limits: Limits) -> Iterator[Block]:
    if not cellars:
        yield Sentence(text=NO_CELLAR)
    for cellar in cellars[: limits.cellars]:
        yield cellar_meter(cellar, limits)
    if rest := cellars[limits.cellars :]:
        overfull = sum(map(_is_overfull, rest))
        full = f", dont {grouped(overfull)} trop {plural(overfull, 'pleine')}" if overfull else ""
        bottles = counted(sum(cellar.bottles for cellar in rest), "bouteille")
        places = counted(sum(max(0, cellar.capacity) for cellar in rest), "place")
        yield Sentence(text=f"{others(len(rest), 'cave')}{full}\u00a0: {bottles} pour {places}.")


def cellar_meter(cellar: Cellar, limits: Limits = FULL) -> Meter:
    """Return in French how full or overfull a cellar is; without a positive capacity there is no rate."""
    bottles, title = counted(cellar.bottles, "bouteille"), named(cellar.name, limits)
    if cellar.capacity <= 0:
        lines: tuple[str, ...] = (f"{bottles}, capacité inconnue",)
        return Meter(title=title, rate=0, badge=None, lines=lines)
    rate, lines = percent(cellar.fill_rate), (f"{bottles} pour {counted(cellar.capacity, 'place')}",)
    badge = Badge(tone="calm", sign="", word=rate)
    if _is_overfull(cellar):
        badge = Badge(tone="urgent", sign=_OVERFULL, word=rate)
        over = counted(cellar.bottles - cellar.capacity, "bouteille")
        lines = (*lines, f"Trop pleine\u00a0: {over} de trop")
    return Meter(title=title, rate=cellar.fill_rate, badge=badge, lines=lines)


def _is_overfull(cellar: Cellar) -> bool:
    return cellar.bottles > cellar.capacity > 0


def _week(activity: Activity, zone: ZoneInfo, limits: Limits) -> Iterator[Block]:
    if not activity.entries and not activity.exits:
        yield Sentence(text=QUIET_WEEK)
        return
    yield Sentence(text=balance(activity))
    for title, movements in ((ENTRIES, activity.entries), (EXITS, activity.exits)):
        if movements:
            yield Heading(text=title)
        for movement in movements[: limits.movements]:
            yield movement_row(movement, zone, limits)
        rest = movements[limits.movements :]
        if sentence := others(len(rest), title.lower().removesuffix("s")):
            bottles = counted(sum(movement.quantity for movement in rest), "bouteille")
            yield Sentence(text=f"{sentence}\u00a0: {bottles}.")


def balance(activity: Activity) -> str:
    """Return '6 bouteilles entrées · 2 bouteilles sorties · solde +4'."""
    entered = counted(activity.bottles_in, "bouteille entrée")
    removed = counted(activity.bottles_out, "bouteille sortie")
    sign = "+" if activity.net > 0 else ""
    return joined((entered, removed, f"solde\u00a0{sign}{grouped(activity.net)}"))


def movement_row(movement: Movement, zone: ZoneInfo, limits: Limits = FULL) -> Row:
    """Return in French bottles that came in or went out, with the day in `zone`."""
    parts = (
        french.date(movement.at.astimezone(zone)),
        cleaned(movement.region, limits.name),
        cleaned(movement.cellar, limits.name),
    )
    return Row(
        amount=f"{grouped(movement.quantity)}\u00a0×",
        title=titled(movement.name, movement.vintage, limits),
        lines=(joined(parts),),
        quote=in_guillemets(movement.comment, limits.comment),
    )
