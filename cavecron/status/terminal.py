"""The facts as text for a terminal. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from textwrap import wrap

from cavecron.french import WEEKDAYS, local_minute, local_moment
from cavecron.ledger.states import State
from cavecron.status.coming_slots import ComingSlot
from cavecron.status.facts import Facts, JobFacts, MailCounts, RunFacts, SlotFacts
from cavecron.status.phrases import REPEATED, STATES, circumstances, disabled, distance, retry
from cavecron.text import plain

#: Columns of a terminal; on a wider one long lines would be harder to read.
WIDTH = 80
#: With more jobs each has three lines, and with still more one line, so that all fit on one screen.
_MOST_DETAILED_JOBS, _MOST_BRIEF_JOBS = 4, 10
_LONGEST_NAME = 24
_LONGEST_PARAGRAPH = 10 * WIDTH
#: Stands before a colon or a semicolon, which must not begin a line in French.
_NO_BREAK = "\u00a0"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paragraph:
    """A text that may need several lines: `indent` blanks before each, `hanging` more from the second on.

    One that is `whole`, a command, stays on one line, so that it can be copied.
    """

    text: str
    indent: int = 0
    hanging: int = 0
    whole: bool = False


_BLANK = _Paragraph(text="")


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


def screen(facts: Facts, signs: Signs, width: int = WIDTH) -> Iterator[str]:
    """Yield lines of `width` characters at most, unless a word is longer: all that a person has to know."""
    for paragraph in _paragraphs(facts, signs):
        yield from _wrapped(paragraph, width)


def _paragraphs(facts: Facts, signs: Signs) -> Iterator[_Paragraph]:
    """Yield the scheduler, each job, the legend, and the problems that a person has to solve."""
    yield _Paragraph(text=f"Cave à Vin, {local_moment(facts.now, facts.zone)} ({facts.zone.key})")
    yield _Paragraph(text=_scheduler(facts, signs), hanging=2)
    if len(facts.jobs) > _MOST_BRIEF_JOBS:
        yield _BLANK
        width = min(_LONGEST_NAME, max(len(job.name) for job in facts.jobs))
        yield from (_Paragraph(text=_row(job, facts, signs, width), hanging=2) for job in facts.jobs)
    elif len(facts.jobs) > _MOST_DETAILED_JOBS:
        yield _BLANK
        for job in facts.jobs:
            yield from _brief_job(job, facts, signs)
    else:
        for job in facts.jobs:
            yield _BLANK
            yield from _job(job, facts, signs)
    if facts.backup is not None:
        yield _BLANK
        age = distance(-facts.backup.age)
        yield _Paragraph(
            text=f"Dernière copie de la base : {_local(facts.backup.made, facts)}, {age}", hanging=2
        )
    if any(job.recent or job.last_run for job in facts.jobs):
        yield _BLANK
        yield _Paragraph(text=signs.legend)
    yield from _problems(facts)


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
        slots = "aucun créneau en souffrance" if facts.healthy else "des créneaux sont en souffrance"
        sign = signs.succeeded if facts.healthy else signs.failed
        started = f"démarré le {_local(scheduler.since, facts)} " if scheduler.since else ""
        return f"{sign} Planificateur {started}sur {plain(scheduler.host, 40)} (invisible d'ici) : {slots}"
    return f"{signs.missed} Aucun planificateur n'a encore démarré sur cette base"


def _job(job: JobFacts, facts: Facts, signs: Signs) -> Iterator[_Paragraph]:
    """Yield one job in detail."""
    yield _heading(job)
    run = job.last_run
    if run is not None:
        yield _Paragraph(text=f"{signs.of(run)} {_run(run, facts)}", indent=2, hanging=2)
        yield from (_Paragraph(text=text, indent=4) for text in _run_details(run, facts))
    else:
        yield _Paragraph(text="Pas encore exécuté", indent=2)
    if not job.enabled:
        yield _Paragraph(text=disabled(job.variable), indent=2)
    elif job.coming:
        yield _Paragraph(text=f"prochain créneau : {_coming(job.coming[0], facts)}", indent=2, hanging=2)
    if job.recent:
        yield _Paragraph(text=_strip(job, signs), indent=2)


def _brief_job(job: JobFacts, facts: Facts, signs: Signs) -> Iterator[_Paragraph]:
    """Yield one job in three lines: its schedule, its last run (and why it failed), and its slots."""
    yield _heading(job)
    run = job.last_run
    if run is not None:
        mails = _mails(run.mails) if run.mails.total else ()
        words = (_run(run, facts), *mails, *_repeated_and_retry(run, facts))
        yield _Paragraph(text=f"{signs.of(run)} {', '.join(words)}", indent=2, hanging=2)
        if run.reason:
            yield _Paragraph(text=plain(run.reason, WIDTH - 4), indent=4)
    else:
        yield _Paragraph(text="Pas encore exécuté", indent=2)
    coming = f"-> {_coming(job.coming[0], facts)}" if job.coming else ""
    slots = (_strip(job, signs), coming if job.enabled else disabled(job.variable))
    if any(slots):
        yield _Paragraph(text="  ".join(filter(None, slots)), indent=2, hanging=2)


def _heading(job: JobFacts) -> _Paragraph:
    return _Paragraph(text=f"{job.name} ({job.title}) : {job.schedule}", hanging=2)


def _strip(job: JobFacts, signs: Signs) -> str:
    """Return the signs of the last slots."""
    return "".join(signs.of(slot) for slot in job.recent)


def _run(run: RunFacts, facts: Facts) -> str:
    state = STATES.get(run.state, run.state)
    return f"{_local(run.slot, facts)} {state} : {', '.join(circumstances(run, facts.zone))}"


def _run_details(run: RunFacts, facts: Facts) -> Iterator[str]:
    yield from (plain(text, 2 * (WIDTH - 4)) for text in (run.summary, run.reason) if text)
    if run.mails.total:
        yield ", ".join(_mails(run.mails))
    yield from _repeated_and_retry(run, facts)


def _repeated_and_retry(run: RunFacts, facts: Facts) -> Iterator[str]:
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


def _problems(facts: Facts) -> Iterator[_Paragraph]:
    if not facts.needs:
        return
    yield _BLANK
    yield _Paragraph(text="À faire :")
    for command, problems in groupby(facts.needs, attrgetter("command")):
        yield from (_Paragraph(text=problem.sentence, indent=2, hanging=2) for problem in problems)
        yield _Paragraph(text=command, indent=6, whole=True)


def _wrapped(paragraph: _Paragraph, width: int) -> Sequence[str]:
    """Return the lines of a paragraph; all that others wrote in it is on one line, and printable."""
    text = paragraph.text
    if not text.isprintable() or len(text) > _LONGEST_PARAGRAPH:
        text = plain(text, _LONGEST_PARAGRAPH)
    if paragraph.whole:
        return [" " * paragraph.indent + text]
    lines = wrap(
        text.replace(" :", f"{_NO_BREAK}:").replace(" ;", f"{_NO_BREAK};"),
        width,
        initial_indent=" " * paragraph.indent,
        subsequent_indent=" " * (paragraph.indent + paragraph.hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in lines] or [""]


def _local(instant: datetime | None, facts: Facts) -> str:
    return "" if instant is None else local_minute(instant, facts.zone)
