"""`cavecron check`: would the jobs work? One line for each thing that has to be right."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from cavecron.cli.preflight import CheckResult, run_checks
from cavecron.clock import SystemClock
from cavecron.errors import ConfigurationError
from cavecron.jobs.loader import load

_MARKS = {True: "✓", False: "✗", None: "–"}
#: Instead of ✓ and ✗ on a terminal that cannot show them.
_PLAIN_MARKS = {True: "[ok]", False: "[!!]", None: "[--]"}


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print each result as it comes; exit code 0 only if all is well, 2 for a wrong configuration."""
    try:
        settings, _jobs = load(environ)
    except ConfigurationError as error:
        for problem in error.problems:
            _print(CheckResult(subject="Configuration", ok=False, message=problem))
        return error.exit_code
    well = True
    for finding in run_checks(settings, clock=SystemClock(), mounts=_mounts(), send_to=arguments.send_to):
        _print(finding)
        well = well and finding.ok is True
    return 0 if well else 1


def _print(finding: CheckResult) -> None:
    mark = _MARKS[finding.ok]
    try:
        mark.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        mark = _PLAIN_MARKS[finding.ok]
    print(f"{mark} {finding.subject} : {finding.message}", flush=True)


def _mounts() -> str:
    """Return what Linux says of mounted file systems; elsewhere nothing."""
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
