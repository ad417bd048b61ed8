"""The benchmarks run without an error; their figures are not tested."""

import subprocess
import sys

import pytest

from tests.benchmarks.__main__ import TOPICS
from tests.support.commands import ROOT, environment


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS)
def test_a_benchmark_prints_its_lines(topic: str) -> None:
    """In its smallest size, each benchmark prints lines with a figure; the limits are not checked."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", topic, "--quick"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    head, rule, *lines = result.stdout.splitlines()
    assert (head, rule) == ("| figure | measured | limit |", "|---|---|---|")
    assert lines
    assert all(line.startswith("| ") and line.count(" | ") == 2 for line in lines)
