"""The database is replaced, deleted or emptied while a scheduler runs, mostly by a restored backup."""

import logging
from datetime import timedelta

import pytest

from cavecron.errors import NotReadyError
from cavecron.ledger.overdue import overdue
from cavecron.ledger.store import Ledger
from cavecron.schedule import Schedule, parse
from cavecron.simulation.machine import memory_database
from tests.support.app_database import NOW
from tests.support.ledgers import HOURLY, MONDAYS
from tests.support.simulated_schedulers import Simulation, simulation

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DAY = 24 * HOUR
HALF_PAST = parse("30 8 * * mon", MONDAYS.zone)
JOBS: dict[str, Schedule] = {"report": MONDAYS, "tick": HOURLY}


def restore(simulated: Simulation) -> None:
    """Replace the file by an older one; here, one without a ledger."""
    simulated.database.files.append(memory_database())


def restore_copy(simulated: Simulation) -> None:
    """Replace the file by a copy of it without its runs."""
    present, copy = simulated.database.files[-1], memory_database()
    present.connection.backup(copy.connection)
    copy.connection.execute("DELETE FROM cavecron_run")
    copy.connection.execute("UPDATE cavecron_job SET looked_until = '2026-11-01 00:00:00.000000'")
    simulated.database.files.append(copy)


def drop_ledger(simulated: Simulation) -> None:
    """Drop the ledger's tables in the present file."""
    for table in ("run", "delivery", "job", "ledger"):
        simulated.database.files[-1].connection.execute(f"DROP TABLE IF EXISTS cavecron_{table}")


@pytest.mark.parametrize("replace", [restore, drop_ledger], ids=lambda replace: replace.__name__)
def test_a_run_whose_database_is_replaced_has_its_own_error(
    caplog: pytest.LogCaptureFixture, replace: object
) -> None:
    """The run fails within seconds with its own error and is recorded in the new file; it is not repeated."""
    with simulation(NOW - MINUTE, until=NOW + HOUR) as simulated:
        logging.getLogger("cavecron").setLevel(logging.INFO)
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        simulated.machine.at(NOW + 5 * SECOND, lambda: replace(simulated))  # type: ignore[operator]
        counts: list[int] = []
        simulated.machine.at(NOW + 25 * SECOND, lambda: counts.append(len(simulated.history())))
    assert counts == [1]
    (entry,) = simulated.history()
    assert (entry.slot, entry.state, entry.attempt) == (NOW, "failed", 1)
    assert "la base a été remplacée, ou son registre effacé" in str(entry.reason)
    assert "autre processus" not in str(entry.reason)
    assert len(simulated.begun) == 1


def test_a_run_whose_database_is_deleted_is_recorded_in_the_next_one() -> None:
    """The run ended while there was no database; its end is recorded in the next one."""
    with simulation(NOW - MINUTE, until=NOW + HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * SECOND)
        trouble = simulated.database.trouble
        simulated.machine.at(NOW + 5 * SECOND, lambda: trouble.append(NotReadyError("introuvable")))
        simulated.machine.at(NOW + 20 * MINUTE, lambda: restore(simulated))
        simulated.machine.at(NOW + 20 * MINUTE, trouble.clear)
    (entry,) = simulated.history()
    assert (entry.slot, entry.state, entry.summary) == (NOW, "succeeded", "fait")


@pytest.mark.parametrize("replace", [restore, restore_copy], ids=lambda replace: replace.__name__)
def test_a_restored_backup_knows_all_jobs_though_no_slot_comes_for_a_week(replace: object) -> None:
    """An idle scheduler notices the new file within half a minute and registers its jobs there."""
    with simulation(NOW - MINUTE, until=NOW + 3 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon", "wine": "30 8 * * mon"})
        simulated.machine.at(NOW + HOUR, lambda: replace(simulated), interrupts=True)  # type: ignore[operator]
        problems: list[object] = []
        ledger, jobs = Ledger(database=simulated.database), {"report": MONDAYS, "wine": HALF_PAST}
        simulated.machine.at(
            NOW + HOUR + 31 * SECOND,
            lambda: problems.append(overdue(ledger, jobs, simulated.machine.now())),
        )
    assert problems == [[]]
    assert [name for name, _at in simulated.begun] == ["report", "wine"]


@pytest.mark.parametrize("replace", [restore, restore_copy], ids=lambda replace: replace.__name__)
def test_a_restored_backup_knows_all_jobs_at_the_next_scan(replace: object) -> None:
    """All jobs are registered in the new file, and no slot that ran runs again."""
    with simulation(NOW - MINUTE, until=NOW + 3 * HOUR + MINUTE) as simulated:
        simulated.start({"report": "0 8 * * mon", "tick": "0 * * * *"})
        simulated.machine.at(NOW + 90 * MINUTE, lambda: replace(simulated))  # type: ignore[operator]
        problems: list[object] = []
        ledger = Ledger(database=simulated.database)
        simulated.machine.at(
            NOW + 2 * HOUR + MINUTE,
            lambda: problems.extend(overdue(ledger, JOBS, simulated.machine.now())),
        )
    assert problems == []
    assert [name for name, _at in simulated.begun] == ["report", "tick", "tick", "tick", "tick"]
