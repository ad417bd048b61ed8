"""Every fault at every step, for the first, a middle and the last mail: the reported results are true."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.authority import Authority, authority
from tests.support.smtp_fault_matrix import FaultCase, fault_cases, run_mailing, violations

_ALL = tuple(fault_cases())
#: Most of the time is waiting; more at a time would make the honest steps late too.
_AT_A_TIME = 8


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that all the servers share."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return authority(folder)


def _found(chosen: Sequence[FaultCase], ca: Authority) -> dict[str, list[str]]:
    """Return the violations of all cases that have any."""

    def look(case: FaultCase) -> list[str]:
        return list(violations(case, run_mailing(case, ca)))

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = zip(chosen, pool.map(look, chosen), strict=True)
        return {str(case): violation for case, violation in found if violation}


def test_a_sample_of_faults_is_survived_and_reported_truly(ca: Authority) -> None:
    """A seeded sample of them, for each commit."""
    sample = random.Random(4).sample(_ALL, 8)
    assert _found(sample, ca) == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(6))
def test_every_fault_is_survived_and_reported_truly(ca: Authority, part: int) -> None:
    """All of them, a sixth at a time."""
    assert _found(_ALL[part::6], ca) == {}
