"""The pages in French are true: their commands are run as those of README.md, and print what is shown.

A program named `docker` replaces the engine: it runs the command of examples/compose.yaml here, on the /data
of the sandbox. That file is tested in test_examples.py.
"""

import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cavecron.cli.arguments import parse
from cavecron.config.settings import known_names
from tests.support.commands import ROOT
from tests.support.readme import blocks
from tests.support.sandbox import Sandbox, sandbox_in
from tests.support.shown_commands import problems_of

PAGES = [ROOT / "examples" / name for name in ("LISEZMOI.md", "MIGRATION.md")]
_ENGINE = """#!/bin/sh
export DATABASE_URL='sqlite:///{data}/wine.db' SMTP_ENCRYPTION_KEY_FILE='{data}/smtp.key'
case "$*" in
    "compose run --rm cavecron "*) shift 4; exec cavecron "$@" ;;
    "compose exec cavecron cavecron "*) shift 3; exec "$@" ;;
    "compose up -d" | "compose logs cavecron" | "compose stop cavecron" | "compose start cavecron") ;;
    *) echo "docker $*: unknown" >&2; exit 1 ;;
esac
"""
#: The copy that a page restores.
_COPY = "wine-2026-11-30T023000.sqlite"
#: A report of the application's own scheduler, on a Wednesday by UTC.
_EARLIER_REPORT = (
    "INSERT INTO email_log (recipient_email, subject, template_name, status, sent_at, created_at) VALUES"
    " ('claire@example.org', 'Rapport', 'weekly_report', 'sent', :at, :at)"
)


@pytest.fixture(scope="module", params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Path:
    """Return each of the pages."""
    path: Path = request.param
    return path


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Yield an empty folder with an engine and a database whose application has mailed a report."""
    with sandbox_in(tmp_path) as folder:
        docker = tmp_path / "bin" / "docker"
        docker.write_text(_ENGINE.format(data=folder.data), encoding="utf-8")
        docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
        (folder.folder / "data").symlink_to(folder.data)
        with closing(sqlite3.connect(folder.data / "wine.db", isolation_level=None)) as connection:
            connection.execute(_EARLIER_REPORT, {"at": "2026-11-25 10:56:02.000000"})
            (folder.data / "backups").mkdir()
            connection.execute("VACUUM INTO ?", (str(folder.data / "backups" / _COPY),))
        yield folder


def test_the_commands_of_the_page_print_what_it_shows(page: Path, sandbox: Sandbox) -> None:
    """Each command runs after those before it, as for a person who reads from top to bottom."""
    problems = [
        f"{page.name}:{block.line}\n{problem}"
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.kind in ("sh", "console")
        for problem in problems_of(block, sandbox)
    ]
    assert not problems, "\n".join(problems)
    for written in sandbox.folder.glob("*.html"):
        assert written.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_every_command_in_the_text_can_be_parsed(page: Path) -> None:
    """The commands in backticks can be parsed, with and without Docker before them."""
    names = re.findall(r"`(?:docker compose \w+ (?:--rm )?cavecron )?cavecron ([a-z][^`]*)`", _text(page))
    assert names
    for command in names:
        assert parse(command.split()).command


def test_every_variable_and_every_link_is_there(page: Path) -> None:
    """Each variable is one of cavecron's, and each link leads to a file of this repository."""
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"\b(?:SCHEDULER|CAVECRON|SMTP)_[A-Z_]+[A-Z]\b", text)) - {
        "SMTP_ENCRYPTION_KEY_FILE"
    }
    assert names <= known_names()
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links
    assert not [link for link in links if not (page.parent / link).exists()]


def _text(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
