"""`python -m tests.benchmarks [NAME …] [--quick]`: measure, and print one Markdown table.

Exit code 1 where a limit is not kept. `--quick` measures something small, to see that everything runs: its
figures mean nothing.
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
    guest,
    ledger,
    many,
    memory,
    punctual,
    reports,
    sending,
    startup,
)
from tests.benchmarks.figures import Figure

#: Each measures in a folder of its own, which is removed afterwards.
TOPICS: Mapping[str, Callable[[Path, bool], Iterable[Figure]]] = {
    "reports": reports.figures,
    "memory": memory.figures,
    "sending": sending.figures,
    "cleanup": cleanup.figures,
    "backup": backup.figures,
    "ledger": ledger.figures,
    "startup": startup.figures,
    "guest": guest.figures,
    "punctual": punctual.figures,
    "many": many.figures,
}
#: Takes minutes, and tools that are not everywhere: only where it is asked for.
ON_REQUEST: Mapping[str, Callable[[Path, bool], Iterable[Figure]]] = {"image": container.figures}


def main() -> int:
    """Print the table as it grows."""
    known = {**TOPICS, **ON_REQUEST}
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    print("| figure | measured | limit |\n|---|---|---|", flush=True)
    held = True
    for name in arguments.names or TOPICS:
        with tempfile.TemporaryDirectory() as folder:
            for figure in known[name](Path(folder), arguments.quick):
                print(figure.line(), flush=True)
                held = held and figure.holds
    return 0 if held or arguments.quick else 1


if __name__ == "__main__":
    sys.exit(main())
