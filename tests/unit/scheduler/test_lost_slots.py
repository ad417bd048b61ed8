"""Notifications of slots that are lost, and of a database that stays unavailable; each is sent once."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cavecron import Run, job
from cavecron.errors import NotReadyError, TemporaryError
from cavecron.jobs.loader import load_for
from cavecron.ledger.runs import claim_manual
from cavecron.scheduler.context import Options, StopSignal, system_context
from cavecron.scheduler.runner import HungError, execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.fake_smtp.server import HostileServer
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


def start(simulated: Simulation, listening: Service, **options: Any) -> None:
    """Start a scheduler whose job is watched by the service."""
    simulated.start({"report": "0 8 * * mon"}, SCHEDULER_REPORT_PING_URL=listening.url, **options)


def restart(simulated: Simulation, listening: Service) -> None:
    """Start another process with such a scheduler."""
    simulated.process = type(simulated.process)(machine=simulated.machine, loop=simulated.loop)
    start(simulated, listening)


def kill(simulated: Simulation) -> None:
    """Kill the process that runs then."""
    simulated.process.kill()


def subjects(box: Path) -> list[str]:
    """Return what the mails in a folder are about."""
    mails = [message_from_bytes(path.read_bytes(), policy=default) for path in (box / "new").glob("*")]
    return [str(mail["Subject"]) for mail in mails]


def test_a_slot_that_is_missed_for_good_is_told(listening: Service) -> None:
    """The machine slept."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        start(simulated, listening)
        simulated.machine.at(NOW - 10 * SECOND, simulated.machine.sleep, interrupts=True)
        simulated.machine.at(NOW + 2 * HOUR, simulated.machine.wake, interrupts=True)
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


def test_the_operator_is_mailed_what_is_missed_for_good(listening: Service, tmp_path: Path) -> None:
    """One mail beside the ping, with what can be done."""
    variables = {"CAVECRON_ALERT_TO": "chef@example.org", "CAVECRON_MAIL": f"maildir:{tmp_path}"}
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        start(simulated, listening, **variables)
        simulated.machine.at(NOW - 10 * SECOND, simulated.machine.sleep, interrupts=True)
        simulated.machine.at(NOW + 2 * HOUR, simulated.machine.wake, interrupts=True)
    assert len(failures(listening)) == 1
    assert subjects(tmp_path) == ["Cave à Vin : créneau manqué du job report"]


def test_a_long_absence_is_mailed_when_the_database_says_how(cellar: CellarFile, listening: Service) -> None:
    """The mail server is named in the database: while that is away there is only the ping."""
    cellar.path.rename(cellar.path.with_name("absente.db"))
    variables = {"CAVECRON_ALERT_TO": "chef@example.org", "DATABASE_URL": f"sqlite:///{cellar.path}"}
    with HostileServer() as server, simulation(NOW - MINUTE, until=NOW + 12 * HOUR) as simulated:
        trouble = simulated.database.trouble

        def come_back() -> None:
            cellar.path.with_name("absente.db").rename(cellar.path)
            cellar.smtp(server.port)
            trouble.clear()

        trouble.append(NotReadyError("base introuvable"))
        start(simulated, listening, **variables)
        simulated.machine.at(NOW + 7 * HOUR, come_back)
    (mail,) = server.accepted
    message = message_from_bytes(mail.content, policy=default)
    assert message["Subject"] == "Cave à Vin : le planificateur attend sa base"
    assert "a attendu sa base pendant 7 h" in message.get_content()
    assert "base introuvable" in message.get_content()


def test_a_long_absence_is_mailed_once_where_that_is_possible(listening: Service, tmp_path: Path) -> None:
    """A locked database can be read, and a folder for mails needs none."""
    variables = {"CAVECRON_ALERT_TO": "chef@example.org", "CAVECRON_MAIL": f"maildir:{tmp_path}"}
    with simulation(NOW - MINUTE, until=NOW + 12 * HOUR) as simulated:
        simulated.database.trouble.append(NotReadyError("base introuvable"))
        start(simulated, listening, **variables)
        simulated.machine.at(NOW + 7 * HOUR, simulated.database.trouble.clear)
    assert subjects(tmp_path) == ["Cave à Vin : le planificateur attend sa base"]


