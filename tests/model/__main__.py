"""Replay seeds: `python -m tests.model SEED…`, or live through many: `python -m tests.model FIRST-LAST`.

With `--first` it ends with the first broken one.
"""

import sys
import time

from tests.model.scenario import live


def main(arguments: list[str]) -> int:
    """Print what happened in each seed, or only the broken ones of many."""
    failed, impatient = 0, "--first" in arguments
    for argument in arguments:
        if argument == "--first":
            continue
        first, dash, last = argument.partition("-")
        if not dash:
            life = live(int(first), trace=print)
            print(life)
            failed += bool(life.broken)
            continue
        began, seconds = time.perf_counter(), 0.0
        for seed in range(int(first), int(last) + 1):
            life = live(seed)
            seconds += life.seconds
            if life.broken:
                failed += 1
                print(seed, *life.broken[:1], sep=": ")
                if impatient:
                    return 1
        took = time.perf_counter() - began
        years = seconds / 86400 / 365.25
        print(f"{failed} broken; {years:.1f} years in {took:.1f} s: {years / took:.1f} a second")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
