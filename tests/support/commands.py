"""Running cavecron as a person does: in a process, with only the given environment."""

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
    """The output of a process, and its exit code."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Return an environment with these variables and what Python needs to find cavecron."""
    passed = ("PATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    inherited = {name: os.environ[name] for name in passed if name in os.environ}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **variables}


def cavecron(
    *arguments: str,
    cwd: Path | None = None,
    prefix: Sequence[str] = (),
    encoding: str = "utf-8",
    **variables: str,
) -> Result:
    """Run one command to its end; `prefix` are the words of a command that starts it."""
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
    """Return a prefix for a command that makes file permissions effective even for root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to give that up")
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
