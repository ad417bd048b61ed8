"""cavecron as a person runs it: a process of its own, with nothing but the environment that is given."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the process said, and its exit code."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Return an environment with these variables and what Python needs to find cavecron."""
    kept = {name: os.environ[name] for name in ("PATH", "COVERAGE_PROCESS_START") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **variables}


def cavecron(*arguments: str, cwd: Path | None = None, **variables: str) -> Result:
    """Run one command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "cavecron", *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Result(code=done.returncode, out=done.stdout, err=done.stderr)
