"""The result of a benchmark, a figure with its limit, and ways to measure that several benchmarks share.

A ratio is one of neighbours: both sides are measured in turn, and the median of the quotients counts, so
that what else the machine does weighs on both.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Files here cost no disk; where there is no such folder, figures that want it are those of the disk.
MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; `limit` is None where there is nothing to hold, only something to know."""

    name: str
    measured: float
    unit: str
    limit: float | None
    note: str = ""

    @property
    def holds(self) -> bool:
        """Return whether the limit is kept."""
        return self.limit is None or self.measured <= self.limit

    def line(self) -> str:
        """Return it as a line of a Markdown table."""
        note = f" ({self.note})" if self.note else ""
        limit = "" if self.limit is None else f"≤ {self.limit:g} {self.unit}"
        mark = "" if self.holds else " ✗"
        return f"| {self.name} | {self.measured:.3g} {self.unit}{note}{mark} | {limit} |"


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes, in seconds of real time."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ratio(
    name: str, ours: Callable[[], float], theirs: Callable[[], float], *, limit: float | None, runs: int
) -> Figure:
    """Return the median of `ours` over `theirs`, each of which measures seconds."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
    return Figure(
        name=name,
        measured=statistics.median(left / right for left, right in pairs),
        unit="×",
        limit=limit,
        note="{:.3g} s over {:.3g} s".format(*medians),
    )
