"""The image, built once for all tests of this folder, in a store that is deleted afterwards.

With CAVECRON_CONTAINER_STORE=FOLDER the store stays, and the next session takes seconds instead of a minute;
several processes can share it after `python -m tests.container` has filled it.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.container import bases
from tests.container.engine import Engine
from tests.container.stand_ins import build_image, import_bases

_TOOLS = ("buildah", "podman", "runc", "mmdebstrap")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, and skip it if it cannot run."""
    here = Path(__file__).parent
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    reason = f"apt-get install {' '.join(missing)}" if missing else ""
    if sys.platform != "linux" or os.geteuid() != 0:
        reason = "needs Linux and root: it mounts file systems"
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.container)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))
            if reason:
                item.add_marker(pytest.mark.skip(reason=f"containers: {reason}"))


@pytest.fixture(scope="session")
def store() -> Iterator[Engine]:
    """Yield an engine with both base images in its store."""
    with open_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def engine(store: Engine) -> Engine:
    """Return an engine that has built the image of this working copy."""
    build_image(store)
    return store


@contextmanager
def open_engine() -> Iterator[Engine]:
    """Yield an engine with both base images in its store; delete the store afterwards unless it is named."""
    named_folder = os.environ.get("CAVECRON_CONTAINER_STORE")
    folder = Path(named_folder or tempfile.mkdtemp(prefix="cavecron-", dir="/var/tmp"))
    engine = Engine(store=folder, state=Path("/run") / folder.name)
    try:
        import_bases(engine)
        yield engine
    finally:
        if not named_folder:
            engine.clear()
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(engine.state, ignore_errors=True)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return an empty folder that belongs to the container's user."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.chown(folder, bases.NONROOT, bases.NONROOT)
    return folder