def test_a_run_that_is_given_up_is_told(listening: Service) -> None:
    """Its process was killed, and nobody was there to take it up within the hour."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        simulated.machine.at(NOW + MINUTE, simulated.process.kill)
        simulated.machine.at(NOW + 2 * HOUR, partial(restart, simulated, listening))
    (told,) = failures(listening)
    assert told == "créneau coupé net, non repris : lundi 23 novembre 2026 à 08:00"
    assert [entry.state for entry in simulated.history()] == ["interrupted"]


@pytest.mark.parametrize("how", ["stopped", "failed"])
def test_a_run_that_waited_to_be_taken_up_is_told_once(listening: Service, how: str) -> None:
    """It was stopped, or was to be tried again, and its hour passed with nobody there."""
    with simulation(NOW - MINUTE, until=NOW + 9 * HOUR) as simulated:
        if how == "failed":
            simulated.fails.append(TemporaryError("serveur occupé"))
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        simulated.machine.at(NOW + 30 * SECOND, simulated.stop)
        simulated.machine.at(NOW + 45 * SECOND, simulated.process.kill)
        for hours in (2, 4):
            simulated.machine.at(NOW + hours * HOUR, partial(restart, simulated, listening))
            simulated.machine.at(NOW + (hours + 1) * HOUR, partial(kill, simulated))
    assert failures(listening) == ["créneau inachevé, non repris : lundi 23 novembre 2026 à 08:00"]
    assert [entry.state for entry in simulated.history()] == [{"stopped": "interrupted"}.get(how, how)]


def test_a_stopped_run_that_is_taken_up_in_time_is_told_to_nobody(listening: Service) -> None:
    """An update of the image is no accident."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        simulated.machine.at(NOW + 30 * SECOND, simulated.stop)
        simulated.machine.at(NOW + 45 * SECOND, simulated.process.kill)
        simulated.machine.at(NOW + 2 * MINUTE, partial(restart, simulated, listening))
    assert failures(listening) == []
    assert [entry.state for entry in simulated.history()] == ["succeeded"]


def test_a_job_whose_thread_hangs_is_told(listening: Service, cellar: CellarFile) -> None:
    """When its time is up, with what to do: this scheduler cannot end the thread."""
    over = Event()

    @job("stuck", title="bloqué")
    def stuck(run: Run) -> None:
        over.wait(30)

    made = system_context(
        load_for(
            [stuck],
            {
                "DATABASE_URL": f"sqlite:///{cellar.path}",
                "SCHEDULER_STUCK_TIMEOUT": "1",
                "SCHEDULER_STUCK_PING_URL": listening.url,
                "CAVECRON_STOP_GRACE": "1",
            },
        )
    )
    claim = claim_manual(made.ledger, "stuck", (), made.clock.now())
    options = Options(wait_for_database=True)
    with pytest.raises(HungError):
        asyncio.run(execute_run(claim, stuck, made, stop=StopSignal(), options=options))
    over.set()
    assert failures(listening) == [
        "le job ignore sa durée limite (il n'appelle pas run.check()) : abandonné ; redémarrer cavecron :"
        " d'ici là il n'exécute plus ce job"
    ]


def test_nobody_is_told_who_did_not_ask() -> None:
    """Nor is a module imported for it."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"})
        simulated.process.exhausted.add("notify")
        simulated.machine.at(NOW - 10 * SECOND, simulated.machine.sleep, interrupts=True)
        simulated.machine.at(NOW + 2 * HOUR, partial(simulated.machine.wake), interrupts=True)
    assert [entry.state for entry in simulated.history()] == ["missed"]
