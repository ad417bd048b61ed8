"""`cavecron status` on all kinds of databases, and on files that are none."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.app_database import NOW, CellarFile
from tests.support.commands import cavecron, environment
from tests.support.in_process import command
from tests.support.ledgers import HOUR, MINUTE
from tests.support.status_ledger import FAILED, SENT, PastReports
from tests.unit.status.test_metrics import promtool
from tests.unit.status.test_terminal import GOLDEN, REFUSED, rich


def test_one_screen_tells_all_and_the_exit_code_is_healths(cellar: CellarFile) -> None:
    """A run that failed is history's affair; a slot that nobody took is not well."""
    rich(cellar)
    database = f"sqlite:///{cellar.path}"
    said = command("status", at=NOW + 10 * MINUTE, DATABASE_URL=database)
    assert (said.code, said.out, said.err) == (0, GOLDEN, "")
    assert command("health", at=NOW + 10 * MINUTE, DATABASE_URL=database).code == 0
    cellar.execute("DELETE FROM cavecron_run")
    cellar.execute("UPDATE cavecron_job SET looked_until = '2026-11-01 00:00:00.000000'")
    late = command("status", at=NOW + 10 * MINUTE, DATABASE_URL=database)
    health = command("health", at=NOW + 10 * MINUTE, DATABASE_URL=database)
    assert (late.code, health.code) == (1, 1)
    assert all(line in " ".join(late.out.split()) for line in health.err.strip()[11:].split(" ; "))


def test_programs_get_one_object(cellar: CellarFile) -> None:
    """Instants with an offset, durations in seconds, and nobody's name unless asked for."""
    claire = cellar.user("Claire")
    past = PastReports(cellar, NOW - HOUR)
    past.ran(NOW, FAILED, {"99": SENT, str(claire): REFUSED})
    database = f"sqlite:///{cellar.path}"
    said = command("status", "--json", at=NOW + MINUTE, DATABASE_URL=database)
    told = json.loads(said.out)
    job = told["jobs"][0]
    assert (told["healthy"], told["zone"], told["scheduler"]["state"]) == (True, "Europe/Paris", "never")
    assert (job["last_run"]["duration_seconds"], job["last_run"]["mails"]["failed"]) == (5.0, 1)
    assert job["last_run"]["slot"] == "2026-11-23T07:00:00+00:00"
    assert "Claire" not in said.out
    named = command("status", "--json", "--names", at=NOW + MINUTE, DATABASE_URL=database)
    assert json.loads(named.out)["jobs"][0]["undelivered"][0]["recipient"] == "Claire"


def test_metrics_are_all_that_is_printed(cellar: CellarFile) -> None:
    """Prometheus would refuse a file with anything else in it; a warning goes to the other stream."""
    database = f"sqlite:///{cellar.path}"
    said = command("status", "--metrics", at=NOW, DATABASE_URL=database, CAVECRON_STATUS="x")
    assert said.out.startswith("# HELP cavecron_scheduler_up ")
    assert "CAVECRON_STATUS" in said.err
    assert said.code == 1  # no scheduler has opened this database yet
    assert promtool("check", "metrics", text=said.out).returncode == 0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the database so that nobody else can read it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("form", [(), ("--json",), ("--metrics",)], ids=["screen", "json", "metrics"])
@pytest.mark.parametrize("what", ["missing", "folder", "no database", "empty", "foreign"])
def test_whatever_lies_there_is_told(what: str, form: tuple[str, ...], tmp_path: Path) -> None:
    """Exit code 1, no traceback, and what the settings know is said all the same."""
    path = tmp_path / "wine.db"
    if what == "folder":
        path.mkdir()
    elif what == "no database":
        path.write_text("Bonjour " * 1000, encoding="utf-8")
    elif what == "empty":
        path.touch()
    elif what == "foreign":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE cave (nom)")
    said = command("status", *form, at=NOW, DATABASE_URL=f"sqlite:///{path}")
    assert said.code == 1
    if not form:
        assert "Base illisible" in said.out
        assert "cavecron check" in said.out
        assert "chaque lundi à 08:00" in said.out
        assert max(len(line) for line in said.out.splitlines() if str(tmp_path) not in line) <= 80
    assert "Traceback" not in said.out + said.err


@pytest.mark.slow
def test_a_locked_database_is_waited_for_and_told(cellar: CellarFile) -> None:
    """As long as `health` waits."""
    with locked(cellar.path):
        said = command("status", at=NOW, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert said.code == 1
    assert "base verrouillée par un autre programme depuis 5 s" in " ".join(said.out.split())


def test_a_wrong_configuration_is_told_whole() -> None:
    """As everywhere: exit code 2."""
    said = command("status", at=NOW, SCHEDULER_CLEANUP_HOUR="25")
    assert (said.code, "une heure de 0 à 23" in said.err) == (2, True)


@pytest.mark.parametrize("streams", [">&-", ">/dev/full", "2>&-"])
def test_a_stream_that_cannot_be_written_ends_nothing_in_a_traceback(
    streams: str, cellar: CellarFile
) -> None:
    """A task planner closes streams, and disks are full."""
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m cavecron status {streams}"],
        env=environment(DATABASE_URL=f"sqlite:///{cellar.path}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1  # no scheduler has opened this database yet
    assert "Traceback" not in done.stderr


def test_a_locale_without_signs_gets_plain_ones(cellar: CellarFile) -> None:
    """Question marks would say nothing."""
    rich(cellar)
    said = cavecron(
        "status",
        DATABASE_URL=f"sqlite:///{cellar.path}",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        PYTHONIOENCODING="ascii",
    )
    assert "x 2026-11-23 08:00" in said.out
    assert "  +--+x" in said.out
