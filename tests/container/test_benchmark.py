"""The benchmark of the image runs; only figures that do not depend on the machine are tested."""

from pathlib import Path

from tests.benchmarks.container import image_figures
from tests.container.engine import Engine


def test_the_image_is_measured(engine: Engine, tmp_path: Path) -> None:
    """Sizes and memory are within their limits on any machine; the duration depends on the machine."""
    memory, health, *sizes = image_figures(engine, tmp_path, runs=3)
    assert memory.holds, memory.line()
    assert health.measured < 2, health.line()
    assert len(sizes) == 2
    for size in sizes:
        assert size.holds, size.line()
