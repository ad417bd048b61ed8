"""`cavecron status`: how things stand, on one screen, as metrics, and as JSON; it writes nothing."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace

from cavecron.clock import SystemClock
from cavecron.jobs.loader import load
from cavecron.status.collect import Scope, collect
from cavecron.status.document import document
from cavecron.status.metrics import metrics
from cavecron.status.terminal import screen, signs_for

_DETAILED = Scope(coming=5, undelivered=200)


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print how things stand; exit code 0 if all is well, 1 where `health` says otherwise."""
    settings, jobs = load(environ)
    scope = replace(_DETAILED if arguments.json else Scope(), names=arguments.names)
    facts = collect(settings, jobs, now=SystemClock().now(), scope=scope)
    for warning in settings.warnings:
        print(f"cavecron : {warning}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(document(facts), ensure_ascii=False, indent=2))
    elif arguments.metrics:
        print(metrics(facts), end="")
    else:
        print("\n".join(screen(facts, signs_for(sys.stdout.encoding))))
    return 0 if facts.healthy else 1
