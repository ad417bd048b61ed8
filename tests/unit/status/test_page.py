"""The page of `cavecron status --html`: it is valid, safe for any text in the facts, and complete."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cavecron.jobs.loader import load
from cavecron.status.facts import Facts, Problem
from cavecron.status.files import write_files
from cavecron.status.html import page
from cavecron.status.style import DARK, LIGHT
from tests.support.app_database import CellarFile
from tests.support.pages import contrast
from tests.support.status_facts import HOSTILE, NOW, hostile_facts, job_facts, quiet_facts, rich_facts
from tests.support.web_pages import flaws, read, rows, text_of


def two_job_facts() -> Facts:
    """Return facts of two jobs."""
    return rich_facts(2)


def verdict(facts: Facts) -> str:
    """Return the text of the first section, which says whether all is well."""
    return next(text_of(part) for part in read(page(facts)).iter("section"))


@pytest.mark.parametrize(
    "make_facts",
    [
        pytest.param(quiet_facts, id="quiet"),
        pytest.param(two_job_facts, id="rich"),
        pytest.param(lambda: replace(quiet_facts(), jobs=()), id="no job"),
        pytest.param(lambda: replace(quiet_facts(), trouble="la base ne peut être lue"), id="no database"),
    ],
)
def test_a_page_is_sound(make_facts: Callable[[], Facts]) -> None:
    """It is valid and self-contained, its pictures and tables are labelled, and its headings are in order."""
    assert not flaws(page(make_facts()))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_the_facts_becomes_markup(text: str) -> None:
    """No text of a user or server begins or ends an element or an attribute."""
    html = page(hostile_facts(text))
    assert not flaws(html.replace("https:", "").replace("src=x", ""))
    html.encode()


def test_the_first_words_say_that_all_is_well() -> None:
    """The sentence after them says where, and since when, the scheduler runs."""
    words = verdict(quiet_facts())
    assert words.startswith("✓ Tout va bien")
    assert "Le planificateur tourne sur nas depuis le vendredi 2 octobre 2026 à 08:30." in words


def test_what_needs_a_person_is_on_top_with_its_command() -> None:
    """The first section has the number of problems, and the command for each."""
    words = verdict(two_job_facts())
    assert words.startswith("✗ 2 points demandent quelqu’un")
    assert "cavecron run weekly_reports --resume" in words


def test_one_need_is_in_the_singular() -> None:
    """Its sentence begins with a capital letter."""
    facts = replace(
        quiet_facts(), needs=(Problem(sentence="le planificateur est arrêté", command="cavecron"),)
    )
    assert verdict(facts).startswith("✗ Un point demande quelqu’un Le planificateur est arrêté : cavecron")


def test_health_that_is_bad_is_never_shown_as_well() -> None:
    """An overdue slot is enough, also if no problem with a command is listed."""
    assert "Tout va bien" not in page(replace(quiet_facts(), overdue=("cleanup : en retard",)))


def test_a_reason_is_on_hover_and_in_a_table() -> None:
    """Each day that was not successful has its reason in a tooltip and in a table."""
    facts = replace(quiet_facts(), jobs=(job_facts("cleanup", "0 3 * * sun", trouble=0.3),))
    calendar = facts.jobs[0].calendar
    assert calendar
    unsuccessful = [day for day in calendar.days if day.worst != "succeeded"]
    document = read(page(facts))
    titles = [text_of(title) for use in document.iter("use") for title in use.iter("title")]
    table = [row for row in rows(page(facts)) if row[-1] in {day.reason for day in unsuccessful}]
    assert len(titles) == len(table) == len(unsuccessful) > 5
    assert all(f"{unsuccessful[-1].day:%d/%m/%Y} 03:00" in text for text in (titles[-1], table[0][0]))


def test_each_day_has_its_sign() -> None:
    """Successful days are drawn too: the squares of the year are as many as its days."""
    (job,) = (job_facts("backup", "30 2 * * *", trouble=0),)
    html = page(replace(quiet_facts(), jobs=(job,)))
    squares = [path for path in read(html).iter("path") if path.get("class") == "plain"]
    width = sum(
        float(part.split("h")[1].split("v")[0])
        for path in squares
        for part in path.get("d", "").split("M")[1:]
    )
    assert job.calendar
    assert round(width / 15.5) == len(job.calendar.days) == 366


def test_the_months_are_counted_in_a_table() -> None:
    """The sum over the months is the number of slots in the calendar."""
    (job,) = (job_facts("backup", "30 2 * * *", trouble=0),)
    months = [
        row for row in rows(page(replace(quiet_facts(), jobs=(job,)))) if row[0].endswith((" 2025", " 2026"))
    ]
    assert sum(int(row[1].removesuffix(" réussis")) for row in months if row[1].endswith(" réussis")) == 366


def test_a_clock_change_marks_its_slot() -> None:
    """Only the slot of the Sunday on which 02:30 comes twice has the warning sign."""
    marked = [row for row in rows(page(two_job_facts())) if "⚠" in row[-1]]
    assert [(row[0], row[-1]) for row in marked] == [
        ("dim. 25/10/2026 02:30", "⚠ 02:30 a lieu deux fois : la première")
    ]


@pytest.mark.parametrize(("number", "pictures"), [(1, 0), (2, 0), (3, 2), (60, 2)])
def test_a_picture_needs_a_few_runs(number: int, pictures: int) -> None:
    """For fewer than three runs there is only a table."""
    job = job_facts("weekly_reports", "0 8 * * mon", mails=40)
    html = page(replace(quiet_facts(), jobs=(replace(job, series=job.series[-number:]),)))
    assert len([svg for svg in read(html).iter("svg") if svg.get("class") == "bars"]) == pictures
    assert len([row for row in rows(html) if " remis" in row[-1]]) == number


def test_undelivered_mails_are_listed_with_their_reason() -> None:
    """The list is bounded, and the number of the other mails is shown below it."""
    table = rows(page(two_job_facts()))
    assert ["utilisateur 12", "refusé", "550 boîte inconnue"] in table
    assert "et 3 de plus" in page(two_job_facts())


def test_a_page_of_ten_jobs_is_small() -> None:
    """The size is bounded with a year of each job, and for a job with a slot each minute."""
    assert len(page(rich_facts(10)).encode()) < 400_000
    minutely = replace(quiet_facts(), jobs=(job_facts("probe", "* * * * *"),))
    assert len(page(minutely).encode()) < 45_000


def test_endless_texts_are_bounded() -> None:
    """A year of failures with reasons of ten thousand characters still makes a page of bounded size."""
    assert len(page(hostile_facts("é" * 10_000)).encode()) < 400_000


def test_the_same_facts_make_the_same_page() -> None:
    """Nothing else than the facts goes into the page, so that an unchanged state leaves the same file."""
    assert page(two_job_facts()) == page(rich_facts(2))
    assert f"{NOW:%Y}" in page(two_job_facts())


def test_the_scheduler_writes_the_page_beside_the_metrics(cellar: CellarFile, tmp_path: Path) -> None:
    """Everybody may read the page, because a web server may publish it; it is valid."""
    settings, jobs = load({"DATABASE_URL": f"sqlite:///{cellar.path}"})
    write_files(tmp_path, settings, jobs, now=NOW)
    file = tmp_path / "status.html"
    assert not flaws(file.read_text(encoding="utf-8"))
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("colours", [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")])
def test_all_contrasts_are_sufficient(colours: dict[str, str]) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11 require 4.5 to 1 for text, and 3 to 1 for signs and bars."""
    grounds = ("paper", "card", "good", "bad", "rest")
    texts = [("ink", ground) for ground in grounds]
    texts += [(letters, ground) for letters in ("soft", "wine") for ground in ("paper", "card", "rest")]
    marks = ("ok", "late", "failed", "cut", "missed", "busy")
    graphics = [(mark, ground) for mark in marks for ground in ("card", "sign", "good", "bad", "rest")]
    faint = [pair for pair in texts if contrast(colours[pair[0]], colours[pair[1]]) < 4.5]
    faint += [pair for pair in graphics if contrast(colours[pair[0]], colours[pair[1]]) < 3]
    assert not faint
