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
from tests.support.fake_smtp.server import FakeSmtpServer

USERS = 12
LOG = "SELECT recipient_email, status FROM email_log ORDER BY recipient_user_id"


class Lock:
    """A policy that locks the database for so many seconds when the first mail is delivered."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._connection: sqlite3.Connection | None = None

    def __call__(self, visit: Visit) -> Fault | None:
        """Lock the database once."""
        if visit.step is Step.END and self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._connection.execute("BEGIN EXCLUSIVE")
            Timer(self._seconds, self._connection.execute, ["ROLLBACK"]).start()
        return None


class Filler:
    """A policy that fills the disk completely at the mail of this number, for so many seconds."""

    def __init__(self, disk: Path, mail: int, seconds: float = 1e6) -> None:
        self.file = disk / "filler"
        self._mails_left = mail
        self._seconds = seconds

    def __call__(self, visit: Visit) -> Fault | None:
        """Write until the disk is full."""
        self._mails_left -= visit.step is Step.END
        if self._mails_left == 0 and not self.file.exists():
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
def server() -> Iterator[FakeSmtpServer]:
    """Yield a mail server without faults, to which policies can be added."""
    with FakeSmtpServer() as smtp_server:
        yield smtp_server


def _fill(cellar: CellarFile, server: FakeSmtpServer) -> None:
    for number in range(USERS):
        cellar.user(f"user{number}")
    cellar.smtp(server.port)


def _run(cellar: CellarFile, *arguments: str) -> Result:
    return cavecron(*("run", "weekly_reports", "--json", *arguments), DATABASE_URL=f"sqlite:///{cellar.path}")


def _log_rows(status: str = "sent") -> list[tuple[str, str]]:
    return [(f"user{number}@example.org", status) for number in range(USERS)]


def test_a_lock_during_the_run_is_waited_for(cellar: CellarFile, server: FakeSmtpServer) -> None:
    """The run waits for the lock, and each user gets one mail, which is recorded."""
    _fill(cellar, server)
    server.policies.append(Lock(cellar.path, 1.5))
    result = _run(cellar)
    assert result.code == 0
    assert set(server.copies().values()) == {1}
    assert cellar.rows(LOG) == _log_rows()


def test_a_lock_that_ends_too_late_leaves_a_failed_run(cellar: CellarFile, server: FakeSmtpServer) -> None:
    """All sent mails are recorded in the end, and the run fails because some were not sent."""
    _fill(cellar, server)
    server.policies.append(Lock(cellar.path, 2.5))
    context = system_context(load_for([WEEKLY_REPORTS], {"DATABASE_URL": f"sqlite:///{cellar.path}"}))
    database = Database(cellar.path, busy_timeout=1.5)
    context = replace(context, database=database, ledger=replace(context.ledger, database=database))
    claim = claim_manual(context.ledger, "weekly_reports", (), context.clock.now())
    run = execute_run(claim, WEEKLY_REPORTS, context, stop=StopSignal(), options=Options())
    with pytest.raises(TemporaryError, match=r"base verrouillée par un autre programme depuis 1\.5 s"):
        asyncio.run(run)
    sent = {mail.recipient for mail in server.accepted}
    assert 0 < len(sent) < USERS
    assert {address for address, status in cellar.rows(LOG) if status == "sent"} == sent
    _check_resumed(cellar, server)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_lock_that_does_not_end_stops_the_run(cellar: CellarFile, server: FakeSmtpServer) -> None:
    """The run fails after half a minute, and the sent mails are recorded when the lock ends."""
    _fill(cellar, server)
    server.policies.append(Lock(cellar.path, 36))
    result = _run(cellar)
    assert result.code == 1
    assert "base verrouillée par un autre programme depuis 30 s" in json.loads(result.out)["error"]
    sent = {mail.recipient for mail in server.accepted}
    assert 0 < len(sent) < USERS
    assert {address for address, status in cellar.rows(LOG) if status == "sent"} == sent
    _check_resumed(cellar, server)


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("command", ["weekly_reports", "cleanup"])
def test_a_database_that_is_locked_from_the_start_is_an_error(
    cellar: CellarFile, server: FakeSmtpServer, command: str
) -> None:
    """The run fails after half a minute with exit code 1, before any connection."""
    _fill(cellar, server)
    cellar.execute("BEGIN EXCLUSIVE")
    result = cavecron("run", command, DATABASE_URL=f"sqlite:///{cellar.path}")
    cellar.execute("ROLLBACK")
    assert result.code == 1
    assert f"base verrouillée par un autre programme depuis 30 s : {cellar.path}" in result.out + result.err
    assert server.connections == 0


@pytest.mark.slow  # a run by hand waits ten seconds before it tries again to record its end
@pytest.mark.parametrize("mail", [1, 5])
def test_a_disk_that_fills_up_during_the_run_stops_it(
    small_disk: Callable[[int], Path], server: FakeSmtpServer, mail: int
) -> None:
    """The error names the full disk; once there is room, a resumed run sends the remaining mails."""
    disk = small_disk(1000)
    cellar = CellarFile(disk / "wine.db")
    _fill(cellar, server)
    server.policies.append(Filler(disk, mail, 3))
    result = _run(cellar)
    assert result.code == 1
    assert "le disque est plein : faire de la place, puis relancer" in json.loads(result.out)["error"]
    assert "Traceback" not in result.err
    assert cellar.rows("SELECT state FROM cavecron_run") == [("failed",)]
    _check_resumed(cellar, server)
    cellar.close()


def test_a_disk_that_is_full_from_the_start_is_an_error(
    small_disk: Callable[[int], Path], server: FakeSmtpServer
) -> None:
    """No mail is sent, the cleanup cannot delete rows either, and both errors say what to do."""
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


def _check_resumed(cellar: CellarFile, server: FakeSmtpServer) -> None:
    """Resume the run: each user has a mail, twice only with one Message-ID, and is recorded as sent."""
    server.policies.clear()
    # If the end of the run could not be recorded, its lease expires after a minute: here, at once.
    cellar.execute("UPDATE cavecron_run SET lease_until = started WHERE state = 'running'")
    assert _run(cellar, "--resume").code == 0
    assert set(server.copies()) == {address for address, _status in _log_rows()}
    message_ids = {(mail.recipient, mail.message_id) for mail in server.accepted}
    assert len(message_ids) == USERS
    assert cellar.rows(LOG) == _log_rows()
