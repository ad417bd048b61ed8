"""`cavecron status` on databases in all states, and on files that are no database."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
import termios
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


def test_the_exit_code_is_that_of_health(cellar: CellarFile) -> None:
    """A failed run leaves the exit code 0; an overdue slot makes it 1, with the message of `health`."""
    rich(cellar)
    database = f"sqlite:///{cellar.path}"
    status = command("status", at=NOW + 10 * MINUTE, DATABASE_URL=database)
    assert (status.code, status.out, status.err) == (0, GOLDEN, "")
    assert command("health", at=NOW + 10 * MINUTE, DATABASE_URL=database).code == 0
    cellar.execute("DELETE FROM cavecron_run")
    cellar.execute("UPDATE cavecron_job SET looked_until = '2026-11-01 00:00:00.000000'")
    late = command("status", at=NOW + 10 * MINUTE, DATABASE_URL=database)
    health = command("health", at=NOW + 10 * MINUTE, DATABASE_URL=database)
    assert (late.code, health.code) == (1, 1)
    assert all(line in " ".join(late.out.split()) for line in health.err.strip()[11:].split(" ; "))


def test_the_command_for_the_first_scheduler_is_shown_once(cellar: CellarFile) -> None:
    """The sentence of `health` has the command in it, and here it stands below."""
    result = command("status", at=NOW, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert result.out.endswith("""
À faire :
  aucun planificateur n'a encore tourné sur cette base ; le lancer (dans
    Docker : docker compose up -d)
      cavecron
""")


def test_lines_are_as_long_as_the_terminal_is_wide(cellar: CellarFile) -> None:
    """Of a telephone, for example."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 50))
    variables = environment(DATABASE_URL=f"sqlite:///{cellar.path}")
    subprocess.run(
        [sys.executable, "-m", "cavecron", "status"], stdout=follower, env=variables, check=False, timeout=60
    )
    lines = os.read(leader, 4096).decode().splitlines()
    os.close(leader)
    os.close(follower)
    assert 40 < max(len(line) for line in lines) <= 50


def test_programs_get_one_object(cellar: CellarFile) -> None:
    """Instants have an offset, durations are in seconds, and names of users appear only with `--names`."""
    claire = cellar.user("Claire")
    reports = PastReports(cellar, NOW - HOUR)
    reports.ran(NOW, FAILED, {"99": SENT, str(claire): REFUSED})
    database = f"sqlite:///{cellar.path}"
    result = command("status", "--json", at=NOW + MINUTE, DATABASE_URL=database)
    status = json.loads(result.out)
    job = status["jobs"][0]
    assert (status["healthy"], status["zone"], status["scheduler"]["state"]) == (
        True,
        "Europe/Paris",
        "never",
    )
    assert (job["last_run"]["duration_seconds"], job["last_run"]["mails"]["failed"]) == (5.0, 1)
    assert job["last_run"]["slot"] == "2026-11-23T07:00:00+00:00"
    assert "Claire" not in result.out
    named = command("status", "--json", "--names", at=NOW + MINUTE, DATABASE_URL=database)
    assert json.loads(named.out)["jobs"][0]["undelivered"][0]["recipient"] == "Claire"


def test_metrics_are_all_that_is_printed(cellar: CellarFile) -> None:
    """Warnings go to standard error, because Prometheus would refuse a file with other text."""
    database = f"sqlite:///{cellar.path}"
    result = command("status", "--metrics", at=NOW, DATABASE_URL=database, CAVECRON_STATUS="x")
    assert result.out.startswith("# HELP cavecron_scheduler_up ")
    assert "CAVECRON_STATUS" in result.err
    assert result.code == 1  # no scheduler has opened this database yet
    assert promtool("check", "metrics", text=result.out).returncode == 0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, so that nobody else can read the database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("form", [(), ("--json",), ("--metrics",)], ids=["screen", "json", "metrics"])
@pytest.mark.parametrize("state", ["missing", "folder", "no database", "empty", "foreign"])
def test_a_path_without_a_readable_database_is_an_error(
    state: str, form: tuple[str, ...], tmp_path: Path
) -> None:
    """The exit code is 1, there is no traceback, and what the settings say is shown."""
    path = tmp_path / "wine.db"
    if state == "folder":
        path.mkdir()
    elif state == "no database":
        path.write_text("Bonjour " * 1000, encoding="utf-8")
    elif state == "empty":
        path.touch()
    elif state == "foreign":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE cave (nom)")
    result = command("status", *form, at=NOW, DATABASE_URL=f"sqlite:///{path}")
    assert result.code == 1
    if not form:
        assert "Base illisible" in result.out
        assert "cavecron check" in result.out
        assert "chaque lundi à 08:00" in result.out
        assert max(len(line) for line in result.out.splitlines() if str(tmp_path) not in line) <= 80
    assert "Traceback" not in result.out + result.err


@pytest.mark.slow
def test_a_locked_database_is_an_error_after_a_wait(cellar: CellarFile) -> None:
    """The wait is as long as that of `health`."""
    with locked(cellar.path):
        result = command("status", at=NOW, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert result.code == 1
    assert "base verrouillée par un autre programme depuis 5 s" in " ".join(result.out.split())


def test_all_problems_of_a_configuration_are_listed() -> None:
    """The exit code is 2, and the message names the problem."""
    result = command("status", at=NOW, SCHEDULER_CLEANUP_HOUR="25")
    assert (result.code, "une heure de 0 à 23" in result.err) == (2, True)


@pytest.mark.parametrize("streams", [">&-", ">/dev/full", "2>&-"])
def test_a_stream_that_cannot_be_written_ends_nothing_in_a_traceback(
    streams: str, cellar: CellarFile
) -> None:
    """A task planner may close the streams, and a disk may be full."""
    result = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m cavecron status {streams}"],
        env=environment(DATABASE_URL=f"sqlite:///{cellar.path}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1  # no scheduler has opened this database yet
    assert "Traceback" not in result.stderr


def test_a_locale_without_signs_gets_plain_ones(cellar: CellarFile) -> None:
    """In an ASCII locale the signs are ASCII characters, not question marks."""
    rich(cellar)
    result = cavecron(
        "status",
        DATABASE_URL=f"sqlite:///{cellar.path}",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        PYTHONIOENCODING="ascii",
    )
    assert "x 2026-11-23 08:00" in result.out
    assert "  +--+x" in result.out
