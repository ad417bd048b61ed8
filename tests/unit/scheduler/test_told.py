"""Who asked to be told hears, once, of what nobody will run any more, and of a database that stays away."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from cavecron.errors import NotReadyError
from tests.support.app_database import NOW
from tests.support.simulated import Simulation, simulation
from tests.unit.scheduler.test_notifications import Service, service

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def listening() -> Iterator[Service]:
    """Return a dead-man service."""
    with service() as started:
        yield started


def failures(listening: Service) -> list[str]:
    """Return what the service heard of failures."""
    return [body for path, body in listening.told if path.endswith("/fail")]


def start(simulated: Simulation, listening: Service) -> None:
    """Start a scheduler whose job is watched by the service."""
    simulated.start({"report": "0 8 * * mon"}, SCHEDULER_REPORT_PING_URL=listening.url)


def test_a_slot_that_is_missed_for_good_is_told(listening: Service) -> None:
    """The machine slept."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        start(simulated, listening)
        simulated.machine.at(NOW - 10 * SECOND, simulated.machine.sleep, jolt=True)
        simulated.machine.at(NOW + 2 * HOUR, simulated.machine.wake, jolt=True)
    (told,) = failures(listening)
    assert told.startswith("créneau manqué : lundi 23 novembre 2026 à 08:00 (trop tard : 2 h")


def test_a_database_that_stays_away_is_told_once(listening: Service) -> None:
    """After an hour, however long it lasts, and again only when it was back."""
    with simulation(NOW - MINUTE, until=NOW + 12 * HOUR) as simulated:
        trouble = simulated.database.trouble
        trouble.append(NotReadyError("base introuvable"))
        start(simulated, listening)
        heard: list[int] = []
        simulated.machine.at(NOW + 50 * MINUTE, lambda: heard.append(len(failures(listening))))
        simulated.machine.at(NOW + 6 * HOUR, lambda: heard.append(len(failures(listening))))
        simulated.machine.at(NOW + 7 * HOUR, trouble.clear)
    assert heard == [0, 1]
    (told,) = failures(listening)
    assert "attend sa base depuis une heure" in told
    assert "base introuvable" in told


def test_a_run_that_is_given_up_is_told(listening: Service) -> None:
    """Its process was killed, and nobody was there to take it up within the hour."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        first = simulated.process

        def restart() -> None:
            simulated.process = type(first)(machine=simulated.machine, loop=simulated.loop)
            start(simulated, listening)

        simulated.machine.at(NOW + MINUTE, first.kill)
        simulated.machine.at(NOW + 2 * HOUR, restart)
    (told,) = failures(listening)
    assert told == "créneau coupé net, non repris : lundi 23 novembre 2026 à 08:00"
    assert [entry.state for entry in simulated.history()] == ["interrupted"]


def test_nobody_is_told_who_did_not_ask() -> None:
    """Nor is a module imported for it."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"})
        simulated.process.exhausted.add("notify")
        simulated.machine.at(NOW - 10 * SECOND, simulated.machine.sleep, jolt=True)
        simulated.machine.at(NOW + 2 * HOUR, partial(simulated.machine.wake), jolt=True)
    assert [entry.state for entry in simulated.history()] == ["missed"]
