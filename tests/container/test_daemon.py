"""The scheduler as the container's process 1: slots, kill, stop, health, and what it shows to the network."""

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
from tests.support.fake_smtp.faults import Step, Trap, delay
from tests.support.fake_smtp.server import HostileServer

_PEOPLE = [f"user{number}" for number in range(6)]


@pytest.fixture
def house(data: Path) -> Iterator[CellarFile]:
    """Return the application's database on the volume, with six people to write to."""
    cellar = CellarFile(data / "wine.db")
    for name in _PEOPLE:
        cellar.user(name)
    shutil.chown(cellar.path, NONROOT, NONROOT)
    yield cellar
    cellar.close()


def _hourly(slot: datetime) -> dict[str, str]:
    """Return the variables of one report an hour, at the minute of `slot`, one mail after the other."""
    return {
        "SCHEDULER_WEEKLY_REPORT_CRON": f"{slot.minute} * * * *",
        "SCHEDULER_WEEKLY_REPORT_CONNECTIONS": "1",
        "SCHEDULER_CLEANUP_ENABLED": "0",
    }


def _wait(condition: Callable[[], object], seconds: float, why: Callable[[], str]) -> None:
    """Wait until `condition` is true, or fail with what `why` says."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, why()
        time.sleep(0.2)


def _states(house: CellarFile) -> list[tuple[object, ...]]:
    return house.rows("SELECT trigger, state FROM cavecron_run ORDER BY id")


def _was_down(house: CellarFile, job: str, minutes: int) -> None:
    """Have the ledger look as if nobody had looked for so long."""
    since = utc_text(datetime.now(UTC) - timedelta(minutes=minutes))
    house.execute("UPDATE cavecron_job SET looked_until = ? WHERE name = ?", (since, job))


def _started(container: Container, house: CellarFile) -> None:
    """Wait until the scheduler has noted what it follows."""
    known = "SELECT 1 FROM sqlite_master WHERE name = 'cavecron_job'"
    _wait(lambda: house.rows(known) and house.rows("SELECT 1 FROM cavecron_job"), 20, container.log)


def test_a_slot_is_taken_cut_off_by_a_kill_and_finished(
    engine: Engine, house: CellarFile, data: Path
) -> None:
    """Who had the mail before the kill gets none after it, and nobody is left out."""
    environ = _hourly(datetime.now(UTC) + timedelta(seconds=63))
    with HostileServer() as server:
        server.policies.append(Trap(Step.RCPT, delay(), recipient=f"{_PEOPLE[3]}@example.org", times=1))
        house.smtp(server.port, timeout=30)
        with engine.running(data=data, network="host", environ=environ) as first:
            server.wait_until(lambda seen: len(seen.accepted) == 3, seconds=75)
            log = first.log()
            engine.podman("kill", "--signal=KILL", first.name)
        server.hang_up()
        assert "Démarrage du job" in log
        assert _states(house) == [("slot", "running")]
        # As if its lease of a minute had run out.
        house.execute("UPDATE cavecron_run SET lease_until = ?", (utc_text(datetime.now(UTC)),))
        with engine.running(data=data, network="host", environ=environ) as second:
            _wait(lambda: _states(house) == [("slot", "succeeded")], 30, second.log)
    assert server.copies() == {f"{name}@example.org": 1 for name in _PEOPLE}


def test_stopped_while_mails_go_out_the_rest_follows(engine: Engine, house: CellarFile, data: Path) -> None:
    """`podman stop` takes less than its ten seconds, the exit code is 0, and nobody has two mails."""
    with HostileServer(latency=0.1) as server:
        house.smtp(server.port, timeout=30)
        hourly = _hourly(datetime.now(UTC) - timedelta(minutes=10))
        with engine.running(data=data, network="host", environ=hourly) as first:
            _started(first, house)
        _was_down(house, "weekly_reports", 30)
        with engine.running(data=data, network="host", environ=hourly) as second:
            server.wait_until(lambda seen: len(seen.accepted) == 2, seconds=30)
            before = time.monotonic()
            engine.podman("stop", second.name)  # within compose.yaml's stop_grace_period
            assert time.monotonic() - before < 10
            assert engine.inspect(second.name)["State"]["ExitCode"] == 0, second.log()
        assert 2 <= len(server.accepted) < len(_PEOPLE)
        assert _states(house) == [("replay", "interrupted")]
        with engine.running(data=data, network="host", environ=hourly) as third:
            _wait(lambda: _states(house) == [("replay", "succeeded")], 30, third.log)
    assert server.copies() == {f"{name}@example.org": 1 for name in _PEOPLE}


def test_health_turns_when_a_slot_is_overdue_and_back(engine: Engine, house: CellarFile, data: Path) -> None:
    """The image's own health check, on a scheduler that is held up."""
    environ = {"SCHEDULER_CLEANUP_CRON": "* * * * *", "SCHEDULER_WEEKLY_REPORT_ENABLED": "0"}
    with engine.running(data=data, environ=environ) as container:
        _started(container, house)
        assert container.healthy()
        kill(container.pid, signal.SIGSTOP)
        _was_down(house, "cleanup", 10)
        assert not container.healthy()
        kill(container.pid, signal.SIGCONT)
        _wait(container.healthy, 75, container.log)


def test_it_listens_nowhere_and_has_no_privilege(engine: Engine, house: CellarFile, data: Path) -> None:
    """Looked at from outside, in the container's own network."""
    with engine.running(data=data) as container:
        _started(container, house)
        process = Path(f"/proc/{container.pid}")
        for table in ("tcp", "tcp6", "udp", "udp6"):
            assert len((process / "net" / table).read_text().splitlines()) == 1
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        assert status["Uid"].split() == [str(NONROOT)] * 4
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"


def test_it_waits_for_a_database_that_comes_later(engine: Engine, data: Path) -> None:
    """Compose starts both at once; until the application has made its database, health is not 0."""
    with engine.running(data=data) as container:
        _wait(lambda: "base introuvable" in container.log(), 20, container.log)
        assert not container.healthy()
        made = CellarFile(data / "wine.db")
        made.close()
        shutil.chown(data / "wine.db", NONROOT, NONROOT)
        _wait(container.healthy, 45, container.log)


def test_a_wrong_configuration_ends_it_with_the_whole_list(engine: Engine, data: Path) -> None:
    """Exit code 2: restarting it would not help."""
    result = engine.run(data=data, environ={"SCHEDULER_CLEANUP_HOUR": "25", "CAVECRON_MAIL": "pigeon"})
    assert result.code == 2
    assert "Configuration invalide : 2 problèmes" in result.err
