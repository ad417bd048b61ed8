"""Notifications of slots that are lost, and of a database that stays unavailable; each is sent once."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
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
from cavecron.scheduler.runner import JobHungError, execute_run
from tests.support.app_database import NOW, CellarFile
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.simulated_schedulers import Simulation, simulation
from tests.unit.scheduler.test_notifications import Service, service

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def monitor() -> Iterator[Service]:
    """Yield a monitoring service."""
    with service() as started:
        yield started


def failures(monitor: Service) -> list[str]:
    """Return the texts of the pings of failures that the service got."""
    return [body for path, body in monitor.pings if path.endswith("/fail")]


def start(simulated: Simulation, monitor: Service, **options: Any) -> None:
    """Start a scheduler whose job pings the service."""
    simulated.start({"report": "0 8 * * mon"}, SCHEDULER_REPORT_PING_URL=monitor.url, **options)


def restart(simulated: Simulation, monitor: Service) -> None:
    """Start such a scheduler in a new process."""
    simulated.process = type(simulated.process)(machine=simulated.machine, loop=simulated.loop)
    start(simulated, monitor)


def kill(simulated: Simulation) -> None:
    """Kill the process that runs at the time of the call."""
    simulated.process.kill()


def mails(box: Path) -> list[EmailMessage]:
    """Return the mails in a folder."""
    files = (box / "new").glob("*")
    return [message_from_bytes(path.read_bytes(), policy=default) for path in files]


def subjects(box: Path) -> list[str]:
    """Return the subjects of the mails in a folder."""
    return [str(mail["Subject"]) for mail in mails(box)]


def test_a_slot_that_is_missed_for_good_is_notified(monitor: Service) -> None:
    """The machine slept for two hours, so the service gets a failure with the slot and the reason."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        start(simulated, monitor)
        simulated.machine.at(NOW - 10 * SECOND, simulated.machine.sleep, interrupts=True)
        simulated.machine.at(NOW + 2 * HOUR, simulated.machine.wake, interrupts=True)
    (text,) = failures(monitor)
    assert text.startswith("créneau manqué : lundi 23 novembre 2026 à 08:00 (trop tard : 2 h")


def test_a_database_that_stays_away_is_notified_once(monitor: Service) -> None:
    """The service gets one failure an hour after the database became unavailable, and no further one."""
    with simulation(NOW - MINUTE, until=NOW + 12 * HOUR) as simulated:
        trouble = simulated.database.trouble
        trouble.append(NotReadyError("base introuvable"))
        start(simulated, monitor)
        counts: list[int] = []
        simulated.machine.at(NOW + 50 * MINUTE, lambda: counts.append(len(failures(monitor))))
        simulated.machine.at(NOW + 6 * HOUR, lambda: counts.append(len(failures(monitor))))
        simulated.machine.at(NOW + 7 * HOUR, trouble.clear)
    assert counts == [0, 1]
    (text,) = failures(monitor)
    assert "attend sa base depuis une heure" in text
    assert "base introuvable" in text


def test_the_operator_gets_a_mail_about_a_missed_slot(monitor: Service, tmp_path: Path) -> None:
    """The operator gets one mail for the slot, beside the ping."""
    variables = {"CAVECRON_ALERT_TO": "chef@example.org", "CAVECRON_MAIL": f"maildir:{tmp_path}"}
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        start(simulated, monitor, **variables)
        simulated.machine.at(NOW - 10 * SECOND, simulated.machine.sleep, interrupts=True)
        simulated.machine.at(NOW + 2 * HOUR, simulated.machine.wake, interrupts=True)
    assert len(failures(monitor)) == 1
    assert subjects(tmp_path) == ["Cave à Vin : créneau manqué du job report"]
    (mail,) = mails(tmp_path)
    assert "Exécuter le créneau manqué : cavecron run report" in mail.get_content().splitlines()
    assert "--resume" not in mail.get_content()  # there is nothing to resume


def test_a_long_absence_is_mailed_when_the_database_is_back(cellar: CellarFile, monitor: Service) -> None:
    """The mail is sent when the database returns, because it contains the mail server."""
    cellar.path.rename(cellar.path.with_name("absente.db"))
    variables = {"CAVECRON_ALERT_TO": "chef@example.org", "DATABASE_URL": f"sqlite:///{cellar.path}"}
    with FakeSmtpServer() as server, simulation(NOW - MINUTE, until=NOW + 12 * HOUR) as simulated:
        trouble = simulated.database.trouble

        def come_back() -> None:
            cellar.path.with_name("absente.db").rename(cellar.path)
            cellar.smtp(server.port)
            trouble.clear()

        trouble.append(NotReadyError("base introuvable"))
        start(simulated, monitor, **variables)
        simulated.machine.at(NOW + 7 * HOUR, come_back)
    (mail,) = server.accepted
    message = message_from_bytes(mail.content, policy=default)
    assert message["Subject"] == "Cave à Vin : le planificateur attend sa base"
    assert "a attendu sa base pendant 7 h" in message.get_content()
    assert "base introuvable" in message.get_content()


