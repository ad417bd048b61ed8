"""The facts in Prometheus' text format, for node_exporter's textfile collector. Pure.

Names and units follow https://prometheus.io/docs/practices/naming/, the format is
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format. The numbers of slots and
mails are gauges, without `_total`, because they can fall: a run that is tried again changes its state, and
old runs are deleted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cavecron.status.facts import Facts, JobFacts
from cavecron.status.phrases import STATES

Samples = Iterable[tuple[Mapping[str, str], float | None]]
_MAIL_STATES = ("sent", "failed", "deferred", "unknown")
_RUN_STATES = tuple(state for state in STATES if state != "missed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gauge:
    """A metric: its name, its help text, and its samples with their labels; values of None are left out."""

    name: str
    help: str
    samples: Samples


def metrics(facts: Facts) -> str:
    """Return the text of all metrics that have a sample."""
    return "".join(line for gauge in _gauges(facts) for line in _lines(gauge))


def _lines(gauge: _Gauge) -> Iterator[str]:
    samples = [(labels, value) for labels, value in gauge.samples if value is not None]
    if not samples:
        return
    yield f"# HELP cavecron_{gauge.name} {gauge.help}\n"
    yield f"# TYPE cavecron_{gauge.name} gauge\n"
    for labels, value in samples:
        named = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"cavecron_{gauge.name}{f'{{{named}}}' if named else ''} {_number(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    """Return a number without exponent, exact to the microsecond."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _gauges(facts: Facts) -> Iterator[_Gauge]:
    yield from _whole(facts)
    if facts.trouble is None:
        yield from _runs(facts.jobs)
        yield from _counts(facts.jobs)


def _whole(facts: Facts) -> Iterator[_Gauge]:
    scheduler, backup = facts.scheduler, facts.backup
    # A scheduler in another container cannot be seen; it counts as up as long as no slot is overdue.
    up = facts.trouble is None and (
        scheduler.state == "up" or (scheduler.state == "unknown" and facts.healthy)
    )
    since = scheduler.since if up else None
    for name, text, value in (
        ("scheduler_up", "Whether the scheduler is there, as far as can be seen.", float(up)),
        ("scheduler_start_time_seconds", "When the scheduler was started.", _unix(since)),
        ("database_up", "Whether the database of Cave à Vin could be read.", float(facts.trouble is None)),
        (
            "slots_overdue",
            "Jobs with a slot that nobody has accounted for.",
            float(len(facts.overdue)) if facts.trouble is None else None,
        ),
        (
            "backup_timestamp_seconds",
            "When the newest good backup was made.",
            _unix(backup.made if backup else None),
        ),
        ("status_timestamp_seconds", "When these figures were collected.", _unix(facts.now)),
    ):
        yield _Gauge(name=name, help=text, samples=[({}, value)])
    yield _Gauge(
        name="build_info", help="The version of cavecron.", samples=[({"version": facts.version}, 1.0)]
    )
    yield _Gauge(
        name="job_enabled",
        help="Whether the scheduler runs the job.",
        samples=[({"job": job.name}, float(job.enabled)) for job in facts.jobs],
    )
    yield _Gauge(
        name="next_slot_timestamp_seconds",
        help="When the job comes next; in the past, nobody has taken that slot.",
        samples=[({"job": job.name}, _unix(job.coming[0].at)) for job in facts.jobs if job.coming],
    )


def _runs(jobs: Iterable[JobFacts]) -> Iterator[_Gauge]:
    """Yield the metrics of each job's last run."""
    last_runs = [({"job": job.name}, job.last_run) for job in jobs if job.last_run]
    yield _Gauge(
        name="run_last_success_timestamp_seconds",
        help="When the last run that succeeded as a whole ended.",
        samples=[({"job": job.name}, _unix(job.last_success)) for job in jobs],
    )
    yield _Gauge(
        name="run_start_timestamp_seconds",
        help="When the last run began.",
        samples=[(labels, _unix(run.started)) for labels, run in last_runs],
    )
    yield _Gauge(
        name="run_duration_seconds",
        help="How long the last run took.",
        samples=[(labels, _seconds(run.duration)) for labels, run in last_runs],
    )
    yield _Gauge(
        name="run_lateness_seconds",
        help="How late the last run began after its slot.",
        samples=[(labels, _seconds(run.lateness)) for labels, run in last_runs],
    )
    yield _Gauge(
        name="run_state",
        help="The state of the last run: 1 for the one that it is in.",
        samples=[
            ({**labels, "state": state}, float(run.state == state))
            for labels, run in last_runs
            for state in _RUN_STATES
        ],
    )


def _counts(jobs: Sequence[JobFacts]) -> Iterator[_Gauge]:
    yield _Gauge(
        name="slots",
        help="Past slots that the ledger knows, by what became of them.",
        samples=[
            ({"job": job.name, "state": state}, float(job.slots[state]))
            for job in jobs
            for state in job.slots
        ],
    )
    mailed = [({"job": job.name}, job.last_run.mails) for job in jobs if job.last_run]
    yield _Gauge(
        name="mails",
        help="Mails of the last run, by what became of them.",
        samples=[
            ({**labels, "state": state}, float(getattr(mails, state)))
            for labels, mails in mailed
            if mails.total
            for state in _MAIL_STATES
        ],
    )
    yield _Gauge(
        name="mails_repeated",
        help="How often a mail of the last run was sent again in doubt, under the same Message-ID.",
        samples=[(labels, float(mails.repeated)) for labels, mails in mailed if mails.total],
    )


def _unix(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
