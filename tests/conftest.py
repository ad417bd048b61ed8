"""What several test files start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cellars import CellarFile


@pytest.fixture
def cellar(tmp_path: Path) -> Iterator[CellarFile]:
    """Return an empty database of the application."""
    made = CellarFile(tmp_path / "wine.db")
    yield made
    made.close()
