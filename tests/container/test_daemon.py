"""The scheduler as the container's process 1: slots, kill, stop, health, and its network."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from os import kill
from pathlib import Path

import pytest

from cavecron.database.timestamps import utc_text
from tests.container.bases import NONROOT
from tests.container.engine import Container, Engine
from tests.support.app_database import CellarFile
from tests.support.fake_smtp.faults import FaultRule, Step, delay
from tests.support.fake_smtp.server import FakeSmtpServer

_USERS = [f"user{number}" for number in range(6)]


@pytest.fixture
def household(data: Path) -> Iterator[CellarFile]:
    """Yield the application's database on the volume, with six users who get a report."""
    cellar = CellarFile(data / "wine.db")
    for name in _USERS:
        cellar.user(name)
    shutil.chown(cellar.path, NONROOT, NONROOT)
    yield cellar
    cellar.close()


def _hourly(slot: datetime) -> dict[str, str]:
    """Return the variables of a report each hour at the minute of `slot`, sent over one connection."""
    return {
        "SCHEDULER_WEEKLY_REPORT_CRON": f"{slot.minute} * * * *",
        "SCHEDULER_WEEKLY_REPORT_CONNECTIONS": "1",
        "SCHEDULER_CLEANUP_ENABLED": "0",
    }


def _wait(condition: Callable[[], object], seconds: float, describe: Callable[[], str]) -> None:
    """Wait until `condition` is true; fail after a time limit with the text of `describe`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, describe()
        time.sleep(0.2)


def _states(household: CellarFile) -> list[tuple[object, ...]]:
    return household.rows("SELECT trigger, state FROM cavecron_run ORDER BY id")


def _set_downtime(household: CellarFile, job: str, minutes: int) -> None:
    """Change the ledger as if no scheduler had run for so many minutes."""
    since = utc_text(datetime.now(UTC) - timedelta(minutes=minutes))
    household.execute("UPDATE cavecron_job SET looked_until = ? WHERE name = ?", (since, job))


def _wait_until_registered(container: Container, household: CellarFile) -> None:
    """Wait until the scheduler has registered its jobs."""
    table = "SELECT 1 FROM sqlite_master WHERE name = 'cavecron_job'"
    _wait(lambda: household.rows(table) and household.rows("SELECT 1 FROM cavecron_job"), 20, container.log)


def test_a_killed_run_is_resumed(engine: Engine, household: CellarFile, data: Path) -> None:
    """The run is resumed after the kill: each user gets one mail."""
    environ = _hourly(datetime.now(UTC) + timedelta(seconds=63))
    with FakeSmtpServer() as server:
        server.policies.append(FaultRule(Step.RCPT, delay(), recipient=f"{_USERS[3]}@example.org", times=1))
        household.smtp(server.port, timeout=30)
        with engine.running(data=data, network="host", environ=environ) as first:
            server.wait_until(lambda state: len(state.accepted) == 3, seconds=75)
            log = first.log()
            engine.podman("kill", "--signal=KILL", first.name)
        server.hang_up()
        assert "Démarrage du job" in log
        assert _states(household) == [("slot", "running")]
        # As if its lease of a minute had expired.
        household.execute("UPDATE cavecron_run SET lease_until = ?", (utc_text(datetime.now(UTC)),))
        with engine.running(data=data, network="host", environ=environ) as second:
            _wait(lambda: _states(household) == [("slot", "succeeded")], 30, second.log)
    assert server.copies() == {f"{name}@example.org": 1 for name in _USERS}


def test_a_run_stopped_during_its_mailing_is_resumed(
    engine: Engine, household: CellarFile, data: Path
) -> None:
    """`podman stop` takes less than ten seconds with exit code 0, and each user gets one mail in the end."""
    with FakeSmtpServer(latency=0.1) as server:
        household.smtp(server.port, timeout=30)
        hourly = _hourly(datetime.now(UTC) - timedelta(minutes=10))
        with engine.running(data=data, network="host", environ=hourly) as first:
            _wait_until_registered(first, household)
        _set_downtime(household, "weekly_reports", 30)
        with engine.running(data=data, network="host", environ=hourly) as second:
            server.wait_until(lambda state: len(state.accepted) == 2, seconds=30)
            before = time.monotonic()
            engine.podman("stop", second.name)  # within compose.yaml's stop_grace_period
            assert time.monotonic() - before < 10
            assert engine.inspect(second.name)["State"]["ExitCode"] == 0, second.log()
        assert 2 <= len(server.accepted) < len(_USERS)
        assert _states(household) == [("replay", "interrupted")]
        with engine.running(data=data, network="host", environ=hourly) as third:
            _wait(lambda: _states(household) == [("replay", "succeeded")], 30, third.log)
    assert server.copies() == {f"{name}@example.org": 1 for name in _USERS}


def test_health_fails_while_a_slot_is_overdue(engine: Engine, household: CellarFile, data: Path) -> None:
    """The image's own health check fails while the scheduler is suspended, and succeeds again later."""
    environ = {"SCHEDULER_CLEANUP_CRON": "* * * * *", "SCHEDULER_WEEKLY_REPORT_ENABLED": "0"}
    with engine.running(data=data, environ=environ) as container:
        _wait_until_registered(container, household)
        assert container.healthy()
        kill(container.pid, signal.SIGSTOP)
        _set_downtime(household, "cleanup", 10)
        assert not container.healthy()
        kill(container.pid, signal.SIGCONT)
        _wait(container.healthy, 75, container.log)


def test_it_listens_nowhere_and_has_no_privilege(engine: Engine, household: CellarFile, data: Path) -> None:
    """Seen from outside, the container has no open port and the process no privileges."""
    with engine.running(data=data) as container:
        _wait_until_registered(container, household)
        process = Path(f"/proc/{container.pid}")
        for table in ("tcp", "tcp6", "udp", "udp6"):
            assert len((process / "net" / table).read_text().splitlines()) == 1
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        assert status["Uid"].split() == [str(NONROOT)] * 4
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"


def test_it_waits_for_a_database_that_comes_later(engine: Engine, data: Path) -> None:
    """Compose starts both containers at once; the health check fails until the database exists."""
    with engine.running(data=data) as container:
        _wait(lambda: "base introuvable" in container.log(), 20, container.log)
        assert not container.healthy()
        cellar = CellarFile(data / "wine.db")
        cellar.close()
        shutil.chown(data / "wine.db", NONROOT, NONROOT)
        _wait(container.healthy, 45, container.log)


def test_a_wrong_configuration_ends_it_with_the_whole_list(engine: Engine, data: Path) -> None:
    """The exit code is 2 with all problems, because a restart would not help."""
    result = engine.run(data=data, environ={"SCHEDULER_CLEANUP_HOUR": "25", "CAVECRON_MAIL": "pigeon"})
    assert result.code == 2
    assert "Configuration invalide : 2 problèmes" in result.err
