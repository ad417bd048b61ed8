"""Charts of the durations of runs and of the results of their mails, and the same in a table. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from cavecron.french import exact_duration, short_moment
from cavecron.status.charts import Bar, BarChart, bars
from cavecron.status.facts import MailCounts, RunFacts
from cavecron.status.marks import mark_of
from cavecron.status.markup import Table, folded, safe, table

#: No chart is drawn of fewer runs.
_FEWEST = 3


def run_charts(series: Sequence[RunFacts], zone: ZoneInfo) -> str:
    """Return the charts of runs that have ended, given oldest first, and the same in a table."""
    runs = [run for run in series if run.duration is not None]
    charts = [("Durée", _durations(runs, zone))] if len(runs) >= _FEWEST else []
    if len(series) >= _FEWEST and any(run.mails.total for run in series):
        charts.append(("Mails", _mail_bars(series, zone)))
    divs = "".join(f"<div><h3>{title} par exécution</h3>\n{bars(chart)}</div>\n" for title, chart in charts)
    number = len(series)
    title = (
        f"Les {number} dernières exécutions en tableau" if number > 1 else "La dernière exécution en tableau"
    )
    charts_section = f'<div class="charts">\n{divs}</div>\n' if divs else ""
    return charts_section + folded(title, _runs_table(series, zone))


def _durations(runs: Sequence[RunFacts], zone: ZoneInfo) -> BarChart:
    lengths = [run.duration or timedelta() for run in runs]
    longest = exact_duration(max(lengths))
    return BarChart(
        label=f"Durée des {len(runs)} dernières exécutions : {longest} au plus,"
        f" la dernière {exact_duration(lengths[-1])}",
        top=f"{longest} au plus",
        first=_short_day(runs[0], zone),
        last=_short_day(runs[-1], zone),
        bars=[
            Bar(value=length.total_seconds(), title=f"{_run_moment(run, zone)} : {exact_duration(length)}")
            for run, length in zip(runs, lengths, strict=True)
        ],
    )


def _mail_bars(runs: Sequence[RunFacts], zone: ZoneInfo) -> BarChart:
    most = max(run.mails.total for run in runs)
    undelivered = sum(run.mails.total - run.mails.sent for run in runs)
    result = f"{undelivered} non remis, en hachures" if undelivered else "tous remis"
    return BarChart(
        label=f"Mails des {len(runs)} dernières exécutions : {most} au plus, {result}",
        top=f"{most} mails au plus, {result}" if most > 1 else result,
        first=_short_day(runs[0], zone),
        last=_short_day(runs[-1], zone),
        bars=[
            Bar(
                value=run.mails.total,
                hatched=run.mails.total - run.mails.sent,
                title=f"{_run_moment(run, zone)} : {mail_words(run.mails) or 'aucun mail'}",
            )
            for run in runs
        ],
    )


def _run_moment(run: RunFacts, zone: ZoneInfo) -> str:
    return short_moment(run.started or run.slot, zone)


def _short_day(run: RunFacts, zone: ZoneInfo) -> str:
    return f"{(run.started or run.slot).astimezone(zone):%d/%m/%Y}"


def _runs_table(runs: Sequence[RunFacts], zone: ZoneInfo) -> str:
    with_mails = any(run.mails.total for run in runs)
    rows = []
    for run in reversed(runs):
        words = mark_of(run.state, run.trigger).one + (", à la main" if run.trigger == "manual" else "")
        length = exact_duration(run.duration) if run.duration is not None else "–"
        row = (_run_moment(run, zone), safe(words), length)
        rows.append((*row, safe(mail_words(run.mails) or "–")) if with_mails else row)
    columns = ("Démarrage", "Résultat", "Durée", *(("Mails",) if with_mails else ()))
    return table(Table(caption="La plus récente d’abord", columns=columns, rows=rows))


def mail_words(counts: MailCounts) -> str:
    """Return in French the results of the mails of a run; '' if it had none."""
    words = (
        (counts.sent, "remis"),
        (counts.failed, "en échec"),
        (counts.deferred, "remis à plus tard"),
        (counts.unknown, "au sort inconnu"),
        (counts.repeated, "envoyés à nouveau" if counts.repeated > 1 else "envoyé à nouveau"),
    )
    return ", ".join(f"{number} {word}" for number, word in words if number)
