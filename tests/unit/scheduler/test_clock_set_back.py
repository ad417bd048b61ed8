"""A clock that is set back to just before a slot while the scheduler sleeps."""

from datetime import timedelta
from functools import partial

import pytest

from cavecron.errors import TemporaryError
from cavecron.ledger.models import Claim, RunResult
from cavecron.ledger.runs import claim_manual, record_end, renew
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW
from tests.support.simulated_schedulers import simulation

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MONDAYS = {"report": "0 8 * * mon"}


@pytest.mark.parametrize("before", [1, 5, 12, 20, 29])
def test_a_slot_recorded_as_missed_runs_when_it_comes_again(before: int) -> None:
    """A clock ahead by hours recorded the slot as missed; it still runs when its time comes."""
    with simulation(NOW - 10 * MINUTE, until=NOW + HOUR) as simulated:
        simulated.start(MONDAYS)
        machine = simulated.machine
        machine.at(NOW - 8 * MINUTE, partial(machine.set_clock, 2 * HOUR), interrupts=True)
        machine.at(NOW - before * SECOND, partial(machine.set_clock, -2 * HOUR), interrupts=True)
    (entry,) = simulated.history()
    assert (entry.slot, entry.state) == (NOW, "succeeded")
    assert entry.started
    assert entry.started - NOW < 30 * SECOND


@pytest.mark.parametrize("before", [1, 5, 12, 20, 29])
def test_a_slot_before_the_first_start_runs_when_it_comes_again(before: int) -> None:
    """The clock was ahead when the scheduler started, so that the slot seemed to be over."""
    with simulation(NOW - 2 * MINUTE, until=NOW + HOUR) as simulated:
        simulated.machine.set_clock(3 * MINUTE)
        simulated.start(MONDAYS)
        simulated.machine.at(
            NOW - before * SECOND, partial(simulated.machine.set_clock, -3 * MINUTE), interrupts=True
        )
    assert [(entry.slot, entry.state) for entry in simulated.history()] == [(NOW, "succeeded")]


@pytest.mark.parametrize("ahead", [5, 15, 25])
def test_a_step_of_some_seconds_is_seen_too(ahead: int) -> None:
    """The step is shorter than the sleep, so that the clock still shows a later time than before it."""
    with simulation(NOW - ahead * SECOND + SECOND, until=NOW + HOUR) as simulated:
        simulated.machine.set_clock(ahead * SECOND)
        simulated.start(MONDAYS)
        simulated.machine.at(
            NOW - (ahead - 1.5) * SECOND,
            partial(simulated.machine.set_clock, -ahead * SECOND),
            interrupts=True,
        )
    assert [(entry.slot, entry.state) for entry in simulated.history()] == [(NOW, "succeeded")]


def test_a_slot_that_ran_does_not_run_again() -> None:
    """The slot runs once, however often the clock is set back before it."""
    with simulation(NOW - MINUTE, until=NOW + HOUR) as simulated:
        simulated.start(MONDAYS)
        for number in range(1, 9):
            simulated.machine.at(
                NOW + number * 20 * SECOND,
                partial(simulated.machine.set_clock, -25 * SECOND),
                interrupts=True,
            )
    assert len(simulated.begun) == 1
    assert [entry.state for entry in simulated.history()] == ["succeeded"]


def test_a_clock_that_was_lost_for_a_while_costs_no_slot() -> None:
    """The clock is ahead, then in 1970 at the slot, then right: the slot runs late."""
    with simulation(NOW - 10 * MINUTE, until=NOW + HOUR) as simulated:
        machine = simulated.machine
        machine.set_clock(2 * HOUR)
        simulated.start(MONDAYS)
        lost = timedelta(days=20_000)
        machine.at(NOW - 5 * MINUTE, partial(machine.set_clock, -lost), interrupts=True)
        machine.at(NOW + 5 * MINUTE, partial(machine.set_clock, lost - 2 * HOUR), interrupts=True)
    (entry,) = simulated.history()
    assert (entry.slot, entry.state, entry.trigger) == (NOW, "succeeded", "replay")


def test_a_run_is_not_retried_after_its_hour_because_the_clock_was_lost_meanwhile() -> None:
    """The run failed while the clock was in 1970, where no job is scanned, and its hour is over."""
    with simulation(NOW - MINUTE, until=NOW + 3 * HOUR) as simulated:
        simulated.start(MONDAYS, lasting=MINUTE)
        machine, lost = simulated.machine, timedelta(days=20_000)
        machine.at(NOW + 5 * SECOND, partial(machine.set_clock, -lost), interrupts=True)
        machine.at(NOW + 10 * SECOND, lambda: simulated.fails.append(TemporaryError("serveur occupé")))
        machine.at(NOW + HOUR + 20 * SECOND, partial(machine.set_clock, lost), interrupts=True)
    assert len(simulated.begun) == 1
    assert [entry.state for entry in simulated.history()] == ["failed"]


def test_a_slot_during_a_run_of_another_process_is_not_lost() -> None:
    """The slot runs after the other process's run of half an hour, although the clock had been ahead."""
    with simulation(NOW - 10 * MINUTE, until=NOW + 3 * HOUR) as simulated:
        machine, other = simulated.machine, Ledger(database=simulated.database, owner="them")
        machine.set_clock(2 * HOUR)
        simulated.start(MONDAYS)
        claims: list[Claim] = []
        machine.at(NOW - MINUTE, partial(machine.set_clock, -2 * HOUR), interrupts=True)
        machine.at(
            NOW - 59 * SECOND,
            lambda: claims.append(claim_manual(other, "report", (), machine.now())),
            interrupts=True,
        )
        for half_minute in range(60):
            at = NOW + (half_minute - 1) * 30 * SECOND
            machine.at(at, lambda: renew(other, claims[0].run, machine.now()), interrupts=True)
        machine.at(
            NOW + 30 * MINUTE,
            lambda: record_end(other, claims[0], RunResult(state="succeeded"), machine.now()),
            interrupts=True,
        )
    slots = [(entry.slot, entry.state) for entry in simulated.history() if entry.trigger != "manual"]
    assert slots == [(NOW, "succeeded")]
