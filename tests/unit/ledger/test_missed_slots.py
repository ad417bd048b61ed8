"""The schedule that rows of missed slots were made for, read from what the ledger has of it."""

from io import BytesIO
from zoneinfo import ZoneInfo

from cavecron.jobs.builtin import CLEANUP
from cavecron.jobs.loader import load_for
from cavecron.ledger.missed_slots import schedule_of
from cavecron.scheduler.context import system_context
from tests.support.ledgers import MONDAYS
from tests.support.zone_trees import zone_file


def test_a_former_schedule_follows_the_zone_files_that_the_present_ones_follow() -> None:
    """Those that were chosen, not whatever zoneinfo finds first."""
    made_up = ZoneInfo.from_file(BytesIO(zone_file(3)), key="Europe/Chosen")
    asked: list[str] = []

    def zone_of(key: str) -> ZoneInfo:
        asked.append(key)
        return made_up

    schedule = schedule_of(MONDAYS.fingerprint, zone_of)
    assert schedule
    assert (schedule.zone, asked) == (made_up, [MONDAYS.zone.key])


def test_a_process_reads_zones_as_its_settings_do() -> None:
    """An unknown one, or a file that is damaged, makes a former schedule unreadable and ends nothing."""
    ledger = system_context(load_for([CLEANUP], {})).ledger
    assert ledger.zone_of(MONDAYS.zone.key) is not ZoneInfo(MONDAYS.zone.key)
    assert schedule_of("0 8 * * 1 Nowhere/Land", ledger.zone_of) is None
