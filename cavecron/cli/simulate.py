"""`cavecron simulate`: the outcome of each slot if the machine were down, or its clock wrong."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from cavecron.cli import log
from cavecron.cli.french_argparse import instant, number
from cavecron.cli.html_output import refuse_output_without_html, write_page
from cavecron.clock import SystemClock
from cavecron.config.settings import Settings
from cavecron.errors import UsageError
from cavecron.french import duration, short_weekday
from cavecron.jobs.loader import load, working_directory
from cavecron.simulation.models import ClockChange, Scenario, SlotOutcome, TimeRange
from cavecron.simulation.page import page
from cavecron.simulation.simulate import simulate
from cavecron.simulation.wording import outcome_words, totals
from cavecron.status.phrases import disabled
from cavecron.text import to_json

_MOST_DAYS = 366
_FIRST_YEAR, _LAST_YEAR = 2020, 2200
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "j": "days", "d": "days"}
_SPAN = re.compile(r"(?:[0-9]{1,6}(?:s|min|m|h|j|d))+")


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the outcome of each slot; exit code 0."""
    refuse_output_without_html(arguments)
    folder = working_directory()  # before a file of jobs is executed, which may change it
    settings, jobs = load(environ)
    scenario = _scenario(arguments, settings.zone)
    for warning in settings.warnings:
        print(f"cavecron : {warning}", file=sys.stderr)
    with log.silence():
        outcomes = simulate(settings, jobs, scenario)
    if arguments.json:
        print(to_json([_as_json(outcome, settings.zone) for outcome in outcomes], indent=2))
    elif arguments.html:
        write_page(page(scenario, outcomes, settings.zone), arguments.output, folder)
    else:
        print("\n".join(_report(settings, scenario, outcomes)))
    return 0


def _report(settings: Settings, scenario: Scenario, outcomes: Sequence[SlotOutcome]) -> list[str]:
    lines = [*_lines(outcomes, settings.zone), ""] if outcomes else []
    return [*_heading(settings, scenario), "", *lines, totals(outcomes)]


def _scenario(arguments: argparse.Namespace, zone: ZoneInfo) -> Scenario:
    """Return the scenario that the options describe.

    Raises:
        UsageError: an option is not valid, or they contradict each other.

    """
    days = number("--days", arguments.days, _MOST_DAYS)
    if arguments.begin is None:
        begin = SystemClock().now().replace(microsecond=0)
    else:
        begin = _instant("--from", arguments.begin, zone)
    period = TimeRange(begin=begin, end=_later(begin, days, zone))
    scenario = Scenario(
        period=period,
        down=[_period("--down", text, zone) for text in arguments.down],
        asleep=[_period("--suspend", text, zone) for text in arguments.suspend],
        steps=[_step(text, zone) for text in arguments.clock],
        lasting=_span("--duration", arguments.duration),
    )
    _check(scenario)
    return scenario


def _later(begin: datetime, days: int, zone: ZoneInfo) -> datetime:
    """Return the instant with the same local time `days` days later; a day can have 23 or 25 hours."""
    return (begin.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


def _instant(option: str, text: str, zone: ZoneInfo) -> datetime:
    """Return an aware instant in UTC; text without an offset is local time of `zone`."""
    moment = instant(option, text.strip(), zone)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise UsageError(f"{option} {text!r} : un instant de {_FIRST_YEAR} à {_LAST_YEAR} est attendu")
    return moment


def _period(option: str, text: str, zone: ZoneInfo) -> TimeRange:
    begin, slash, end = text.partition("/")
    if not slash:
        raise UsageError(
            f"{option} {text!r} : DÉBUT/FIN est attendu, comme '2026-10-25 02:40/2026-10-25 03:20'"
        )
    period = TimeRange(begin=_instant(option, begin, zone), end=_instant(option, end, zone))
    if period.begin >= period.end:
        raise UsageError(f"{option} {text!r} : la fin doit suivre le début")
    return period


def _step(text: str, zone: ZoneInfo) -> ClockChange:
    at, _blank, by = text.strip().rpartition(" ")
    if not at or by[0] not in "+-":
        raise UsageError(f"--clock {text!r} : INSTANT et écart sont attendus, comme '2026-10-25 02:40 +2h'")
    span = _span("--clock", by[1:])
    return ClockChange(at=_instant("--clock", at, zone), by=span if by[0] == "+" else -span)


def _span(option: str, text: str) -> timedelta:
    """Return a duration that is written as 90s, 10m, 1h30m or 2j."""
    if not _SPAN.fullmatch(text):
        raise UsageError(f"{option} {text!r} : une durée est attendue, comme 90s, 10m, 1h30m ou 2j")
    parts = re.findall(r"([0-9]+)([a-z]+)", text)
    span = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    if span > timedelta(days=_MOST_DAYS):
        raise UsageError(f"{option} {text!r} : {_MOST_DAYS} jours au plus")
    return span


def _check(scenario: Scenario) -> None:
    """Raise UsageError unless all events are within the period, and no downtimes overlap."""
    instants = [step.at for step in scenario.steps]
    downtimes = sorted((*scenario.down, *scenario.asleep), key=lambda period: (period.begin, period.end))
    for downtime in downtimes:
        instants += downtime.begin, downtime.end
    if instants and not scenario.period.begin <= min(instants) <= max(instants) <= scenario.period.end:
        raise UsageError(
            "--down, --suspend et --clock doivent tomber dans la période simulée (--from, --days)"
        )
    for one, other in pairwise(downtimes):
        if other.begin < one.end:
            raise UsageError("deux périodes de --down et --suspend se chevauchent")


def _heading(settings: Settings, scenario: Scenario) -> list[str]:
    zone, period = settings.zone, scenario.period
    lines = [f"Simulation, {_between(period, zone)}, fuseau {zone.key} : rien n'est exécuté."]
    lines += [f"  arrêt    {_between(down, zone)}" for down in scenario.down]
    lines += [f"  veille   {_between(asleep, zone)}" for asleep in scenario.asleep]
    for step in scenario.steps:
        by = f"+{duration(step.by)}" if step.by >= timedelta() else f"-{duration(-step.by)}"
        lines.append(f"  horloge  {by} {_local(step.at, zone)}")
    lines += [
        f"  {name} : {disabled(f'SCHEDULER_{job.prefix}_ENABLED')}" for name, job in settings.disabled.items()
    ]
    return lines


def _lines(outcomes: Sequence[SlotOutcome], zone: ZoneInfo) -> list[str]:
    width = max((len(outcome.job) for outcome in outcomes), default=0)
    lines = []
    for outcome in outcomes:
        lines.append(f"{_local(outcome.slot, zone)}  {outcome.job:<{width}}  {outcome_words(outcome, zone)}")
        lines += [f"    {log.one_line(reason)}" for reason in outcome.reasons]
    return lines


def _between(period: TimeRange, zone: ZoneInfo) -> str:
    span = duration(period.end - period.begin)
    return f"{_local(period.begin, zone)} → {_local(period.end, zone)} ({span})"


def _local(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    return f"{short_weekday(local)} {local.isoformat(' ', 'minutes' if not local.second else 'seconds')}"


def _as_json(outcome: SlotOutcome, zone: ZoneInfo) -> dict[str, object]:
    return {
        "job": outcome.job,
        "slot": outcome.slot.isoformat(),
        "local": outcome.slot.astimezone(zone).isoformat(),
        "state": outcome.state,
        "trigger": outcome.trigger,
        "started": outcome.started.isoformat() if outcome.started else None,
        "late": outcome.late.total_seconds(),
        "reasons": list(outcome.reasons),
    }
