"""The facts as text for a terminal of 80 columns. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap

from cavecron.french import WEEKDAYS, moment
from cavecron.ledger.models import State
from cavecron.status.coming import ComingSlot
from cavecron.status.facts import Facts, JobFacts, MailCounts, RunFacts, SlotFacts
from cavecron.status.phrases import REPEATED, STATES, circumstances, disabled, distance, retry
from cavecron.text import plain

_WIDTH = 80
#: With more jobs, each is shown on one line, so that all fit on one screen.
_MOST_IN_DETAIL = 4
_LONGEST_NAME = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """One sign for each outcome of a slot."""

    succeeded: str = "✓"
    failed: str = "✗"
    again: str = "↻"
    missed: str = "–"

    def of(self, slot: SlotFacts | RunFacts) -> str:
        """Return the sign of a slot or a run; `again` if it runs, or will be tried again."""
        if slot.state == "running" or slot.retry_at is not None:
            return self.again
        signs: Mapping[State, str] = {"succeeded": self.succeeded, "missed": self.missed}
        return signs.get(slot.state, self.failed)

    @property
    def legend(self) -> str:
        """Return in French what the signs mean."""
        return (
            f"{self.succeeded} réussi  {self.failed} échec ou interrompu"
            f"  {self.again} en cours ou nouvelle tentative  {self.missed} manqué"
        )


#: For a terminal that can show only ASCII.
ASCII_SIGNS = Signs(succeeded="+", failed="x", again="~", missed="-")


def signs_for(encoding: str | None) -> Signs:
    """Return the signs that a stream of this encoding can show; None is a stream that takes any text."""
    try:
        Signs().legend.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ASCII_SIGNS
    return Signs()


def screen(facts: Facts, signs: Signs) -> Iterator[str]:
    """Yield the lines: the scheduler, each job, the legend, and the problems that a person has to solve."""
    yield f"Cave à Vin, {moment(facts.now.astimezone(facts.zone))} ({facts.zone.key})"
    yield from _wrapped(_scheduler(facts, signs), "  ")
    if len(facts.jobs) <= _MOST_IN_DETAIL:
        for job in facts.jobs:
            yield ""
            yield from _job(job, facts, signs)
    else:
        yield ""
        width = min(_LONGEST_NAME, max(len(job.name) for job in facts.jobs))
        yield from (_row(job, facts, signs, width) for job in facts.jobs)
    if facts.backup is not None:
        yield ""
        age = distance(-facts.backup.age)
        yield f"Dernière copie de la base : {_local(facts.backup.made, facts)}, {age}"
    if any(job.recent or job.last_run for job in facts.jobs):
        yield ""
        yield signs.legend
    yield from _needs(facts)


def _scheduler(facts: Facts, signs: Signs) -> str:
    scheduler = facts.scheduler
    since = f" depuis le {_local(scheduler.since, facts)}" if scheduler.since else ""
    if facts.trouble is not None:
        return f"{signs.failed} Base illisible : on ne sait pas ce qui tourne"
    if scheduler.state == "up":
        return f"{signs.succeeded} Planificateur en marche{since}"
    if scheduler.state == "down":
        return f"{signs.failed} Planificateur arrêté{since}"
    if scheduler.state == "unknown":
        seen = "aucun créneau en souffrance" if facts.healthy else "des créneaux sont en souffrance"
        sign = signs.succeeded if facts.healthy else signs.failed
        started = f"démarré le {_local(scheduler.since, facts)} " if scheduler.since else ""
        return f"{sign} Planificateur {started}sur {plain(scheduler.host, 40)} (invisible d'ici) : {seen}"
    return f"{signs.missed} Aucun planificateur n'a encore démarré sur cette base"


def _job(job: JobFacts, facts: Facts, signs: Signs) -> Iterator[str]:
    """Yield the lines of one job in detail."""
    yield from _wrapped(f"{job.name} ({job.title}) : {job.schedule}", "  ")
    run = job.last_run
    if run is not None:
        yield from _wrapped(f"{signs.of(run)} {_run(run, facts)}", "  ", indent="  ")
        yield from (line for text in _run_details(run, facts) for line in _wrapped(text, "", indent="    "))
    else:
        yield "  Pas encore exécuté"
    if not job.enabled:
        yield f"  {disabled(job.variable)}"
    elif job.coming:
        yield from _wrapped(f"prochain créneau : {_coming(job.coming[0], facts)}", "  ", indent="  ")
    if job.recent:
        yield f"  {''.join(signs.of(slot) for slot in job.recent)}"


def _run(run: RunFacts, facts: Facts) -> str:
    state = STATES.get(run.state, run.state)
    return f"{_local(run.slot, facts)} {state} : {', '.join(circumstances(run, facts.zone))}"


def _run_details(run: RunFacts, facts: Facts) -> Iterator[str]:
    yield from (plain(text, 2 * (_WIDTH - 4)) for text in (run.summary, run.reason) if text)
    if run.mails.total:
        yield ", ".join(_mails(run.mails))
    if run.mails.repeated:
        yield f"{REPEATED} : {run.mails.repeated}"
    if run.retry_at:
        yield retry(run.retry_at, facts.zone)


def _mails(mails: MailCounts) -> Iterator[str]:
    yield f"mails : {mails.sent} remis"
    yield f"{mails.failed} en échec"
    if mails.deferred:
        yield f"{mails.deferred} remis à plus tard"
    if mails.unknown:
        yield f"{mails.unknown} au sort inconnu"


def _coming(slot: ComingSlot, facts: Facts) -> str:
    note = f" ({slot.note})" if slot.note else ""
    return (
        f"{WEEKDAYS[slot.local.weekday()]} {slot.local:%Y-%m-%d %H:%M}, {distance(slot.at - facts.now)}{note}"
    )


def _row(job: JobFacts, facts: Facts, signs: Signs, width: int) -> str:
    """Return one line for a job: its name, its last run, and its next slot."""
    run = job.last_run
    if run is None:
        last = f"{' ':1} {'pas encore exécuté':27}"
    else:
        last = f"{signs.of(run)} {_local(run.slot, facts)} {STATES.get(run.state, run.state):10}"
    coming = (
        f"{job.coming[0].local:%Y-%m-%d %H:%M}" if job.coming else "jamais" if job.enabled else "désactivé"
    )
    return f"{plain(job.name, width):{width}} {last} -> {coming}".rstrip()


def _needs(facts: Facts) -> Iterator[str]:
    if not facts.needs:
        return
    yield ""
    yield "À faire :"
    for need in facts.needs:
        yield from _wrapped(need.sentence, "    ", indent="  ")
        yield f"      {need.command}"


def _wrapped(text: str, hanging: str, *, indent: str = "") -> Sequence[str]:
    """Return lines of at most 80 characters; those after the first are indented by `hanging` as well."""
    text = plain(text, 10 * _WIDTH)
    return wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _local(instant: datetime | None, facts: Facts) -> str:
    return "" if instant is None else f"{instant.astimezone(facts.zone):%Y-%m-%d %H:%M}"
