"""More jobs in one minute than may run at the same time, and a system that refuses threads."""

from datetime import timedelta
from functools import partial

import pytest

from tests.support.app_database import NOW
from tests.support.simulated_schedulers import simulation

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MONDAYS = {"report": "0 8 * * mon"}


def test_jobs_wait_their_turn() -> None:
    """Three jobs run at a time in the order of their names, and each has a row in the end."""
    names = {f"job{number:02}": "0 8 * * mon" for number in range(10)}
    with simulation(NOW - MINUTE, until=NOW + HOUR) as simulated:
        simulated.start(names, lasting=40 * SECOND, CAVECRON_MAX_RUNNING="3")
    assert simulated.most_at_work == 3
    assert [name for name, _at in simulated.begun] == sorted(names)
    entries = simulated.history()
    assert [entry.state for entry in entries] == ["succeeded"] * 10
    assert [entry.trigger for entry in entries[:6]] == ["slot"] * 6
    assert [entry.trigger for entry in entries[6:]] == ["replay"] * 4


def test_a_slot_that_waited_an_hour_is_missed() -> None:
    """The time that a slot waits for other jobs counts as lateness."""
    with simulation(NOW - MINUTE, until=NOW + 3 * HOUR) as simulated:
        simulated.start(
            {"first": "0 8 * * mon", "second": "0 8 * * mon"},
            lasting=62 * MINUTE,
            CAVECRON_MAX_RUNNING="1",
            SCHEDULER_FIRST_TIMEOUT="86400",
        )
    assert [(entry.job, entry.state) for entry in simulated.history()] == [
        ("first", "succeeded"),
        ("second", "missed"),
    ]
    assert "trop tard : 1 h 02 min de retard" in str(simulated.history()[1].reason)


def test_a_stop_starts_no_waiting_run() -> None:
    """The waiting slot has no row, so that the next scheduler can run it."""
    with simulation(NOW - MINUTE, until=NOW + 3 * HOUR) as simulated:
        simulated.start(
            {"first": "0 8 * * mon", "second": "0 8 * * mon"},
            lasting=10 * MINUTE,
            CAVECRON_MAX_RUNNING="1",
        )
        simulated.machine.at(NOW + MINUTE, simulated.stop)
    assert [(entry.job, entry.state) for entry in simulated.history()] == [("first", "interrupted")]
    assert not simulated.process.tasks[0].cancelled()  # it returned


@pytest.mark.parametrize(
    ("call", "until"),
    [("register", -45), ("scan", 95), ("report", 95), ("lease", 95), ("end", 95), ("notify", 95)],
)
def test_a_system_without_threads_costs_no_slot(call: str, until: int) -> None:
    """The slot runs after the system has refused a thread for one of the scheduler's calls."""
    with simulation(NOW - 2 * MINUTE, until=NOW + HOUR) as simulated:
        simulated.process.exhausted.add(call)
        simulated.start(MONDAYS, lasting=50 * SECOND, SCHEDULER_REPORT_PING_URL="http://127.0.0.1:1/unheard")
        simulated.machine.at(NOW + until * SECOND, partial(simulated.process.exhausted.discard, call))
    (entry,) = simulated.history()
    assert (entry.slot, entry.state) == (NOW, "succeeded")
    assert simulated.process.tasks[0].cancelled()  # it ran until the end of the simulation


def test_a_run_fails_if_the_system_never_grants_a_thread() -> None:
    """The run fails after the usual attempts, with the refused thread as reason."""
    with simulation(NOW - 2 * MINUTE, until=NOW + HOUR) as simulated:
        simulated.process.exhausted.add("report")
        simulated.start(MONDAYS)
    (entry,) = simulated.history()
    assert (entry.state, entry.attempt, entry.reason) == ("failed", 4, "plus de thread")
