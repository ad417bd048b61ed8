"""The section of the page for one job: its last run, a year of slots, charts, and coming slots. Pure."""

from collections.abc import Iterator

from cavecron.french import short_moment
from cavecron.status import marks
from cavecron.status.facts import (
    Facts,
    JobFacts,
    RunFacts,
    UndeliveredMail,
)
from cavecron.status.marks import mark_of
from cavecron.status.markup import Table, safe, section, table
from cavecron.status.phrases import circumstances, distance, retry
from cavecron.status.run_charts import mail_words, run_charts
from cavecron.status.year import year_part

_UNDELIVERED = {
    "sending": "en route, sort inconnu",
    "failed": "refusé",
    "deferred": "à réessayer",
    "abandoned": "sort inconnu après deux essais",
}
#: Limits for each job, so that the page stays short.
_MOST_COMING, _MOST_MAILS = 5, 50


def job_section(job: JobFacts, facts: Facts) -> str:
    """Return the section of one job."""
    content = [_summary(job, facts)]
    if job.calendar is not None and job.calendar.days:
        content.append(year_part(job.name, job.calendar, facts.zone))
    if job.series:
        content.append(run_charts(job.series, facts.zone))
    if job.coming:
        content.append(_coming(job, facts))
    if job.undelivered:
        content.append(_undelivered(job))
    return section(f"{job.name} : {job.title}", anchor(job, facts), "".join(content))


def anchor(job: JobFacts, facts: Facts) -> str:
    """Return the HTML id of the job's section; a job's name might not be a valid one."""
    return f"job-{facts.jobs.index(job) + 1}"


def run_badge(run: RunFacts, facts: Facts) -> str:
    """Return a run in one line: its mark, its result, and when it began."""
    mark = mark_of(run.state, run.trigger)
    return f"{marks.badge(mark, mark.one)}, {short_moment(run.started or run.slot, facts.zone)}"


def coming_words(job: JobFacts, facts: Facts) -> str:
    """Return when the job runs next, or, if it is disabled, which variable enables it."""
    if not job.enabled:
        return f"désactivé : <code>{safe(job.variable)}=1</code> l’active"
    if not job.coming:
        return "aucun"
    at = job.coming[0].at
    return f"{short_moment(at, facts.zone)}, {distance(at - facts.now)}"


def _summary(job: JobFacts, facts: Facts) -> str:
    rows = [("Planifié", f"{safe(job.schedule)} ({safe(facts.zone.key)})" if job.enabled else "")]
    rows.append(("Prochain créneau", coming_words(job, facts)))
    if job.last_run:
        rows.append(("Dernier passage", _last_run(job.last_run, facts)))
        rows.append(("Ses mails", safe(mail_words(job.last_run.mails))))
    else:
        rows.append(("Dernier passage", "pas encore passé"))
    rows.append(("Sans rapport", ", ".join(_without_report(job))))
    if job.last_success and (job.last_run is None or job.last_run.state != "succeeded"):
        rows.append(("Dernière réussite", short_moment(job.last_success, facts.zone)))
    listed = "".join(f"<dt>{term}</dt><dd>{words}</dd>\n" for term, words in rows if words)
    return f"<dl>\n{listed}</dl>\n"


def _without_report(job: JobFacts) -> Iterator[str]:
    if job.without_address:
        users = "utilisateurs" if job.without_address > 1 else "utilisateur"
        yield f"{job.without_address} {users} sans adresse e-mail"
    if job.excluded:
        excluded = "exclus" if job.excluded > 1 else "exclu"
        yield f"{job.excluded} {excluded} par <code>SCHEDULER_WEEKLY_REPORT_EXCLUDE</code>"


def _last_run(run: RunFacts, facts: Facts) -> str:
    lines = [run_badge(run, facts), safe(", ".join(circumstances(run, facts.zone)))]
    lines += [safe(text) for text in (run.summary, run.reason) if text]
    if run.retry_at:
        lines.append(retry(run.retry_at, facts.zone))
    return "<br>".join(lines)


def _coming(job: JobFacts, facts: Facts) -> str:
    """Return a table of the next slots, and of later ones that a clock change affects."""
    shown = [slot for place, slot in enumerate(job.coming) if place < _MOST_COMING or slot.note]
    noted = any(slot.note for slot in shown)
    rows = []
    for slot in shown:
        note = f"<strong>⚠ {safe(slot.note)}</strong>" if slot.note else "–"
        row = (short_moment(slot.at, facts.zone), distance(slot.at - facts.now))
        rows.append((*row, note) if noted else row)
    columns = ("Créneau", "Dans", *(("Changement d’heure",) if noted else ()))
    return "<h3>Créneaux à venir</h3>\n" + table(
        Table(caption=f"Fuseau {facts.zone.key}", columns=columns, rows=rows, stacked=noted)
    )


def _undelivered(job: JobFacts) -> str:
    shown = job.undelivered[:_MOST_MAILS]
    more = len(job.undelivered) - len(shown) + job.undelivered_more
    caption = "Au dernier passage" + (f" ; et {more} de plus" if more else "")
    return "<h3>Qui n’a pas eu son mail</h3>\n" + table(
        Table(
            caption=caption,
            columns=("Qui", "Sort du mail", "Pourquoi"),
            rows=[_undelivered_row(mail) for mail in shown],
            stacked=True,
        )
    )


def _undelivered_row(mail: UndeliveredMail) -> tuple[str, str, str]:
    return safe(mail.recipient), _UNDELIVERED[mail.state], safe(mail.reason or "–")
