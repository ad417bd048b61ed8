"""The schedule of missed slots, read from the text that the ledger has of it."""

from io import BytesIO
from zoneinfo import ZoneInfo

from cavecron.jobs.builtin import CLEANUP
from cavecron.jobs.loader import load_for
from cavecron.ledger.missed_slots import schedule_of
from cavecron.scheduler.context import system_context
from tests.support.ledgers import MONDAYS
from tests.support.zone_trees import zone_file


def test_a_former_schedule_follows_the_zone_files_that_the_present_ones_follow() -> None:
    """A former schedule gets its zone from the given function, not from zoneinfo."""
    zone = ZoneInfo.from_file(BytesIO(zone_file(3)), key="Europe/Chosen")
    keys: list[str] = []

    def zone_of(key: str) -> ZoneInfo:
        keys.append(key)
        return zone

    schedule = schedule_of(MONDAYS.fingerprint, zone_of)
    assert schedule
    assert (schedule.zone, keys) == (zone, [MONDAYS.zone.key])


def test_a_process_reads_zones_as_its_settings_do() -> None:
    """A former schedule with an unknown zone is None, and the ledger uses the zone files of the settings."""
    ledger = system_context(load_for([CLEANUP], {})).ledger
    assert ledger.zone_of(MONDAYS.zone.key) is not ZoneInfo(MONDAYS.zone.key)
    assert schedule_of("0 8 * * 1 Nowhere/Land", ledger.zone_of) is None
