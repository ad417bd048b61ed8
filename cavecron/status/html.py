"""The facts as one HTML page: a verdict with what a person has to do, then a section for each job.

It names users only if the facts do. It does not know where the facts come from. Pure.
"""

from cavecron.french import local_moment
from cavecron.status.facts import BackupFacts, Facts, JobFacts, Problem
from cavecron.status.job_section import anchor, coming_words, job_section, run_badge
from cavecron.status.markup import Table, document, safe, section, table
from cavecron.status.phrases import distance

_TITLE = "État de cavecron"


def page(facts: Facts) -> str:
    """Return the page; all times on it are local, in the zone of the schedules."""
    jobs = "".join(job_section(job, facts) for job in facts.jobs)
    content = f"{_header(facts)}<main>\n{_verdict(facts)}{_overview(facts)}{jobs}</main>\n{_footer(facts)}"
    return document(_TITLE, content)


def _header(facts: Facts) -> str:
    return (
        f"<header><h1>{_TITLE}</h1>\n<p>Le {safe(local_moment(facts.now, facts.zone))}"
        f' <span class="soft">(fuseau {safe(facts.zone.key)})</span></p></header>\n'
    )


def _verdict(facts: Facts) -> str:
    """Return the section that says whether somebody has to do something, and what."""
    number = len(facts.needs)
    if number:
        title = f"✗ {number} points demandent quelqu’un" if number > 1 else "✗ Un point demande quelqu’un"
        items = "\n".join(map(_problem, facts.needs))
        content, kind = f"<ul>\n{items}\n</ul>\n", "verdict trouble"
    elif not facts.healthy:
        title, kind = "✗ Tout ne va pas bien", "verdict trouble"
        content = "<p>À regarder de près : <code>cavecron check</code></p>\n"
    else:
        title, content, kind = "✓ Tout va bien", "", "verdict"
    return (
        f'<section class="{kind}" aria-labelledby="verdict"><h2 id="verdict">{title}</h2>\n{content}'
        f"{_scheduler(facts)}{_backup(facts.backup, facts)}</section>\n"
    )


def _problem(problem: Problem) -> str:
    return f"<li>{safe(_capital(problem.sentence))} : <code>{safe(problem.command)}</code></li>"


def _scheduler(facts: Facts) -> str:
    """Return whether a scheduler runs; nothing if none does, and the problems say so already."""
    scheduler = facts.scheduler
    host = f" sur {safe(scheduler.host)}" if scheduler.host else ""
    since = local_moment(scheduler.since, facts.zone) if scheduler.since else ""
    if facts.trouble is not None:
        return "<p>Base illisible : on ne sait pas ce qui tourne.</p>\n"
    match scheduler.state:
        case "up":
            words = f"Le planificateur tourne{host}{since and f' depuis le {since}'}."
        case "unknown":
            words = f"Planificateur{since and f' démarré le {since}'}{host} (invisible d’ici)."
        case "never":
            words = "" if facts.overdue else "Aucun planificateur n’a encore démarré sur cette base."
        case "down":
            words = ""
    return f"<p>{words}</p>\n" if words else ""


def _backup(backup: BackupFacts | None, facts: Facts) -> str:
    if backup is None:
        return ""
    when = f"{local_moment(backup.made, facts.zone)}, {distance(-backup.age)}"
    return f"<p>Dernière copie de la base : {when}, dans <code>{safe(backup.path)}</code>.</p>\n"


def _overview(facts: Facts) -> str:
    if not facts.jobs:
        return ""
    rows = [_overview_row(job, facts) for job in facts.jobs]
    columns = ("Job", "Dernier passage", "Prochain créneau")
    content = table(Table(caption="Un job par ligne", columns=columns, rows=rows, stacked=True))
    return section("Les jobs", "jobs", content)


def _overview_row(job: JobFacts, facts: Facts) -> tuple[str, str, str]:
    name = (
        f'<a href="#{anchor(job, facts)}">{safe(job.name)}</a><br><span class="soft">{safe(job.title)}</span>'
    )
    last = run_badge(job.last_run, facts) if job.last_run else "pas encore passé"
    return name, last, coming_words(job, facts)


def _footer(facts: Facts) -> str:
    return (
        f"<footer><p>cavecron {safe(facts.version)}, base {safe(facts.database)}."
        " La même chose dans un terminal : <code>cavecron status</code> ;"
        " tout ce qui est passé : <code>cavecron history</code>.</p></footer>\n"
    )


def _capital(sentence: str) -> str:
    """Return the sentence with a capital first letter, unless it begins with the name of a job or a table."""
    first = sentence.partition(" ")[0]
    return (
        sentence if "_" in first or sentence.startswith(f"{first} :") else sentence[:1].upper() + sentence[1:]
    )
