"""`cavecron next` without `--from`, at instants at which an error is likely."""

from datetime import datetime, timedelta

import pytest

from tests.support.critical_instants import AUTUMN, DAILY, HALF_HOURS, INSTANT, NEW_YEAR, SPRING, YEARLY
from tests.support.in_process import command
from tests.support.ledgers import MINUTE

JUMPS = " l'heure de printemps saute 02:30 : à 03:00"


@pytest.mark.parametrize(
    ("cron", "at", "lines"),
    [
        pytest.param(
            *(DAILY, SPRING - timedelta(seconds=1)),
            [
                f"dimanche 2027-03-28 03:00 +02:00 cleanup dans 1 s{JUMPS}",
                "lundi 2027-03-29 02:30 +02:00 cleanup dans 23 h 30 min",
            ],
            id="a second before the gap",
        ),
        pytest.param(
            *(DAILY, SPRING),
            [
                f"dimanche 2027-03-28 03:00 +02:00 cleanup dans 0 s{JUMPS}",
                "lundi 2027-03-29 02:30 +02:00 cleanup dans 23 h 30 min",
            ],
            id="at the end of the gap",
        ),
        pytest.param(
            *(DAILY, SPRING + INSTANT),
            [
                "lundi 2027-03-29 02:30 +02:00 cleanup dans 23 h 29 min",
                "mardi 2027-03-30 02:30 +02:00 cleanup dans 1 j 23 h",
            ],
            id="just after the gap",
        ),
        pytest.param(
            *(DAILY, AUTUMN - 30 * MINUTE),
            [
                "dimanche 2027-10-31 02:30 +02:00 cleanup dans 0 s 02:30 a lieu deux fois : la première",
                "lundi 2027-11-01 02:30 +01:00 cleanup dans 1 j 1 h",
            ],
            id="in the first occurrence of the hour",
        ),
        pytest.param(
            *(DAILY, AUTUMN + 30 * MINUTE),
            [
                "lundi 2027-11-01 02:30 +01:00 cleanup dans 1 j",
                "mardi 2027-11-02 02:30 +01:00 cleanup dans 2 j",
            ],
            id="in the second occurrence of the hour",
        ),
        pytest.param(
            *(HALF_HOURS, AUTUMN - 15 * MINUTE),
            [
                "dimanche 2027-10-31 02:00 +01:00 cleanup dans 15 min 02:00 a lieu deux fois : la seconde",
                "dimanche 2027-10-31 02:30 +01:00 cleanup dans 45 min 02:30 a lieu deux fois : la seconde",
            ],
            id="elapsed time in the repeated hour",
        ),
        pytest.param(
            *(HALF_HOURS, SPRING - MINUTE),
            [
                "dimanche 2027-03-28 03:00 +02:00 cleanup dans 1 min",
                "dimanche 2027-03-28 03:30 +02:00 cleanup dans 31 min",
            ],
            id="elapsed time over the gap",
        ),
        pytest.param(
            *(YEARLY, NEW_YEAR - timedelta(seconds=1)),
            [
                "samedi 2028-01-01 00:00 +01:00 cleanup dans 1 s",
                "lundi 2029-01-01 00:00 +01:00 cleanup dans 366 j",
            ],
            id="a second before the new year",
        ),
        pytest.param(
            *(YEARLY, NEW_YEAR + INSTANT),
            [
                "lundi 2029-01-01 00:00 +01:00 cleanup dans 365 j 23 h",
                "mardi 2030-01-01 00:00 +01:00 cleanup dans 730 j 23 h",
            ],
            id="in the new year, which in UTC is still the old one",
        ),
    ],
)
def test_next_counts_from_the_present_instant(cron: str, at: datetime, lines: list[str]) -> None:
    """A slot at the present instant is listed, and one a microsecond earlier is not."""
    result = command(
        *("next", "cleanup", "-n", "2"),
        at=at,
        SCHEDULER_CLEANUP_CRON=cron,
        SCHEDULER_TIMEZONE="Europe/Paris",
    )
    assert [" ".join(line.split()) for line in result.out.splitlines()[2:]] == lines
