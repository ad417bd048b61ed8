"""The result of a benchmark, a figure with its limit, and ways to measure that several benchmarks share.

For a ratio both sides are measured alternately, and the median of the quotients counts, so that other
programs on the machine affect both sides.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: A folder in memory; where it does not exist, the figures include the disk.
MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; `limit` is None if the figure is only informative."""

    name: str
    measured: float
    unit: str
    limit: float | None
    note: str = ""

    @property
    def holds(self) -> bool:
        """Return whether the figure is within its limit."""
        return self.limit is None or self.measured <= self.limit

    def line(self) -> str:
        """Return the figure as a line of a Markdown table."""
        note = f" ({self.note})" if self.note else ""
        limit = "" if self.limit is None else f"≤ {self.limit:g} {self.unit}"
        mark = "" if self.holds else " ✗"
        return f"| {self.name} | {self.measured:.3g} {self.unit}{note}{mark} | {limit} |"


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of real time that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ratio(
    name: str,
    measure: Callable[[], float],
    measure_reference: Callable[[], float],
    *,
    limit: float | None,
    runs: int,
) -> Figure:
    """Return the median of `measure` over `measure_reference`, two functions that return seconds."""
    pairs = [(measure(), measure_reference()) for _ in range(runs)]
    medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
    return Figure(
        name=name,
        measured=statistics.median(left / right for left, right in pairs),
        unit="×",
        limit=limit,
        note="{:.3g} s over {:.3g} s".format(*medians),
    )
