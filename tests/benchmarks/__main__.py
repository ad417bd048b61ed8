"""`python -m tests.benchmarks [NAME …] [--quick]` measures and prints one Markdown table.

The exit code is 1 if a figure is above its limit. `--quick` measures something small, to see that everything
runs: its figures mean nothing.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.benchmarks import (
    backup,
    cleanup,
    container,
    idle_costs,
    ledger,
    many_jobs,
    memory,
    reports,
    sending,
    slot_punctuality,
    startup,
)
from tests.benchmarks.figures import Figure

#: Each benchmark gets a folder of its own, which is removed afterwards.
TOPICS: Mapping[str, Callable[[Path, bool], Iterable[Figure]]] = {
    "reports": reports.figures,
    "memory": memory.figures,
    "sending": sending.figures,
    "cleanup": cleanup.figures,
    "backup": backup.figures,
    "ledger": ledger.figures,
    "startup": startup.figures,
    "idle_costs": idle_costs.figures,
    "slot_punctuality": slot_punctuality.figures,
    "many_jobs": many_jobs.figures,
}
#: Benchmarks that take minutes and need special tools: only if they are asked for by name.
ON_REQUEST: Mapping[str, Callable[[Path, bool], Iterable[Figure]]] = {"image": container.figures}


def main() -> int:
    """Measure, and print each line of the table when it is known."""
    known = {**TOPICS, **ON_REQUEST}
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print("| figure | measured | limit |\n|---|---|---|", flush=True)
    all_hold = True
    for name in arguments.names or TOPICS:
        with tempfile.TemporaryDirectory() as folder:
            for figure in known[name](Path(folder), arguments.quick):
                print(figure.line(), flush=True)
                all_hold = all_hold and figure.holds
    return 0 if all_hold or arguments.quick else 1


if __name__ == "__main__":
    sys.exit(main())
