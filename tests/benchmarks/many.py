"""How the cost of a start and of a slot grows with the number of jobs: 1,000, and 10,000.

`python -m tests.benchmarks.many [--quick]` starts a scheduler with so many jobs, a tenth of which share a
minute, whose jobs return at once. Costs are processor seconds of that process, so that other programs on
the machine do not count; the median of three runs each (`--quick`: one). The start of a scheduler with no
jobs of one's own is left out. The clock is `tests.clocked`, all else as it is: real seconds, real file.
"""

import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cavecron.demo import schema
from tests.clocked import program
from tests.commands import environment
from tests.processes import processor_seconds

FEW, MANY = 1_000, 10_000
#: How much more than ten times is still linear; what is quadratic is ten times as much.
MOST = 1.5
#: A Monday, when neither of the built-in jobs comes.
SLOT = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)

_STATES = "SELECT state, trigger, count(*) FROM cavecron_run GROUP BY state, trigger"

JOBS = """
import os
from cavecron import job

NUMBER = int(os.environ["JOBS"])

def work(run):
    pass

for number in range(NUMBER):
    minute = 5 + 5 * (number * 10 // NUMBER)
    globals()[f"job_{number}"] = job(f"job_{number}", cron=f"{minute} * * * *")(work)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Processor seconds of a start and of a slot, and real seconds until the last job of it had begun."""

    start: float
    slot: float
    last: float


def main() -> int:
    """Print the costs and how they grow; return 0 if they do so linearly and nothing was missed."""
    times = 1 if "--quick" in sys.argv[1:] else 3
    base = statistics.median(_run(0).start for _ in range(times))
    few, many = (_median([_run(number) for _ in range(times)]) for number in (FEW, MANY))
    start = (many.start - base) / (few.start - base) / (MANY / FEW)
    slot = many.slot / few.slot / (MANY / FEW)
    print(f"| processor seconds | {FEW:,} jobs | {MANY:,} jobs | growth, {MANY // FEW} × is 1 | limit |")
    print("|---|---|---|---|---|")
    print(f"| start | {few.start - base:.2f} | {many.start - base:.2f} | {start:.2f} | ≤ {MOST} |")
    print(f"| slot of a tenth of them | {few.slot:.2f} | {many.slot:.2f} | {slot:.2f} | ≤ {MOST} |")
    print(f"| its last job begins after (real seconds) | {few.last:.2f} | {many.last:.2f} | | |")
    return 0 if start <= MOST and slot <= MOST else 1


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        start=statistics.median(cost.start for cost in costs),
        slot=statistics.median(cost.slot for cost in costs),
        last=statistics.median(cost.last for cost in costs),
    )


def _run(number: int) -> Cost:
    """Return what a scheduler with so many jobs costs; fail where it misses a slot."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wine.db"
        Path(folder, "jobs_of_mine.py").write_text(JOBS, encoding="utf-8")
        with closing(sqlite3.connect(path)) as connection, connection:
            schema.create(connection)
        slot = datetime.now(UTC) + timedelta(seconds=10 + number / 200)
        process = subprocess.Popen(
            [sys.executable, "-m", *program(SLOT, since=slot)],
            env=environment(
                DATABASE_URL=f"sqlite:///{path}",
                JOBS=str(number),
                CAVECRON_JOBS=str(path.with_name("jobs_of_mine.py")) if number else "",
            ),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            return _cost(process, path, number, slot)
        finally:
            process.kill()
            process.communicate()


def _cost(process: "subprocess.Popen[str]", path: Path, number: int, slot: datetime) -> Cost:
    _read(process, {"prochain créneau": number + 2})
    start, share = processor_seconds(process.pid), number // 10
    if share == 0:
        return Cost(start=start, slot=0, last=0)
    said = _read(process, {"Démarrage du job": share, "exécuté avec succès": share})
    last = said["Démarrage du job"] - slot
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        limit = time.monotonic() + 120
        while (found := connection.execute(_STATES).fetchall()) != [("succeeded", "slot", share)]:
            if time.monotonic() > limit:
                raise RuntimeError(f"of {share} slots there are {found}")
            time.sleep(0.2)
    return Cost(start=start, slot=processor_seconds(process.pid) - start, last=last.total_seconds())


def _read(process: "subprocess.Popen[str]", times: Mapping[str, int]) -> Mapping[str, datetime]:
    """Return when the process said each of these for the last of so many times."""
    assert process.stdout
    left, when = dict(times), {}
    for line in process.stdout:
        for words in [words for words in left if words in line]:
            left[words] -= 1
            when[words] = datetime.now(UTC)
        if not any(left.values()):
            return when
    raise RuntimeError("it ended too soon")


if __name__ == "__main__":
    sys.exit(main())
