"""What several test files start from."""

import os
import subprocess
from collections.abc import Callable, Generator, Iterator
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
