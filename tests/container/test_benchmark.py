"""The benchmark of the image runs; of its figures only those are tested that do not depend on the machine."""

from pathlib import Path

from tests.benchmarks.container import measured
from tests.container.engine import Engine


def test_the_image_is_measured(engine: Engine, tmp_path: Path) -> None:
    """Sizes and memory hold their limits on any machine; a duration does only on a quiet one."""
    memory, health, *sizes = measured(engine, tmp_path, runs=3)
    assert memory.holds, memory.line()
    assert health.measured < 2, health.line()
    assert len(sizes) == 2
    for size in sizes:
        assert size.holds, size.line()
