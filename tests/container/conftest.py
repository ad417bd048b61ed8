"""The image, made once for all tests of this folder, in a store that is thrown away afterwards.

With CAVECRON_CONTAINER_STORE=FOLDER the store stays, and the next session takes seconds instead of a minute;
several processes can share it once `python -m tests.container` has filled it.
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
from tests.container.stand_ins import build_image, take_in_bases

_TOOLS = ("buildah", "podman", "runc", "mmdebstrap")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, and skip it where it cannot run."""
    here = Path(__file__).parent
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    why = f"apt-get install {' '.join(missing)}" if missing else ""
    if sys.platform != "linux" or os.geteuid() != 0:
        why = "needs Linux and root: it mounts file systems"
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.container)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))
            if why:
                item.add_marker(pytest.mark.skip(reason=f"containers: {why}"))


@pytest.fixture(scope="session")
def store() -> Iterator[Engine]:
    """Return an engine with both bases in its store."""
    with opened() as engine:
        yield engine


@pytest.fixture(scope="session")
def engine(store: Engine) -> Engine:
    """Return an engine that has built the image of this working copy."""
    build_image(store)
    return store


@contextmanager
def opened() -> Iterator[Engine]:
    """Give an engine with both bases in its store, and take the store away afterwards unless it is kept."""
    kept = os.environ.get("CAVECRON_CONTAINER_STORE")
    folder = Path(kept or tempfile.mkdtemp(prefix="cavecron-", dir="/var/tmp"))
    engine = Engine(store=folder, state=Path("/run") / folder.name)
    try:
        take_in_bases(engine)
        yield engine
    finally:
        if not kept:
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
