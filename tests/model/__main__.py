"""Replay seeds with `python -m tests.model SEED…`, or many of them with `python -m tests.model FIRST-LAST`.

With `--first` it ends at the first scenario that breaks a promise.
"""

import sys
import time

from tests.model.scenario import run_scenario


def main(arguments: list[str]) -> int:
    """Print the events of each seed, or only the broken promises if there are many seeds."""
    failed, stops_at_first = 0, "--first" in arguments
    for argument in arguments:
        if argument == "--first":
            continue
        first, dash, last = argument.partition("-")
        if not dash:
            result = run_scenario(int(first), trace=print)
            print(result)
            failed += bool(result.violations)
            continue
        start_time, seconds = time.perf_counter(), 0.0
        for seed in range(int(first), int(last) + 1):
            result = run_scenario(seed)
            seconds += result.seconds
            if result.violations:
                failed += 1
                print(seed, *result.violations[:1], sep=": ")
                if stops_at_first:
                    return 1
        elapsed = time.perf_counter() - start_time
        years = seconds / 86400 / 365.25
        print(f"{failed} broken; {years:.1f} years in {elapsed:.1f} s: {years / elapsed:.1f} a second")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
