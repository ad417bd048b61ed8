"""The result of a simulation as one HTML page: a timeline day by day, and the same in a table. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from cavecron import french
from cavecron.french import short_date, short_time
from cavecron.simulation.models import Scenario, SlotOutcome
from cavecron.simulation.timeline import SlotGroup, TimelineDay, Trouble, in_a_row, timeline, troubles
from cavecron.simulation.wording import kind, outcome_words, totals, word
from cavecron.status import marks
from cavecron.status.lanes import Band, Lane, Slots, lane, swatch
from cavecron.status.markup import Table, document, safe, section, table

_MARKS = {
    "succeeded": marks.SUCCEEDED,
    "made up": marks.MADE_UP,
    "missed": marks.MISSED,
    "failed": marks.FAILED,
    "interrupted": marks.INTERRUPTED,
    "running": marks.RUNNING,
    "pending": marks.RUNNING,
}
_TROUBLES = {"down": "cavecron est arrêté", "asleep": "la machine dort", "jump": "l’horloge est déréglée"}
_MOST_ROWS = 400
#: In a period of more than 14 days, 3 or more days in a row on which all slots ran on time share one line.
_SHORT_PERIOD, _QUIET_DAYS = 14, 3


def page(scenario: Scenario, outcomes: Sequence[SlotOutcome], zone: ZoneInfo) -> str:
    """Return the page; all times on it are by the machine's clock, in `zone`."""
    days = timeline(scenario, outcomes, zone)
    content = [
        _header(scenario, zone),
        "<main>\n",
        _verdict(outcomes),
        section("Ce qui arrive à la machine", "machine", _machine(scenario, zone)),
        section("Jour par jour", "jours", _timeline(days, outcomes, zone)),
        section("Les créneaux, et pourquoi", "creneaux", _slots_table(outcomes, zone)),
        "</main>\n",
    ]
    return document("Simulation du planificateur", "".join(content))


def _header(scenario: Scenario, zone: ZoneInfo) -> str:
    period = scenario.period
    begin, end = period.begin.astimezone(zone), period.end.astimezone(zone)
    span = french.duration(period.end - period.begin)
    lasting = french.duration(scenario.lasting)
    return (
        "<header><h1>Simulation du planificateur</h1>\n"
        f"<p>Du {french.moment(begin)} au {french.moment(end)} ({span}), fuseau {safe(zone.key)}."
        f' Chaque exécution dure {lasting}. <span class="soft">Rien n’est exécuté.</span></p></header>\n'
    )


def _verdict(outcomes: Sequence[SlotOutcome]) -> str:
    """Return the section that says whether anything would be lost."""
    kinds = Counter(map(kind, outcomes))
    lost = [name for name in ("failed", "interrupted", "missed", "pending") if kinds[name]]
    if not outcomes:
        title, trouble = "Aucun créneau dans cette période", ""
    elif lost:
        counts = ", ".join(f"{kinds[name]} {word(name, kinds[name])}" for name in lost)
        title, trouble = f"✗ Tout ne serait pas fait : {counts}", " trouble"
    elif kinds["made up"]:
        title, trouble = "✓ Rien ne serait perdu : tout est fait, en partie avec du retard", ""
    else:
        title, trouble = "✓ Tout se ferait à l’heure", ""
    items = "".join(
        f"<li>{marks.badge(_MARKS[name], f'{number} {word(name, number)}')}</li>"
        for name, number in kinds.items()
    )
    figures = f'<ul class="figures" aria-label="{safe(totals(outcomes))}">{items}</ul>' if items else ""
    return (
        f'<section class="verdict{trouble}" aria-labelledby="verdict"><h2 id="verdict">{title}</h2>\n'
        f"{figures}</section>\n"
    )


def _machine(scenario: Scenario, zone: ZoneInfo) -> str:
    rows = [(_when(one.begin, one.end, zone), _trouble(one)) for one in troubles(scenario)]
    if not rows:
        return "<p>Rien : elle reste allumée, et son horloge est juste.</p>\n"
    return table(
        Table(caption="À l’heure de sa propre horloge", columns=("Quand", "Ce qui arrive"), rows=rows)
    )


def _trouble(trouble: Trouble) -> str:
    """Return in French what happens to the machine, and for how long by its clock."""
    if trouble.kind != "jump":
        return f"{_TROUBLES[trouble.kind]} ({french.duration(trouble.end - trouble.begin)})"
    if trouble.by > timedelta():
        return f"l’horloge avance de {french.duration(trouble.by)} : ces heures ne passent pas"
    return f"l’horloge recule de {french.duration(-trouble.by)} : ces heures passent deux fois"


def _timeline(days: Sequence[TimelineDay], outcomes: Sequence[SlotOutcome], zone: ZoneInfo) -> str:
    longest = max(day.end - day.begin for day in days)
    parts = [_legend(days, outcomes)]
    for day_kind, group in groupby(days, key=lambda day: _fold(day, len(days))):
        days_in_a_row = list(group)
        if day_kind and (day_kind == "empty" or len(days_in_a_row) >= _QUIET_DAYS):
            parts.append(_folded_days(days_in_a_row))
        else:
            parts += [_day(day, longest, zone) for day in days_in_a_row]
    return "".join(parts)


def _legend(days: Sequence[TimelineDay], outcomes: Sequence[SlotOutcome]) -> str:
    kinds = dict.fromkeys(map(kind, outcomes))
    trouble_kinds = {trouble.kind for day in days for trouble in day.troubles}
    return marks.legend(
        [marks.badge(_MARKS[name], word(name)) for name in _MARKS if name in kinds]
        + [swatch(name, words) for name, words in _TROUBLES.items() if name in trouble_kinds]
    )


