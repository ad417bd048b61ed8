"""`cavecron check`: would the jobs work? One line for each check."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from cavecron.cli.preflight import CheckResult, run_checks
from cavecron.clock import SystemClock
from cavecron.errors import ConfigurationError
from cavecron.jobs.loader import load

_MARKS = {True: "✓", False: "✗", None: "–"}
#: For a terminal that cannot show the other ones.
_PLAIN_MARKS = {True: "[ok]", False: "[!!]", None: "[--]"}


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print each result at once; exit code 0 if all checks succeed, else 1; 2 for a wrong configuration."""
    try:
        settings, _jobs = load(environ)
    except ConfigurationError as error:
        for problem in error.problems:
            _print(CheckResult(subject="Configuration", ok=False, message=problem))
        return error.exit_code
    all_ok = True
    for result in run_checks(settings, clock=SystemClock(), mounts=_mounts(), send_to=arguments.send_to):
        _print(result)
        all_ok = all_ok and result.ok is True
    return 0 if all_ok else 1


def _print(result: CheckResult) -> None:
    mark = _MARKS[result.ok]
    try:
        mark.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        mark = _PLAIN_MARKS[result.ok]
    print(f"{mark} {result.subject} : {result.message}", flush=True)


def _mounts() -> str:
    """Return Linux' list of mounted file systems, '' on other systems."""
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
