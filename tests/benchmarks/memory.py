"""Peak memory of all reports: 20,000 users over 2,000, 10 wines each."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.benchmarks.sample import NOW, Cellars, fill
from tests.commands import environment

#: `ru_maxrss` of a child begins with what its parent had; VmHWM is the process's own.
_PROGRAM = """
import os, re, sys
from cavecron.cli import main
code = main(sys.argv[1:], os.environ)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(peak[1], file=sys.stderr)
sys.exit(code)
"""


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure `cavecron preview --all --json`, the whole process."""
    many, few = (200, 20) if quick else (20_000, 2_000)
    peaks = []
    for users in (many, few):
        path = folder / f"{users}.db"
        fill(path, Cellars(users=users, wines=10))
        peaks.append(_peak(path))
    yield Figure(
        name=f"peak memory of all reports, {many:,} users over {few:,} (10 wines each)",
        measured=peaks[0] / peaks[1],
        unit="×",
        limit=1.5,
        note="{:.0f} MB over {:.0f} MB".format(*peaks),
    )


def _peak(path: Path) -> float:
    """Return the most memory that the process had, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, "preview", "--all", "--json", "--at", NOW.isoformat()],
        env=environment(DATABASE_URL=f"sqlite:///{path}"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stderr.split()[-1]) / 1024
