"""Peak memory of all reports: 20,000 users over 2,000, 10 wines each."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.figures import MEMORY, Figure
from tests.benchmarks.sample import NOW, Cellars, fill
from tests.support.commands import environment

#: `ru_maxrss` of a child begins with what its parent had; VmHWM is the process's own.
_PROGRAM = """
import os, re, sys
from cavecron.cli.main import main
code = main(sys.argv[1:], os.environ)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(peak[1], file=sys.stderr)
sys.exit(code)
"""


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure the job with an outbox in memory, and `cavecron preview --all --json`: the whole process."""
    many, few = (200, 20) if quick else (20_000, 2_000)
    for name, arguments in {
        "`run weekly_reports`": ["run", "weekly_reports"],
        "`preview --all --json`": ["preview", "--all", "--json", "--at", NOW.isoformat()],
    }.items():
        peaks = [_peak(folder, users, arguments) for users in (many, few)]
        yield Figure(
            name=f"peak memory of {name} with {many:,} users over {few:,} (10 wines each)",
            measured=peaks[0] / peaks[1],
            unit="×",
            limit=1.5,
            note="{:.0f} MB over {:.0f} MB".format(*peaks),
        )


def _peak(folder: Path, users: int, arguments: Sequence[str]) -> float:
    """Return the most memory that the process had, in MB."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else folder) as place:
        path = Path(place) / "wine.db"
        fill(path, Cellars(users=users, wines=10))
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *arguments],
            env=environment(DATABASE_URL=f"sqlite:///{path}", CAVECRON_MAIL=f"maildir:{place}/outbox"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
    return int(done.stderr.split()[-1]) / 1024
