"""cavecron as a person runs it: a process of its own, with nothing but the environment that is given."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the process said, and its exit code."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Return an environment with these variables and what Python needs to find cavecron."""
    passed = ("PATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    kept = {name: os.environ[name] for name in passed if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **variables}


def cavecron(
    *arguments: str,
    cwd: Path | None = None,
    prefix: Sequence[str] = (),
    encoding: str = "utf-8",
    **variables: str,
) -> Result:
    """Run one command to its end; `prefix` is what starts it, where that is not the shell itself."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "cavecron", *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        encoding=encoding,
        timeout=60,
        check=False,
    )
    return Result(code=done.returncode, out=done.stdout, err=done.stderr)


def unprivileged() -> Sequence[str]:
    """Return what to start a command with so that permissions bind it, even as root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to give that up")
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
