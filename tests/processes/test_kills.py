"""No mail is lost or sent twice if a real process is killed at any moment of a run and started again."""

import os
import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from cavecron.ledger.history import history
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW, CellarFile
from tests.support.authority import authority
from tests.support.fake_smtp.faults import Fault, Step, Visit, close
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.killable_process import DONE, FAILED, killable_process

_USERS = 20
_CONNECTIONS = 2
#: The time between two starts, after which the lease of the killed process has expired.
_LATER = timedelta(minutes=2)
_MOST_STARTS = 2_000


class Killer:
    """A policy of the mail server that kills the client at its `visit`-th command."""

    def __init__(self) -> None:
        self.target: BaseProcess | None = None
        self.visit = 0

    def __call__(self, _visit: Visit) -> Fault | None:
        """Count the commands and kill the client at the right one; the server itself goes on."""
        self.visit -= 1
        if self.visit == 0 and self.target and self.target.pid:
            with suppress(ProcessLookupError):
                os.kill(self.target.pid, signal.SIGKILL)
        return None


def fill(cellar: CellarFile, server: FakeSmtpServer, **smtp: object) -> None:
    """Add the users and the configuration of the mail server."""
    for number in range(_USERS):
        user = cellar.user(f"user{number:02}")
        cellar.wine(user, cellar.cellar(user))
    cellar.smtp(server.port, timeout=5, **smtp)


def check(cellar: CellarFile, server: FakeSmtpServer, kills: int) -> None:
    """Fail unless each user has the mail once, apart from one repetition for each kill and connection."""
    copies = server.copies()
    assert set(copies) == {f"user{number:02}@example.org" for number in range(_USERS)}
    repeated = sum(copies.values()) - _USERS
    assert repeated <= kills * _CONNECTIONS
    message_ids: dict[str, set[str]] = {}
    for mail in server.accepted:
        message_ids.setdefault(mail.recipient, set()).add(mail.message_id)
    assert all(len(ids) == 1 for ids in message_ids.values()), "a repetition has another Message-ID"
    (entry,) = history(Ledger(database=cellar.database))
    assert entry.state == "succeeded"
    assert repeated <= entry.repeats <= kills * _CONNECTIONS
    log = cellar.rows("SELECT recipient_email, status FROM email_log")
    assert Counter(log) == Counter({(address, "sent"): 1 for address in copies})
    states = Counter(cellar.rows("SELECT state FROM cavecron_delivery"))
    assert states == {("sent",): _USERS}


def integrity(cellar: CellarFile) -> str:
    """Return the result of SQLite's integrity check."""
    with closing(sqlite3.connect(cellar.path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


@pytest.mark.slow
def test_a_process_killed_at_each_statement_mails_everybody_once(cellar: CellarFile) -> None:
    """The n-th start is killed at its n-th SQL statement, until one start ends by itself."""
    with FakeSmtpServer() as server:
        fill(cellar, server)
        for kills in range(_MOST_STARTS):
            process = killable_process(cellar.path, at=NOW + kills * _LATER, statement=kills + 1)
            process.join()
            assert integrity(cellar) == "ok"
            if process.exitcode != -signal.SIGKILL:
                break
        assert process.exitcode == DONE
        assert kills > _USERS
        check(cellar, server, kills)


@pytest.mark.slow
def test_a_process_killed_at_each_step_of_the_dialogue_mails_everybody_once(cellar: CellarFile) -> None:
    """The server kills the n-th start at its n-th command, until one start ends by itself."""
    killer = Killer()
    with FakeSmtpServer(killer) as server:
        fill(cellar, server)
        for kills in range(_MOST_STARTS):
            killer.visit = 0
            killer.target = process = killable_process(cellar.path, at=NOW + kills * _LATER)
            killer.visit = kills + 1
            process.join()
            if process.exitcode != -signal.SIGKILL:
                break
        assert process.exitcode == DONE
        assert kills > 5
        check(cellar, server, kills)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Other faults: a clock ahead at some starts, or dead processes that cannot be seen.

    With `ca_file` the connection is encrypted, and a start may fail temporarily.
    """

    clock_ahead: bool = False
    hidden: bool = False
    ca_file: Path | None = None


def _kill_at_random(cellar: CellarFile, generator: random.Random, trouble: Trouble) -> int:
    """Start the run until it ends by itself, killing it at a random statement; return the number of kills."""
    kills = 0
    for start in range(_MOST_STARTS):
        ahead = timedelta(seconds=generator.choice((0, 90, 7_200, 10**8))) * trouble.clock_ahead
        process = killable_process(
            cellar.path,
            at=NOW + start * _LATER + ahead,
            statement=generator.randrange(1, 400),
            hidden=trouble.hidden,
            ca_file=trouble.ca_file,
        )
        process.join()
        if process.exitcode == DONE:
            return kills
        assert process.exitcode in ((-signal.SIGKILL, FAILED) if trouble.ca_file else (-signal.SIGKILL,))
        kills += process.exitcode != FAILED
    pytest.fail("the run never ended by itself")


def _kill_and_check(
    cellar: CellarFile, server: FakeSmtpServer, runs: int = 1, trouble: Trouble | None = None
) -> None:
    """Kill several runs at random, each with an empty mail server and log, and check each of them."""
    generator = _random_generator()
    for _ in range(runs):
        kills = _kill_at_random(cellar, generator, trouble or Trouble())
        assert integrity(cellar) == "ok"
        check(cellar, server, kills)
        server.accepted.clear()
        for table in ("email_log", "cavecron_run", "cavecron_delivery"):
            cellar.execute(f"DELETE FROM {table}")


def _random_generator() -> random.Random:
    seed = int(os.environ.get("CAVECRON_SEED", random.randrange(10**6)))
    print(f"CAVECRON_SEED={seed}")
    return random.Random(seed)


@pytest.mark.parametrize(
    "runs", [pytest.param(2, id="some"), pytest.param(200, id="many", marks=pytest.mark.slow)]
)
def test_a_process_killed_at_random_mails_everybody_once(cellar: CellarFile, runs: int) -> None:
    """Runs are killed at random statements; the seed is printed and can be repeated with CAVECRON_SEED."""
    with FakeSmtpServer() as server:
        fill(cellar, server)
        _kill_and_check(cellar, server, runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Trouble(clock_ahead=True), id="a clock ahead at some starts"),
        pytest.param(Trouble(hidden=True), id="hidden processes"),
    ],
)
def test_a_killed_process_mails_everybody_once_in_trouble(cellar: CellarFile, trouble: Trouble) -> None:
    """Some starts have a clock far ahead, or cannot see that the former process is dead."""
    with FakeSmtpServer() as server:
        fill(cellar, server)
        _kill_and_check(cellar, server, 10, trouble)


@pytest.mark.slow
def test_a_killed_process_mails_everybody_once_where_handshakes_are_cut_short(
    cellar: CellarFile, tmp_path: Path
) -> None:
    """Some starts cannot encrypt the connection and fail; the next start tries again."""
    generator, ca = _random_generator(), authority(tmp_path)

    def cut_handshake(visit: Visit) -> Fault | None:
        return close() if visit.step is Step.HANDSHAKE and generator.random() < 0.5 else None

    with FakeSmtpServer(cut_handshake, tls="starttls", context=ca.context()) as server:
        fill(cellar, server, use_tls=1)
        _kill_and_check(cellar, server, 5, Trouble(ca_file=ca.ca_file))
