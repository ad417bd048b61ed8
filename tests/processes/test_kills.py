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
from tests.support.fake_smtp.server import HostileServer
from tests.support.killable_process import DONE, FAILED, victim

_USERS = 20
_CONNECTIONS = 2
#: Between two starts, for the lease of the killed process to run out.
_LATER = timedelta(minutes=2)
_MOST_STARTS = 2_000


class Assassin:
    """A policy of the mail server: kill the client at the `visit`-th thing it says."""

    def __init__(self) -> None:
        self.target: BaseProcess | None = None
        self.visit = 0

    def __call__(self, _visit: Visit) -> Fault | None:
        """Count, and kill when it is time; the server itself goes on as if nothing were."""
        self.visit -= 1
        if self.visit == 0 and self.target and self.target.pid:
            with suppress(ProcessLookupError):
                os.kill(self.target.pid, signal.SIGKILL)
        return None


def furnished(cellar: CellarFile, server: HostileServer, **smtp: object) -> None:
    """Add the users, and how to reach the server."""
    for number in range(_USERS):
        user = cellar.user(f"user{number:02}")
        cellar.wine(user, cellar.cellar(user))
    cellar.smtp(server.port, timeout=5, **smtp)


def check(cellar: CellarFile, server: HostileServer, kills: int) -> None:
    """Fail unless every user has the mail once, save for a repetition for each kill and connection."""
    copies = server.copies()
    assert set(copies) == {f"user{number:02}@example.org" for number in range(_USERS)}
    repeated = sum(copies.values()) - _USERS
    assert repeated <= kills * _CONNECTIONS
    identities: dict[str, set[str]] = {}
    for mail in server.accepted:
        identities.setdefault(mail.recipient, set()).add(mail.message_id)
    assert all(len(ids) == 1 for ids in identities.values()), "a repetition has another Message-ID"
    (entry,) = history(Ledger(database=cellar.database))
    assert entry.state == "succeeded"
    assert repeated <= entry.repeats <= kills * _CONNECTIONS
    log = cellar.rows("SELECT recipient_email, status FROM email_log")
    assert Counter(log) == Counter({(address, "sent"): 1 for address in copies})
    states = Counter(cellar.rows("SELECT state FROM cavecron_delivery"))
    assert states == {("sent",): _USERS}


def integrity(cellar: CellarFile) -> str:
    """Return what SQLite says of the file."""
    with closing(sqlite3.connect(cellar.path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


@pytest.mark.slow
def test_a_process_killed_at_each_statement_mails_everybody_once(cellar: CellarFile) -> None:
    """At the first, the second, the third … of a start, until one gets through."""
    with HostileServer() as server:
        furnished(cellar, server)
        for kills in range(_MOST_STARTS):
            process = victim(cellar.path, at=NOW + kills * _LATER, statement=kills + 1)
            process.join()
            assert integrity(cellar) == "ok"
            if process.exitcode != -signal.SIGKILL:
                break
        assert process.exitcode == DONE
        assert kills > _USERS
        check(cellar, server, kills)


@pytest.mark.slow
def test_a_process_killed_at_each_step_of_the_dialogue_mails_everybody_once(cellar: CellarFile) -> None:
    """The server kills its client at the first, the second, the third … thing that it says."""
    assassin = Assassin()
    with HostileServer(assassin) as server:
        furnished(cellar, server)
        for kills in range(_MOST_STARTS):
            assassin.visit = 0
            assassin.target = process = victim(cellar.path, at=NOW + kills * _LATER)
            assassin.visit = kills + 1
            process.join()
            if process.exitcode != -signal.SIGKILL:
                break
        assert process.exitcode == DONE
        assert kills > 5
        check(cellar, server, kills)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What else goes wrong: the clock of some starts is ahead, or dead processes cannot be seen.

    With `ca_file` the connection is encrypted, and a start may fail for a while.
    """

    clock_ahead: bool = False
    hidden: bool = False
    ca_file: Path | None = None


def _killed_at_random(cellar: CellarFile, dice: random.Random, trouble: Trouble) -> int:
    """Run until it gets through, killed at a random statement each time; return the kills."""
    kills = 0
    for start in range(_MOST_STARTS):
        ahead = timedelta(seconds=dice.choice((0, 90, 7_200, 10**8))) * trouble.clock_ahead
        process = victim(
            cellar.path,
            at=NOW + start * _LATER + ahead,
            statement=dice.randrange(1, 400),
            hidden=trouble.hidden,
            ca_file=trouble.ca_file,
        )
        process.join()
        if process.exitcode == DONE:
            return kills
        assert process.exitcode in ((-signal.SIGKILL, FAILED) if trouble.ca_file else (-signal.SIGKILL,))
        kills += process.exitcode != FAILED
    pytest.fail("it never got through")


def _kill_and_check(
    cellar: CellarFile, server: HostileServer, runs: int = 1, trouble: Trouble | None = None
) -> None:
    """Kill run after run at random, on a fresh outbox each time, and check each."""
    dice = _dice()
    for _ in range(runs):
        kills = _killed_at_random(cellar, dice, trouble or Trouble())
        assert integrity(cellar) == "ok"
        check(cellar, server, kills)
        server.accepted.clear()
        for table in ("email_log", "cavecron_run", "cavecron_delivery"):
            cellar.execute(f"DELETE FROM {table}")


def _dice() -> random.Random:
    seed = int(os.environ.get("CAVECRON_SEED", random.randrange(10**6)))
    print(f"CAVECRON_SEED={seed}")
    return random.Random(seed)


@pytest.mark.parametrize(
    "runs", [pytest.param(2, id="some"), pytest.param(200, id="many", marks=pytest.mark.slow)]
)
def test_a_process_killed_at_random_mails_everybody_once(cellar: CellarFile, runs: int) -> None:
    """Run after run on a fresh outbox; the seed is told, and replays with CAVECRON_SEED."""
    with HostileServer() as server:
        furnished(cellar, server)
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
    """The clock of some starts is ahead by minutes to years; or nobody sees that the former one is dead."""
    with HostileServer() as server:
        furnished(cellar, server)
        _kill_and_check(cellar, server, 10, trouble)


@pytest.mark.slow
def test_a_killed_process_mails_everybody_once_where_handshakes_are_cut_short(
    cellar: CellarFile, tmp_path: Path
) -> None:
    """Some starts find no way to encrypt; each tries again, as for any other trouble that passes."""
    dice, ca = _dice(), authority(tmp_path)

    def hiccup(visit: Visit) -> Fault | None:
        return close() if visit.step is Step.HANDSHAKE and dice.random() < 0.5 else None

    with HostileServer(hiccup, tls="starttls", context=ca.context()) as server:
        furnished(cellar, server, use_tls=1)
        _kill_and_check(cellar, server, 5, Trouble(ca_file=ca.ca_file))
