"""A database that fails while mails are sent: what was sent is recorded, and no mail is lost."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest

from cavecron.database.sqlite import Database
from cavecron.errors import TemporaryError
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.jobs.loader import load_for
from cavecron.ledger.runs import claim_manual
from cavecron.scheduler.context import Options, StopSignal, system_context
from cavecron.scheduler.runner import execute_run
from tests.support.app_database import CellarFile
from tests.support.commands import Result, cavecron
from tests.support.fake_smtp.faults import Fault, Step, Visit
from tests.support.fake_smtp.server import HostileServer

USERS = 12
LOG = "SELECT recipient_email, status FROM email_log ORDER BY recipient_user_id"


class Lock:
    """A policy that locks the database at the first mail that is delivered, for so many seconds."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._connection: sqlite3.Connection | None = None

    def __call__(self, visit: Visit) -> Fault | None:
        """Lock everybody out."""
        if visit.step is Step.END and self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._connection.execute("BEGIN EXCLUSIVE")
            Timer(self._seconds, self._connection.execute, ["ROLLBACK"]).start()
        return None


class Filler:
    """A policy that fills the disk at a mail, to the last octet, for so many seconds."""

    def __init__(self, disk: Path, mail: int, seconds: float = 1e6) -> None:
        self.file = disk / "filler"
        self._left = mail
        self._seconds = seconds

    def __call__(self, visit: Visit) -> Fault | None:
        """Write until nothing more goes."""
        self._left -= visit.step is Step.END
        if self._left == 0 and not self.file.exists():
            with self.file.open("wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
            if self._seconds < 1e6:
                Timer(self._seconds, self.file.unlink).start()
        return None


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """Return an honest mail server, to which policies can be added."""
    with HostileServer() as running:
        yield running


def _fill(cellar: CellarFile, server: HostileServer) -> None:
    for number in range(USERS):
        cellar.user(f"user{number}")
    cellar.smtp(server.port)


def _run(cellar: CellarFile, *arguments: str) -> Result:
    return cavecron(*("run", "weekly_reports", "--json", *arguments), DATABASE_URL=f"sqlite:///{cellar.path}")


def _everybody(status: str = "sent") -> list[tuple[str, str]]:
    return [(f"user{number}@example.org", status) for number in range(USERS)]


def test_a_lock_during_the_run_is_waited_for(cellar: CellarFile, server: HostileServer) -> None:
    """The application's writers come first; everybody gets one mail, and is recorded."""
    _fill(cellar, server)
    server.policies.append(Lock(cellar.path, 1.5))
    result = _run(cellar)
    assert result.code == 0
    assert set(server.copies().values()) == {1}
    assert cellar.rows(LOG) == _everybody()


def test_a_lock_that_ends_too_late_leaves_a_failed_run(cellar: CellarFile, server: HostileServer) -> None:
    """All that was sent is recorded in the end, but not everybody was written to: that is no success."""
    _fill(cellar, server)
    server.policies.append(Lock(cellar.path, 2.5))
    context = system_context(load_for([WEEKLY_REPORTS], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))
    impatient = Database(cellar.path, busy_timeout=1.5)
    context = replace(context, database=impatient, ledger=replace(context.ledger, database=impatient))
    claim = claim_manual(context.ledger, "weekly_reports", (), context.clock.now())
    run = execute_run(claim, WEEKLY_REPORTS, context, stop=StopSignal(), options=Options())
    with pytest.raises(TemporaryError, match=r"base verrouillée par un autre programme depuis 1\.5 s"):
        asyncio.run(run)
    sent = {mail.recipient for mail in server.accepted}
    assert 0 < len(sent) < USERS
    assert {address for address, status in cellar.rows(LOG) if status == "sent"} == sent
    _resumed(cellar, server)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_lock_that_does_not_end_stops_the_run(cellar: CellarFile, server: HostileServer) -> None:
    """After half a minute, with an error; what was sent is recorded once that is possible again."""
    _fill(cellar, server)
    server.policies.append(Lock(cellar.path, 36))
    result = _run(cellar)
    assert result.code == 1
    assert "base verrouillée par un autre programme depuis 30 s" in json.loads(result.out)["error"]
    sent = {mail.recipient for mail in server.accepted}
    assert 0 < len(sent) < USERS
    assert {address for address, status in cellar.rows(LOG) if status == "sent"} == sent
    _resumed(cellar, server)


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("command", ["weekly_reports", "cleanup"])
def test_a_database_that_is_locked_from_the_start_is_told(
    cellar: CellarFile, server: HostileServer, command: str
) -> None:
    """After half a minute, exit code 1; nobody was written to."""
    _fill(cellar, server)
    cellar.execute("BEGIN EXCLUSIVE")
    result = cavecron("run", command, DATABASE_URL=f"sqlite:///{cellar.path}")
    cellar.execute("ROLLBACK")
    assert result.code == 1
    assert f"base verrouillée par un autre programme depuis 30 s : {cellar.path}" in result.out + result.err
    assert server.connections == 0


@pytest.mark.slow  # a run by hand waits ten seconds before it records its end once more
@pytest.mark.parametrize("mail", [1, 5])
def test_a_disk_that_fills_up_during_the_run_stops_it(
    small_disk: Callable[[int], Path], server: HostileServer, mail: int
) -> None:
    """The error says so; once there is room again, whoever is left gets a mail, and all is recorded."""
    disk = small_disk(1000)
    cellar = CellarFile(disk / "wine.db")
    _fill(cellar, server)
    server.policies.append(Filler(disk, mail, 3))
    result = _run(cellar)
    assert result.code == 1
    assert "le disque est plein : faire de la place, puis relancer" in json.loads(result.out)["error"]
    assert "Traceback" not in result.err
    assert cellar.rows("SELECT state FROM cavecron_run") == [("failed",)]
    _resumed(cellar, server)
    cellar.close()


def test_a_disk_that_is_full_from_the_start_is_told(
    small_disk: Callable[[int], Path], server: HostileServer
) -> None:
    """Before anybody is written to; the cleanup cannot make room either, and says what to do."""
    disk = small_disk(1000)
    cellar = CellarFile(disk / "wine.db")
    _fill(cellar, server)
    Filler(disk, 0)(Visit(step=Step.QUIT, connection=1))
    for command in ("weekly_reports", "cleanup"):
        result = cavecron("run", command, DATABASE_URL=f"sqlite:///{cellar.path}")
        assert result.code == 1
        assert f"{cellar.path} n'a pu être écrite, le disque est plein : faire de la place" in (
            result.out + result.err
        )
    assert cavecron("preview", "user1", "--text", DATABASE_URL=f"sqlite:///{cellar.path}").code == 0
    assert server.connections == 0
    cellar.close()


def _resumed(cellar: CellarFile, server: HostileServer) -> None:
    """Take the run up: everybody has a mail, twice only under one Message-ID, and is recorded as sent."""
    server.policies.clear()
    # Where the end of the run could not be recorded, its lease runs out after a minute: now, for a test.
    cellar.execute("UPDATE cavecron_run SET lease_until = started WHERE state = 'running'")
    assert _run(cellar, "--resume").code == 0
    assert set(server.copies()) == {address for address, _status in _everybody()}
    identities = {(mail.recipient, mail.message_id) for mail in server.accepted}
    assert len(identities) == USERS
    assert cellar.rows(LOG) == _everybody()
