"""README.md is true: its commands are run, in the order of the page, and print what it shows.

How a block is written stands in tests/support/shown_commands.py; one with a tag is run by the test that names
the tag. The page's /data is a folder of the test's, with the sample cellar and a mail server on loopback.
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
STORY = [block for block in blocks(PAGE) if block.kind in ("sh", "console") and block.tag is None]
#: Tags of blocks, each with the test that runs it.
TOLD_ELSEWHERE = {
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
    """Return a folder with nothing in it, a real cellar in another, and its mail server."""
    with sandbox_in(tmp_path_factory.mktemp("readme")) as made:
        yield made


def test_the_commands_of_the_page_do_what_it_says(sandbox: Sandbox) -> None:
    """Each block after all that stand before it, as a person would who reads from top to bottom."""
    told = [f"line {block.line}: {problem}" for block in STORY for problem in problems_of(block, sandbox)]
    assert not told, "\n".join(told)


def test_every_other_block_is_run_by_a_test_of_its_own() -> None:
    """A tag that no test knows would hide a command from all of them."""
    assert {block.tag for block in blocks(PAGE) if block.tag} == set(TOLD_ELSEWHERE)


def test_every_fence_is_a_block() -> None:
    """One that the tests cannot read would not be run."""
    assert PAGE.count("```") == 2 * len(list(blocks(PAGE)))


def test_the_table_of_variables_is_whole() -> None:
    """Each variable that the settings know, and no other; each with its default."""
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
    """The page's table has the commands that the help has."""
    table = PAGE.partition("\n## Commands\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `cavecron ([a-z]+)(?: \[?[A-Z]+\]?)?`", table, re.MULTILINE)
    helped = cavecron("--help").out.partition("\ncommandes:\n")[2]
    assert sorted(listed) == sorted(re.findall(r"^    ([a-z]+) ", helped, re.MULTILINE))


@pytest.fixture
def configured(sandbox: Sandbox) -> Sandbox:
    """Return the folder with the variables that the page sets first."""
    export, _ = next(commands(STORY[0].text))
    assert sandbox.run(export) == (0, "")
    return sandbox


def test_the_scheduler_says_when_each_job_comes_next(configured: Sandbox) -> None:
    """And stops well when it is told to."""
    ((command, shown),) = commands(tagged("daemon").text)
    assert matches(shown, configured.run_until(command, lines=shown.count("\n") - 1))


def test_the_scheduler_runs_in_another_program(configured: Sandbox) -> None:
    """It follows its job from then on, and returns when it is stopped."""
    (configured.folder / "service.py").write_text(tagged("embed").text, encoding="utf-8")
    assert configured.run(f'"{sys.executable}" service.py') == (0, "")
    with closing(sqlite3.connect(configured.data / "wine.db")) as connection:
        assert ("disk_space",) in connection.execute("SELECT name FROM cavecron_job").fetchall()


def test_the_job_on_the_page_is_the_example() -> None:
    """The commands after it on the page run the example."""
    assert tagged("low_stock").text == (ROOT / "examples/jobs/low_stock.py").read_text(encoding="utf-8")


def test_every_module_that_is_named_is_there() -> None:
    """Benchmarks and sweeps are too long for a test; that their commands exist is not."""
    named = set(re.findall(r"python -m (tests(?:\.\w+)+)", PAGE))
    assert {"tests.benchmarks", "tests.model.clock_change_sweep"} <= named
    assert not [name for name in named if not importlib.util.find_spec(name)]


def test_every_link_leads_somewhere() -> None:
    """Into this repository."""
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def copy_of_the_project(folder: Path) -> Path:
    """Return a folder with the files that git would hand to a new user."""
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
    """Return what there is where git does not know the folder (an unpacked archive)."""
    left_out = re.compile(r"(^|/)(\.venv|\.git|__pycache__|build|\.\w+_cache|\.hypothesis)(/|$)")
    files = (str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file())
    return [name for name in files if not left_out.search(name)]


@pytest.mark.slow
def test_the_first_command_shows_it_at_work(tmp_path: Path) -> None:
    """In a fresh copy, with a bare environment: it ends well and names a page and a folder that are there."""
    project = copy_of_the_project(tmp_path / "cavecron")
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-euc", tagged("demo").text],
        cwd=project,
        env={**{name: value for name, value in os.environ.items() if name.startswith("PIP_")}, **bare},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=True,
    )
    page = project / "cave-demo" / "rapport-Claire.html"
    assert str(page) in done.stdout
    assert "Claire" in page.read_text(encoding="utf-8")
    assert len(list((project / "cave-demo" / "courrier" / "new").iterdir())) == 10
