"""The command line: its exit codes, and its messages for errors of usage."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cavecron import __version__
from tests.support.app_database import CellarFile
from tests.support.commands import environment
from tests.support.in_process import command


def test_the_version_is_printed() -> None:
    """Standard output has the version of cavecron and that of the time zone rules; the exit code is 0."""
    result = command("--version")
    assert result.code == 0
    first, second = result.out.splitlines()
    assert first == f"cavecron {__version__}"
    assert re.match(r"fuseaux horaires : \d{4}[a-z]+ \(.+\)", second)


@pytest.mark.parametrize("name", ["", "run", "preview", "check", "demo"])
def test_help_is_in_french(name: str) -> None:
    """The English words of argparse itself are translated too."""
    result = command(*name.split(), "--help")
    assert result.code == 0
    assert "utilisation : cavecron" in result.out
    assert not [word for word in ("usage", "show this", "positional", "optional") if word in result.out]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("rnu", "commande inconnue : 'rnu'"),
        ("run", "un job est attendu : cavecron run JOB, ou cavecron run --due"),
        ("run cleanup --now", "argument inconnu : --now"),
        ("run cleanup --user", "--user : une valeur est attendue"),
        ("run cleanup --json=1", "--json ne prend pas de valeur, reçu '1'"),
        ("run clean", "job inconnu : 'clean' (vouliez-vous dire cleanup ?)"),
        ("run cleanup --user marie", "cleanup ne connaît pas --user"),
        ("preview", "un utilisateur est attendu : cavecron preview NOM, ou --all --json"),
        ("preview --all", "--all s'emploie avec --json"),
        ("preview marie --text --json", "--json et --text s'excluent"),
        ("preview marie --at demain", "--at 'demain' : un instant ISO 8601 est attendu"),
        ("preview marie --at 0001-01-01T00:00:00Z", "--at '0001-01-01T00:00:00Z' : un instant"),
    ],
)
def test_a_wrong_command_line_is_an_error_in_one_line(arguments: str, message: str) -> None:
    """The exit code is 2, and one line on standard error is all the output: no traceback."""
    result = command(*arguments.split())
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("name", ["run cleanup", "preview marie"])
def test_all_problems_of_a_configuration_are_listed(name: str) -> None:
    """The exit code is 2, and all problems are listed."""
    result = command(*name.split(), DATABASE_URL="x", SCHEDULER_TIMEZONE="y")
    assert result.code == 2
    assert result.err.startswith("cavecron : Configuration invalide : 2 problèmes\n  ")


def test_a_reader_that_closes_the_pipe_early_causes_no_traceback(cellar: CellarFile) -> None:
    """`cavecron preview --all --json | head -1` ends without a traceback."""
    for number in range(300):
        cellar.user(f"user{number}" + "x" * 500)
    with subprocess.Popen(
        [sys.executable, "-m", "cavecron", "preview", "--all", "--json"],
        env=environment(DATABASE_URL=f"sqlite:///{cellar.path}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_short_command_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """The command line imports neither mail modules nor cryptography, croniter, sqlite3 or asyncio."""
    script = "import sys, cavecron.cli.main; print(*sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(COVERAGE_PROCESS_START=""),  # coverage loads much itself
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"smtplib", "ssl", "cryptography", "croniter", "sqlite3", "asyncio", "email.message"}
    assert not heavy & set(result.stdout.split())
