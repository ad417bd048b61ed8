"""`cavecron next`: the coming slots, their order, and how clock changes affect them."""

import json
import re
from pathlib import Path

import pytest

from tests.support.in_process import command


def test_the_coming_slots_of_all_jobs_are_listed_by_time(tmp_path: Path) -> None:
    """The schedules come first, then the slots by time with weekday and offset; no database is needed."""
    database = tmp_path / "wine.db"
    result = command(
        *("next", "-n", "2", "--from", "2037-11-20"), DATABASE_URL=f"sqlite:///{database}", TZ="Europe/Paris"
    )
    assert (result.code, result.err) == (0, "")
    assert [re.sub(r"dans \d+ j( \d+ h)?", "dans … j", line) for line in result.out.splitlines()] == [
        "weekly_reports  chaque lundi à 08:00 (Europe/Paris)",
        "cleanup         chaque dimanche à 03:00 (Europe/Paris)",
        "",
        "dimanche 2037-11-22 03:00 +01:00  cleanup         dans … j",
        "lundi    2037-11-23 08:00 +01:00  weekly_reports  dans … j",
        "dimanche 2037-11-29 03:00 +01:00  cleanup         dans … j",
        "lundi    2037-11-30 08:00 +01:00  weekly_reports  dans … j",
    ]
    assert not database.exists()


def test_five_slots_of_each_job_come_from_now_on() -> None:
    """By default five slots of each job are listed, and all of them lie in the future."""
    result = command("next")
    assert (result.out.count("weekly_reports  dans "), result.out.count("cleanup         dans ")) == (5, 5)


def test_a_disabled_job_is_listed_as_such() -> None:
    """The variable that disables it is named, and no slots are listed, in text and in JSON."""
    result = command("next", "-n", "1", SCHEDULER_CLEANUP_ENABLED="0")
    assert "cleanup         désactivé (SCHEDULER_CLEANUP_ENABLED)\n" in result.out
    assert result.out.count("cleanup") == 1
    assert json.loads(command("next", "cleanup", "--json", SCHEDULER_CLEANUP_ENABLED="0").out) == [
        {"job": "cleanup", "at": None, "local": None, "note": "désactivé (SCHEDULER_CLEANUP_ENABLED)"}
    ]


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (
            "2026-03-29",
            "dimanche 2026-03-29 03:00 +02:00  cleanup  … l'heure de printemps saute 02:30 : à 03:00",
        ),
        ("2026-10-25", "dimanche 2026-10-25 02:30 +02:00  cleanup  … 02:30 a lieu deux fois : la première"),
    ],
)
def test_it_says_where_the_clocks_change_a_slot(start: str, line: str) -> None:
    """The note is on the line of the affected slot, and on no other."""
    result = command("next", "cleanup", "-n", "3", "--from", start, SCHEDULER_CLEANUP_CRON="30 2 * * *")
    lines = [re.sub(r"(dans|il y a) [\d jhmins]+  ", "… ", one) for one in result.out.splitlines()[2:]]
    assert lines[0] == line
    assert not re.search("saute|deux fois", "".join(lines[1:]))


def test_programs_get_a_list() -> None:
    """The JSON list is ordered by time, also where local time goes back; `at` is in UTC."""
    result = command(
        *("next", "cleanup", "-n", "4", "--json", "--from", "2026-10-25T00:00Z"),
        SCHEDULER_CLEANUP_CRON="*/30 * * * *",
    )
    slots = json.loads(result.out)
    assert [(slot["at"], slot["local"]) for slot in slots] == [
        ("2026-10-25T00:00:00+00:00", "2026-10-25T02:00:00+02:00"),
        ("2026-10-25T00:30:00+00:00", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T01:00:00+00:00", "2026-10-25T02:00:00+01:00"),
        ("2026-10-25T01:30:00+00:00", "2026-10-25T02:30:00+01:00"),
    ]
    assert {slot["job"] for slot in slots} == {"cleanup"}
    assert [slot["note"].partition("fois ")[2] for slot in slots] == [": la première"] * 2 + [
        ": la seconde"
    ] * 2


def test_all_jobs_are_in_order_of_time_where_local_time_goes_back() -> None:
    """The second 02:00 comes after the first 02:30."""
    result = command(
        *("next", "-n", "2", "--json", "--from", "2026-10-25T00:30Z"),
        SCHEDULER_CLEANUP_CRON="*/30 * * * *",
        SCHEDULER_WEEKLY_REPORT_CRON="*/30 * * * *",
    )
    instants = [slot["at"] for slot in json.loads(result.out)]
    assert instants == sorted(instants)
    assert len(instants) == 4


def test_a_slot_at_the_start_is_listed() -> None:
    """`--from` without an offset is local time; a slot at that instant counts, and is shown as past."""
    result = command("next", "cleanup", "-n", "1", "--from", "2020-01-05T03:00")
    assert result.out.splitlines()[-1].startswith("dimanche 2020-01-05 03:00 +01:00  cleanup  il y a ")


def test_a_job_of_ones_own_is_listed_like_the_others(tmp_path: Path) -> None:
    """A custom job is listed with the schedule that it declares."""
    source = tmp_path / "stock.py"
    source.write_text(
        "from cavecron import Run, job\n\n"
        '@job("stock", title="le stock", day="mon,thu", hour=9, minute=5)\n'
        "def stock(run: Run) -> str:\n    return 'rien'\n",
        encoding="utf-8",
    )
    result = command("next", "stock", "-n", "1", CAVECRON_JOBS=str(source))
    assert re.match(r"stock  chaque lundi et jeudi à 09:05 \(Europe/Paris\)\n\n.+  stock  dans ", result.out)


def test_a_misspelt_variable_is_a_warning_here_too() -> None:
    """Standard error names it, because it may be why the slots are not the expected ones."""
    result = command("next", "--json", SCHEDULER_CLEANUP_CORN="30 2 * * *")
    assert "vouliez-vous dire SCHEDULER_CLEANUP_CRON ?" in result.err
    assert json.loads(result.out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("next clean", "job inconnu : 'clean' (vouliez-vous dire cleanup ?)"),
        ("next -n 0", "-n '0' : un nombre de 1 à 10000 est attendu"),
        ("next -n beaucoup", "-n 'beaucoup' : un nombre"),
        ("next --from demain", "--from 'demain' : un instant ISO 8601 est attendu"),
        ("next --from 9999-12-31", "--from '9999-12-31' : un instant"),
        ("next cleanup weekly_reports", "argument inconnu : weekly_reports"),
    ],
)
def test_a_wrong_command_line_is_an_error_in_one_line(arguments: str, message: str) -> None:
    """The exit code is 2, and one line on standard error is all the output: no traceback."""
    result = command(*arguments.split())
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_schedule_that_never_fires_is_a_wrong_configuration() -> None:
    """The exit code is 2, and the message names the variable."""
    result = command("next", SCHEDULER_CLEANUP_CRON="0 0 31 2 *")
    assert result.code == 2
    assert "SCHEDULER_CLEANUP_CRON='0 0 31 2 *' : cette date n'arrive jamais" in result.err
