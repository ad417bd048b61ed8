"""Every clock change of every IANA zone from 2015 to 2040, with every expression of the family.

`python -m tests.model.clock_change_sweep [FIRST_YEAR LAST_YEAR] [--every-zone]` compares next_slot,
previous_slot and count_slots with cronsim, in both directions, and with promise 5 taken literally. Zones with
the same change at the same instant are tried once, unless --every-zone is given. It prints known differences
by their reason and returns 1 if there are others. 26 years have 1730 changes and take 20 minutes on one core.
"""

import sys
from collections import Counter

from tests.support.clock_changes import changes
from tests.support.oracle import DENSE, SPARSE, differences


def main() -> int:
    """Run the sweep and return its exit code."""
    years = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()] or [2015, 2040]
    clock_changes = changes(*years, every_zone="--every-zone" in sys.argv)
    family = DENSE + SPARSE
    print(
        f"{years[0]}-{years[-1]}: {len(clock_changes)} clock changes × {len(family)} expressions", flush=True
    )
    known: Counter[str] = Counter()
    unknown = 0
    for number, change in enumerate(clock_changes, start=1):
        for expression in family:
            for difference in differences(expression, change):
                known[difference.reason] += bool(difference.reason)
                if not difference.reason:
                    unknown += 1
                    print(difference.text, flush=True)
        if number % 100 == 0:
            print(f"  {number} changes, {unknown} unknown differences", flush=True)
    for reason, count in sorted(known.items()):
        if reason:
            print(f"known, {count} times: {reason}")
    print(f"unknown differences: {unknown}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
