"""Every fault at every step, for the first, a middle and the last mail: the reported results are true."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.authority import Authority, authority
from tests.support.smtp_fault_matrix import FaultCase, fault_cases, run_mailing, violations

_ALL = tuple(fault_cases())
#: Most of the time is waiting; with more cases at a time, steps without a fault would be late too.
_AT_A_TIME = 8


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that all servers share."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return authority(folder)


def _all_violations(cases: Sequence[FaultCase], ca: Authority) -> dict[str, list[str]]:
    """Return the violations of all cases that have any."""

    def check(case: FaultCase) -> list[str]:
        return list(violations(case, run_mailing(case, ca)))

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        results = zip(cases, pool.map(check, cases), strict=True)
        return {str(case): violation for case, violation in results if violation}


def test_the_results_of_a_sample_of_faults_are_true(ca: Authority) -> None:
    """A seeded sample of the cases, small enough for each commit."""
    sample = random.Random(4).sample(_ALL, 16)
    assert _all_violations(sample, ca) == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(6))
def test_the_results_of_every_fault_are_true(ca: Authority, part: int) -> None:
    """All cases, a sixth at a time."""
    assert _all_violations(_ALL[part::6], ca) == {}
