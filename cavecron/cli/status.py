"""`cavecron status`: the state of everything, as text, HTML, metrics or JSON. The database is not written."""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from cavecron.cli.html_output import refuse_output_without_html, write_page
from cavecron.clock import SystemClock
from cavecron.jobs.loader import load, working_directory
from cavecron.status.collect import EVERYTHING, Scope, collect
from cavecron.status.document import document
from cavecron.status.html import page
from cavecron.status.metrics import metrics
from cavecron.status.terminal import WIDTH, screen, signs_for
from cavecron.text import to_json

_DETAILED = Scope(coming=5, undelivered=200)
#: On a terminal of fewer columns lines are longer than it, because no word is broken.
_NARROWEST = 40


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the status; the exit code is that of `cavecron health`."""
    refuse_output_without_html(arguments)
    folder = working_directory()  # before a file of jobs is executed, which may change it
    settings, jobs = load(environ)
    scope = EVERYTHING if arguments.html else _DETAILED if arguments.json else Scope()
    scope = replace(scope, names=arguments.names)
    facts = collect(settings, jobs, now=SystemClock().now(), scope=scope)
    for warning in settings.warnings:
        print(f"cavecron : {warning}", file=sys.stderr)
    if arguments.json:
        print(to_json(document(facts), indent=2))
    elif arguments.html:
        write_page(page(facts), arguments.output, folder, private=arguments.names)
    elif arguments.metrics:
        print(metrics(facts), end="")
    else:
        print("\n".join(screen(facts, signs_for(sys.stdout.encoding), _width())))
    return 0 if facts.healthy else 1


def _width() -> int:
    """Return how many columns the terminal has, `WIDTH` at most; `WIDTH` also for a file or a pipe."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(_NARROWEST, min(WIDTH, columns or WIDTH))