def _fold(day: TimelineDay, number: int) -> str:
    """Return why a day is not drawn: 'empty', or 'quiet' in a long period; '' if it is drawn."""
    if not day.slots and not day.troubles:
        return "empty"
    return "quiet" if day.quiet and number > _SHORT_PERIOD else ""


def _folded_days(days: Sequence[TimelineDay]) -> str:
    first, last = days[0].day, days[-1].day
    when = short_date(first) if first == last else f"{short_date(first)} → {short_date(last)}"
    slots = sum(day.slots for day in days)
    words = f"{slots} créneaux, tous à l’heure" if slots else "aucun créneau"
    return f'<p class="fold">{when} : {words}</p>\n'


def _day(day: TimelineDay, longest: timedelta, zone: ZoneInfo) -> str:
    """Draw a day: the hours, the machine if something happens to it, and each job that has slots."""
    hours = (day.end - day.begin) / timedelta(hours=1)
    note = "" if hours == 24 else f'<span class="soft">{hours:g} heures : l’heure change</span>'
    rows = [f"<h3>{short_date(day.day)}{note}</h3>{_hours(day, longest, zone)}"]
    ticks = [position for position, _hour in _ticks(day, longest, zone)]
    width = (day.end - day.begin) / longest
    if day.troubles:
        bands = [_band(trouble, day, longest, zone) for trouble in day.troubles]
        label = "machine : " + " ; ".join(band.title for band in bands)
        svg = lane(Lane(label=label, width=width, bands=bands, ticks=ticks))
        rows.append(f'<span class="lane-name">machine</span>{svg}')
    for name, groups in day.jobs:
        slots = [_slots(group, day, longest, zone) for group in groups]
        label = f"{name} : " + " ; ".join(slot.title for slot in slots)
        svg = lane(Lane(label=label, width=width, slots=slots, ticks=ticks))
        rows.append(f'<span class="lane-name">{safe(name)}</span>{svg}')
    return f'<div class="day">{"".join(rows)}</div>\n'


def _hours(day: TimelineDay, longest: timedelta, zone: ZoneInfo) -> str:
    texts = "".join(
        f'<text x="{100 * position:.5g}%" y="12">{hour} h</text>'
        for position, hour in _ticks(day, longest, zone)
    )
    return f'<svg class="lane hours" aria-hidden="true">{texts}</svg>\n'


def _ticks(day: TimelineDay, longest: timedelta, zone: ZoneInfo) -> Iterator[tuple[float, int]]:
    """Yield the position of every sixth local hour as a fraction of the width, and the hour."""
    for hour in range(0, 24, 6):
        local = datetime(day.day.year, day.day.month, day.day.day, hour, tzinfo=zone)
        yield (local - day.begin) / longest, hour


def _band(trouble: Trouble, day: TimelineDay, longest: timedelta, zone: ZoneInfo) -> Band:
    begin, end = max(trouble.begin, day.begin), min(trouble.end, day.end)
    return Band(
        begin=(begin - day.begin) / longest,
        end=(end - day.begin) / longest,
        kind=trouble.kind,
        title=f"{_when(trouble.begin, trouble.end, zone)}, {_trouble(trouble)}",
    )


def _slots(group: SlotGroup, day: TimelineDay, longest: timedelta, zone: ZoneInfo) -> Slots:
    started = group.first.started if group.kind == "made up" else None
    ran = min((started - day.begin) / longest, 1.0) if started else None
    words = [f"{_when(group.first.slot, group.last.slot, zone, day=False)} {_words(group, zone)}"]
    return Slots(
        begin=(group.first.slot - day.begin) / longest,
        end=(group.last.slot - day.begin) / longest,
        mark=_MARKS[group.kind],
        title=" : ".join((*words, *group.reasons)),
        run_at=ran,
    )


def _slots_table(outcomes: Sequence[SlotOutcome], zone: ZoneInfo) -> str:
    groups = in_a_row(outcomes)
    rows = [
        (
            _when(group.first.slot, group.last.slot, zone),
            safe(group.first.job),
            marks.badge(_MARKS[group.kind], _words(group, zone)),
            "<br>".join(map(safe, group.reasons)) or "–",
        )
        for group in groups[:_MOST_ROWS]
    ]
    caption = f"{totals(outcomes)}. Ceux qui se suivent et finissent de même sont sur une ligne."
    more = len(groups) - len(rows)
    hint = f"<p>{more} autres lignes : <code>cavecron simulate --json</code> les donne toutes.</p>\n"
    columns = ("Créneau", "Job", "Résultat", "Pourquoi")
    return table(Table(caption=caption, columns=columns, rows=rows, stacked=True)) + (hint if more else "")


def _words(group: SlotGroup, zone: ZoneInfo) -> str:
    number = len(group.outcomes)
    return outcome_words(group.first, zone) if number == 1 else f"{number} {word(group.kind, number)}"


def _when(begin: datetime, end: datetime, zone: ZoneInfo, *, day: bool = True) -> str:
    """Return an instant, or a period, in local time; the day of its end only if it is another one."""
    first, last = begin.astimezone(zone), end.astimezone(zone)
    words = f"{short_date(first)} {short_time(first)}" if day else short_time(first)
    if begin == end:
        return words
    last_day = "" if first.date() == last.date() else f"{short_date(last)} "
    return f"{words} → {last_day}{short_time(last)}"
