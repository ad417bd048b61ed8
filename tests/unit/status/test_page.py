"""The page of `cavecron status --html`: valid and harmless whatever is in the facts, and complete."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cavecron.jobs.loader import load
from cavecron.status.facts import Facts, Need
from cavecron.status.files import write_files
from cavecron.status.html import page
from cavecron.status.style import DARK, LIGHT
from tests.support.app_database import CellarFile
from tests.support.pages import contrast
from tests.support.status_facts import HOSTILE, NOW, hostile_facts, job_facts, quiet_facts, rich_facts
from tests.support.web_pages import flaws, read, rows, text_of


def few() -> Facts:
    """Return facts of two jobs."""
    return rich_facts(2)


def verdict(facts: Facts) -> str:
    """Return what stands on top."""
    return next(text_of(part) for part in read(page(facts)).iter("section"))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(quiet_facts, id="quiet"),
        pytest.param(few, id="rich"),
        pytest.param(lambda: replace(quiet_facts(), jobs=()), id="no job"),
        pytest.param(lambda: replace(quiet_facts(), trouble="la base ne peut être lue"), id="no database"),
    ],
)
def test_a_page_is_sound(made: Callable[[], Facts]) -> None:
    """Valid, self-contained, pictures named, tables with captions and scopes, headings in order."""
    assert not flaws(page(made()))


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_in_the_facts_is_text(text: str) -> None:
    """Nobody's text makes an element or an attribute, or ends one."""
    shown = page(hostile_facts(text))
    assert not flaws(shown.replace("https:", "").replace("src=x", ""))
    shown.encode()


def test_all_is_well_at_one_glance() -> None:
    """The first words, and since when the scheduler runs."""
    words = verdict(quiet_facts())
    assert words.startswith("✓ Tout va bien")
    assert "Le planificateur tourne sur nas depuis le vendredi 2 octobre 2026 à 08:30." in words


def test_what_needs_a_person_is_on_top_with_its_command() -> None:
    """And how many there are."""
    words = verdict(few())
    assert words.startswith("✗ 2 points demandent quelqu’un")
    assert "cavecron run weekly_reports --resume" in words


def test_one_need_is_one() -> None:
    """In the singular, and with a capital."""
    facts = replace(quiet_facts(), needs=(Need(sentence="le planificateur est arrêté", command="cavecron"),))
    assert verdict(facts).startswith("✗ Un point demande quelqu’un Le planificateur est arrêté : cavecron")


def test_health_that_is_bad_is_never_shown_as_well() -> None:
    """Even where nobody said what to do."""
    assert "Tout va bien" not in page(replace(quiet_facts(), overdue=("cleanup : en retard",)))


def test_a_reason_is_on_hover_and_in_a_table() -> None:
    """Each day that did not go well, up to what a page can hold."""
    facts = replace(quiet_facts(), jobs=(job_facts("cleanup", "0 3 * * sun", trouble=0.3),))
    calendar = facts.jobs[0].calendar
    assert calendar
    bad = [day for day in calendar.days if day.worst != "succeeded"]
    document = read(page(facts))
    titles = [text_of(title) for use in document.iter("use") for title in use.iter("title")]
    told = [row for row in rows(page(facts)) if row[-1] in {day.reason for day in bad}]
    assert len(titles) == len(told) == len(bad) > 5
    assert all(f"{bad[-1].day:%d/%m/%Y} 03:00" in text for text in (titles[-1], told[0][0]))


def test_each_day_has_its_sign() -> None:
    """What went well too: a square for each day of the year is under one of the marks."""
    (job,) = (job_facts("backup", "30 2 * * *", trouble=0),)
    shown = page(replace(quiet_facts(), jobs=(job,)))
    squares = [path for path in read(shown).iter("path") if path.get("class") == "plain"]
    width = sum(
        float(part.split("h")[1].split("v")[0])
        for path in squares
        for part in path.get("d", "").split("M")[1:]
    )
    assert job.calendar
    assert round(width / 15.5) == len(job.calendar.days) == 366


def test_the_months_are_counted_in_a_table() -> None:
    """As many slots as the calendar has."""
    (job,) = (job_facts("backup", "30 2 * * *", trouble=0),)
    months = [
        row for row in rows(page(replace(quiet_facts(), jobs=(job,)))) if row[0].endswith((" 2025", " 2026"))
    ]
    assert sum(int(row[1].removesuffix(" réussis")) for row in months if row[1].endswith(" réussis")) == 366


def test_a_clock_change_marks_its_slot() -> None:
    """The Sunday on which 02:30 comes twice."""
    marked = [row for row in rows(page(few())) if "⚠" in row[-1]]
    assert [(row[0], row[-1]) for row in marked] == [
        ("dim. 25/10/2026 02:30", "⚠ 02:30 a lieu deux fois : la première")
    ]


@pytest.mark.parametrize(("number", "pictures"), [(1, 0), (2, 0), (3, 2), (60, 2)])
def test_a_picture_needs_a_few_runs(number: int, pictures: int) -> None:
    """Of one run there is a table only."""
    job = job_facts("weekly_reports", "0 8 * * mon", mails=40)
    html = page(replace(quiet_facts(), jobs=(replace(job, series=job.series[-number:]),)))
    assert len([svg for svg in read(html).iter("svg") if svg.get("class") == "bars"]) == pictures
    assert len([row for row in rows(html) if " remis" in row[-1]]) == number


def test_who_got_no_mail_is_told_with_the_reason() -> None:
    """And how many more there are."""
    told = rows(page(few()))
    assert ["utilisateur 12", "refusé", "550 boîte inconnue"] in told
    assert "et 3 de plus" in page(few())


def test_a_page_of_ten_jobs_is_small() -> None:
    """A year of each, whatever became of it; a minute job is no greater than a daily one."""
    assert len(page(rich_facts(10)).encode()) < 400_000
    minutely = replace(quiet_facts(), jobs=(job_facts("probe", "* * * * *"),))
    assert len(page(minutely).encode()) < 45_000


def test_endless_texts_are_bounded() -> None:
    """A year of days that all failed for a reason of ten thousand characters."""
    assert len(page(hostile_facts("é" * 10_000)).encode()) < 400_000


def test_the_same_facts_make_the_same_page() -> None:
    """A file that is written anew has changed only where something happened."""
    assert page(few()) == page(rich_facts(2))
    assert f"{NOW:%Y}" in page(few())


def test_the_scheduler_writes_the_page_beside_the_metrics(cellar: CellarFile, tmp_path: Path) -> None:
    """For a web server, whatever it sends: names of nobody, and for everybody to read."""
    settings, jobs = load({"DATABASE_URL": f"sqlite:///{cellar.path}"})
    write_files(tmp_path, settings, jobs, now=NOW)
    file = tmp_path / "status.html"
    assert not flaws(file.read_text(encoding="utf-8"))
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("colours", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
def test_all_stands_out(colours: dict[str, str]) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: text 4.5 to 1, signs and bars 3 to 1."""
    grounds = ("paper", "card", "good", "bad", "rest")
    texts = [("ink", ground) for ground in grounds]
    texts += [(letters, ground) for letters in ("soft", "wine") for ground in ("paper", "card", "rest")]
    marks = ("ok", "late", "failed", "cut", "missed", "busy")
    graphics = [(mark, ground) for mark in marks for ground in ("card", "sign", "good", "bad", "rest")]
    faint = [pair for pair in texts if contrast(colours[pair[0]], colours[pair[1]]) < 4.5]
    faint += [pair for pair in graphics if contrast(colours[pair[0]], colours[pair[1]]) < 3]
    assert not faint