def test_a_long_absence_is_mailed_once_where_that_is_possible(monitor: Service, tmp_path: Path) -> None:
    """A mail into a folder needs no database, so it is written during the absence and not again."""
    variables = {"CAVECRON_ALERT_TO": "chef@example.org", "CAVECRON_MAIL": f"maildir:{tmp_path}"}
    with simulation(NOW - MINUTE, until=NOW + 12 * HOUR) as simulated:
        simulated.database.trouble.append(NotReadyError("base introuvable"))
        start(simulated, monitor, **variables)
        simulated.machine.at(NOW + 7 * HOUR, simulated.database.trouble.clear)
    assert subjects(tmp_path) == ["Cave à Vin : le planificateur attend sa base"]


def test_a_run_that_is_given_up_is_notified(monitor: Service) -> None:
    """The run was killed and not resumed within the hour, so the service gets a failure."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        simulated.machine.at(NOW + MINUTE, simulated.process.kill)
        simulated.machine.at(NOW + 2 * HOUR, partial(restart, simulated, monitor))
    (text,) = failures(monitor)
    assert text == "créneau coupé net, non repris : lundi 23 novembre 2026 à 08:00"
    assert [entry.state for entry in simulated.history()] == ["interrupted"]


def test_the_mail_about_a_run_that_is_given_up_says_how_to_finish_it(tmp_path: Path) -> None:
    """The mail names no command for a new run, which would send the mails again that went out."""
    variables: dict[str, Any] = {
        "CAVECRON_ALERT_TO": "chef@example.org",
        "CAVECRON_MAIL": f"maildir:{tmp_path}",
    }
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        simulated.machine.at(NOW + MINUTE, simulated.process.kill)
        simulated.process = type(simulated.process)(machine=simulated.machine, loop=simulated.loop)
        again = partial(simulated.start, {"report": "0 8 * * mon"}, **variables)
        simulated.machine.at(NOW + 2 * HOUR, again)
    (mail,) = mails(tmp_path)
    assert mail["Subject"] == "Cave à Vin : exécution inachevée du job report"
    commands = [line.partition("cavecron ")[2] for line in mail.get_content().splitlines()]
    assert [one for one in commands if one] == ["history report", "run report --resume"]


@pytest.mark.parametrize("how", ["stopped", "failed"])
def test_a_run_that_waited_to_be_resumed_is_notified_once(monitor: Service, how: str) -> None:
    """The service gets one failure for a stopped or failed run that was not resumed within the hour."""
    with simulation(NOW - MINUTE, until=NOW + 9 * HOUR) as simulated:
        if how == "failed":
            simulated.fails.append(TemporaryError("serveur occupé"))
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        simulated.machine.at(NOW + 30 * SECOND, simulated.stop)
        simulated.machine.at(NOW + 45 * SECOND, simulated.process.kill)
        for hours in (2, 4):
            simulated.machine.at(NOW + hours * HOUR, partial(restart, simulated, monitor))
            simulated.machine.at(NOW + (hours + 1) * HOUR, partial(kill, simulated))
    assert failures(monitor) == ["créneau inachevé, non repris : lundi 23 novembre 2026 à 08:00"]
    assert [entry.state for entry in simulated.history()] == [{"stopped": "interrupted"}.get(how, how)]


def test_a_stopped_run_that_is_resumed_in_time_is_not_notified(monitor: Service) -> None:
    """A restart, for example for a new image, causes no notification."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"}, lasting=10 * MINUTE)
        simulated.machine.at(NOW + 30 * SECOND, simulated.stop)
        simulated.machine.at(NOW + 45 * SECOND, simulated.process.kill)
        simulated.machine.at(NOW + 2 * MINUTE, partial(restart, simulated, monitor))
    assert failures(monitor) == []
    assert [entry.state for entry in simulated.history()] == ["succeeded"]


def test_a_job_whose_thread_hangs_is_notified(monitor: Service, cellar: CellarFile) -> None:
    """After its time limit the service gets a failure that asks for a restart of the scheduler."""
    over = Event()

    @job("stuck", title="bloqué")
    def stuck(run: Run) -> None:
        over.wait(30)

    context = system_context(
        load_for(
            [stuck],
            {
                "DATABASE_URL": f"sqlite:///{cellar.path}",
                "SCHEDULER_STUCK_TIMEOUT": "1",
                "SCHEDULER_STUCK_PING_URL": monitor.url,
                "CAVECRON_STOP_GRACE": "1",
            },
        )
    )
    claim = claim_manual(context.ledger, "stuck", (), context.clock.now())
    options = Options(wait_for_database=True)
    with pytest.raises(JobHungError):
        asyncio.run(execute_run(claim, stuck, context, stop=StopSignal(), options=options))
    over.set()
    assert failures(monitor) == [
        "le job ignore sa durée limite (il n'appelle pas run.check()) : abandonné ; redémarrer cavecron :"
        " d'ici là il n'exécute plus ce job"
    ]


def test_no_notification_is_sent_unless_it_is_configured() -> None:
    """Without an address for notifications, no thread is started for one."""
    with simulation(NOW - MINUTE, until=NOW + 5 * HOUR) as simulated:
        simulated.start({"report": "0 8 * * mon"})
        simulated.process.exhausted.add("notify")
        simulated.machine.at(NOW - 10 * SECOND, simulated.machine.sleep, interrupts=True)
        simulated.machine.at(NOW + 2 * HOUR, partial(simulated.machine.wake), interrupts=True)
    assert [entry.state for entry in simulated.history()] == ["missed"]
