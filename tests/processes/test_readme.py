"""README.md is true: its commands are run in the order of the page, and print what it shows.

tests/support/shown_commands.py explains the form of a block; a block with a tag is run by the test that names
the tag. The page's /data is a folder of the test with the sample database and a mail server on loopback.
"""

import importlib.util
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cavecron.config import settings
from tests.support.commands import ROOT, cavecron
from tests.support.readme import README, blocks, tagged
from tests.support.sandbox import Sandbox, sandbox_in
from tests.support.shown_commands import commands, matches, problems_of

PAGE = README.read_text(encoding="utf-8")
BLOCKS = [block for block in blocks(PAGE) if block.kind in ("sh", "console") and block.tag is None]
#: Tags of blocks, each with the test that runs it.
TESTED_ELSEWHERE = {
    "benchmarks": "tests/benchmarks/test_benchmarks.py, each in its smallest size",
    "binary": "tests/container/test_image.py: the same target, with stand-ins for the bases",
    "compose": "tests/processes/test_examples.py reads the file with Compose; no engine is to be had in CI",
    "daemon": "test_the_scheduler_says_when_each_job_comes_next",
    "demo": "test_the_first_command_shows_it_at_work",
    "embed": "test_the_scheduler_runs_in_another_program",
    "image": "tests/container: the same Containerfile, with stand-ins for the bases",
    "low_stock": "test_the_job_on_the_page_is_the_example",
    "tests": ".ci/run, on each Python",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Yield an empty folder, another one with a database, and a mail server."""
    with sandbox_in(tmp_path_factory.mktemp("readme")) as folder:
        yield folder


def test_the_commands_of_the_page_print_what_it_shows(sandbox: Sandbox) -> None:
    """Each block runs after all blocks before it, as for a person who reads from top to bottom."""
    problems = [
        f"line {block.line}: {problem}" for block in BLOCKS for problem in problems_of(block, sandbox)
    ]
    assert not problems, "\n".join(problems)


def test_every_other_block_is_run_by_a_test_of_its_own() -> None:
    """Each tag belongs to a test, because a block with an unknown tag would not be run."""
    assert {block.tag for block in blocks(PAGE) if block.tag} == set(TESTED_ELSEWHERE)


def test_every_fence_is_a_block() -> None:
    """The tests can read each fenced block, because another one would not be run."""
    assert PAGE.count("```") == 2 * len(list(blocks(PAGE)))


def test_the_table_of_variables_is_complete() -> None:
    """The table has each variable that the settings know with its default, and no other variable."""
    table = PAGE.partition("\n## Configuration\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| .* \| ?(.*?) ?\|$", table, re.MULTILINE)
    shown = {
        name.replace("<JOB>", job.prefix): set(re.findall(r"`([^`]+)`", defaults))
        for names, defaults in rows
        for name in re.findall(r"`([A-Z_<>]+)`", names)
        for job in settings.BUILT_IN
    }
    known = {variable.name: variable.default for variable in settings.variables()}
    assert set(shown) == set(known)
    assert not [name for name, default in known.items() if default and default not in shown[name]]
    assert not [name for name, default in known.items() if not default and shown[name]]


def test_every_command_is_listed() -> None:
    """The table has the same commands as `--help`."""
    table = PAGE.partition("\n## Commands\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `cavecron ([a-z]+)(?: \[?[A-Z]+\]?)?`", table, re.MULTILINE)
    helped = cavecron("--help").out.partition("\ncommandes:\n")[2]
    assert sorted(listed) == sorted(re.findall(r"^    ([a-z]+) ", helped, re.MULTILINE))


@pytest.fixture
def configured(sandbox: Sandbox) -> Sandbox:
    """Return the folder after setting the variables that the page sets first."""
    export, _ = next(commands(BLOCKS[0].text))
    assert sandbox.run(export) == (0, "")
    return sandbox


def test_the_scheduler_says_when_each_job_comes_next(configured: Sandbox) -> None:
    """The scheduler prints what the page shows, and stops when asked to."""
    ((command, shown),) = commands(tagged("daemon").text)
    assert matches(shown, configured.run_until(command, lines=shown.count("\n") - 1))


def test_the_scheduler_runs_in_another_program(configured: Sandbox) -> None:
    """The scheduler registers the job of the program, and returns when it is stopped."""
    (configured.folder / "service.py").write_text(tagged("embed").text, encoding="utf-8")
    assert configured.run(f'"{sys.executable}" service.py') == (0, "")
    with closing(sqlite3.connect(configured.data / "wine.db")) as connection:
        assert ("disk_space",) in connection.execute("SELECT name FROM cavecron_job").fetchall()


def test_the_job_on_the_page_is_the_example() -> None:
    """The job is the file that the following commands on the page run."""
    assert tagged("low_stock").text == (ROOT / "examples/jobs/low_stock.py").read_text(encoding="utf-8")


def test_every_module_that_is_named_is_there() -> None:
    """The modules are too slow for a test, but they exist."""
    names = set(re.findall(r"python -m (tests(?:\.\w+)+)", PAGE))
    assert {"tests.benchmarks", "tests.model.clock_change_sweep"} <= names
    assert not [name for name in names if not importlib.util.find_spec(name)]


def test_every_link_leads_somewhere() -> None:
    """Each link leads to a file of this repository."""
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def copy_of_the_project(folder: Path) -> Path:
    """Copy the files that git would give to a new user into a folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False
    )
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else _files()
    for name in filter(None, names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    return folder


def _files() -> list[str]:
    """Return the files of a folder that git does not know, for example of an unpacked archive."""
    left_out = re.compile(r"(^|/)(\.venv|\.git|__pycache__|build|\.\w+_cache|\.hypothesis)(/|$)")
    files = (str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file())
    return [name for name in files if not left_out.search(name)]


@pytest.mark.slow
def test_the_first_command_shows_it_at_work(tmp_path: Path) -> None:
    """In a new copy with a minimal environment, the page and the mails that the output names exist."""
    project = copy_of_the_project(tmp_path / "cavecron")
    minimal = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    result = subprocess.run(
        ["bash", "-euc", tagged("demo").text],
        cwd=project,
        env={**{name: value for name, value in os.environ.items() if name.startswith("PIP_")}, **minimal},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=True,
    )
    page = project / "cave-demo" / "rapport-Claire.html"
    assert str(page) in result.stdout
    assert "Claire" in page.read_text(encoding="utf-8")
    assert len(list((project / "cave-demo" / "courrier" / "new").iterdir())) == 10
