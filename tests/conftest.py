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

# No deadline, because a busy machine must not make a test fail. .ci/run sets more examples.
settings.register_profile(
    "cavecron", deadline=None, max_examples=int(os.environ.get("CAVECRON_EXAMPLES", "25"))
)
settings.load_profile("cavecron")

_TESTS = Path(__file__).parent
#: A folder in memory, because thousands of small databases are slow on a disk.
_MEMORY = Path("/dev/shm")
_ENOUGH = 2 << 30

# Only where nobody has chosen a folder for temporary files. Processes that tests start inherit the variable.
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None  # tempfile may have cached another folder already


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Compile the tests once, because otherwise each worker does it, for ten seconds of processor time."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    for path in sorted(_TESTS.rglob("test_*.py")):
        if not _is_compiled(path):
            # The workers report the errors of a module.
            with suppress(Exception, pytest.skip.Exception):
                importlib.import_module(".".join(path.relative_to(_TESTS.parent).with_suffix("").parts))
    sys.dont_write_bytecode = before


def _is_compiled(path: Path) -> bool:
    """Return whether pytest's compiled file of a test module is newer than the module."""
    name = f"{path.stem}.{sys.implementation.cache_tag}-pytest-*.pyc"
    changed = path.stat().st_mtime
    return any(file.stat().st_mtime >= changed for file in path.parent.glob(f"__pycache__/{name}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a test's log encodable, because a worker of pytest-xdist sends it to the process that prints."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture
def cellar(tmp_path: Path) -> Iterator[CellarFile]:
    """Yield an empty database of the application."""
    file = CellarFile(tmp_path / "wine.db")
    yield file
    file.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Yield a function that mounts a disk of so many kilobytes; skip where mounting is not permitted."""
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
        subprocess.run(
            ["umount", "--lazy", str(place)], check=True
        )  # lazy, because a test that failed may still have it open


@pytest.fixture
def ledger(cellar: CellarFile) -> Ledger:
    """Return a ledger in the application's file, as one process uses it."""
    return Ledger(database=cellar.database)
