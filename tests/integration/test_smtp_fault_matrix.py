"""Every fault at every step, for the first, a middle and the last: the report is what the server has."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.authority import Authority, authority
from tests.support.smtp_fault_matrix import Storm, complaints, storms, weather

_ALL = tuple(storms())
#: Storms mostly wait; more at a time would make the honest steps late too.
_AT_A_TIME = 8


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that all the servers share."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return authority(folder)


def _found(chosen: Sequence[Storm], ca: Authority) -> dict[str, list[str]]:
    """Return what is to be complained of, by storm."""

    def look(storm: Storm) -> list[str]:
        return list(complaints(storm, weather(storm, ca)))

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = zip(chosen, pool.map(look, chosen), strict=True)
        return {str(storm): complained for storm, complained in found if complained}


def test_a_sample_of_storms_is_weathered_and_told_honestly(ca: Authority) -> None:
    """A seeded sample of them, for each commit."""
    sample = random.Random(4).sample(_ALL, 8)
    assert _found(sample, ca) == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(6))
def test_every_storm_is_weathered_and_told_honestly(ca: Authority, part: int) -> None:
    """All of them, a sixth at a time."""
    assert _found(_ALL[part::6], ca) == {}
