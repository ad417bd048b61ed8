"""Fixtures that several test files share."""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from cavecron.ledger.store import Ledger
from tests.support.app_database import CellarFile

# A machine that is busy is no failure: how fast something is, benchmarks say. .ci/run asks for more examples.
settings.register_profile(
    "cavecron", deadline=None, max_examples=int(os.environ.get("CAVECRON_EXAMPLES", "25"))
)
settings.load_profile("cavecron")

_TESTS = Path(__file__).parent
#: A folder in memory: thousands of small databases wait for no disk there.
_MEMORY = Path("/dev/shm")
_ENOUGH = 2 << 30

# Whoever names a folder for temporary files gets it. Processes that tests start inherit the variable.
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None  # it may have been asked for already


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Compile the tests once: each worker would do it for itself, ten seconds of processor time in each."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    for path in sorted(_TESTS.rglob("test_*.py")):
        if not _is_compiled(path):
            # What is wrong with a module, the workers tell.
            with suppress(Exception, pytest.skip.Exception):
                importlib.import_module(".".join(path.relative_to(_TESTS.parent).with_suffix("").parts))
    sys.dont_write_bytecode = before


def _is_compiled(path: Path) -> bool:
    """Return whether pytest has left what it made of a module since it was last changed."""
    name = f"{path.stem}.{sys.implementation.cache_tag}-pytest-*.pyc"
    changed = path.stat().st_mtime
    return any(made.stat().st_mtime >= changed for made in path.parent.glob(f"__pycache__/{name}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make what a test logged encodable: a worker of pytest-xdist sends it to the process that prints."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture
def cellar(tmp_path: Path) -> Iterator[CellarFile]:
    """Return an empty database of the application."""
    made = CellarFile(tmp_path / "wine.db")
    yield made
    made.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return what mounts a disk of so many kilobytes; skipped where that is not permitted."""
    mounted: list[Path] = []

    def mount(kilobytes: int) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting a small disk is not permitted here")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # a test that failed has it open


@pytest.fixture
def ledger(cellar: CellarFile) -> Ledger:
    """Return a ledger in an application's file, as one process has it."""
    return Ledger(database=cellar.database)
