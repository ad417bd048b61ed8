"""Peak memory of all reports: how it grows with the users, and with the wines of each user."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.figures import MEMORY, Figure
from tests.benchmarks.sample import NOW, Cellars, fill
from tests.support.commands import environment

#: `ru_maxrss` of a child includes memory of its parent; VmHWM is that of the process alone.
_PROGRAM = """
import os, re, sys
from cavecron.cli.main import main
code = main(sys.argv[1:], os.environ)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(peak[1], file=sys.stderr)
sys.exit(code)
"""


#: Databases with few users and many wines, or with many users, and the largest memory in MB for their
#: mails; a container gets 64 MB.
_LIMITS = (
    (Cellars(users=2_000, wines=100), 45),
    (Cellars(users=50, wines=1_000, insights=3), 45),
    (Cellars(users=40, wines=25_000, insights=1), 64),
)


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure the whole process of the job with an outbox in memory, and of `preview --all --json`."""
    many, few = (200, 20) if quick else (20_000, 2_000)
    for name, arguments in {
        "`run weekly_reports`": ["run", "weekly_reports"],
        "`preview --all --json`": ["preview", "--all", "--json", "--at", NOW.isoformat()],
    }.items():
        peaks = [_peak(folder, Cellars(users=users, wines=10), arguments) for users in (many, few)]
        yield Figure(
            name=f"peak memory of {name} with {many:,} users over {few:,} (10 wines each)",
            measured=peaks[0] / peaks[1],
            unit="×",
            limit=1.5,
            note="{:.0f} MB over {:.0f} MB".format(*peaks),
        )
    for cellars, limit in _LIMITS:
        size = replace(cellars, wines=cellars.wines // 100) if quick else cellars
        yield Figure(
            name=f"peak memory of `run weekly_reports`: {size.users:,} users × {size.wines:,} wines"
            f" × {size.insights} insights",
            measured=_peak(folder, size, ["run", "weekly_reports"]),
            unit="MB",
            limit=limit,
        )


def _peak(folder: Path, cellars: Cellars, arguments: Sequence[str]) -> float:
    """Return the peak memory of the process, in MB."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else folder) as memory_folder:
        path = Path(memory_folder) / "wine.db"
        fill(path, cellars)
        result = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *arguments],
            env=environment(
                DATABASE_URL=f"sqlite:///{path}", CAVECRON_MAIL=f"maildir:{memory_folder}/outbox"
            ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
    return int(result.stderr.split()[-1]) / 1024
