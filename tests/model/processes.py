"""Processes that can be killed at any SQL statement, with connections to one database file."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from cavecron.errors import NotReadyError, TemporaryError
from cavecron.scheduler.threads import NoThreadError, retrieve
from cavecron.simulation.machine import InMemoryDatabase, PersistentConnection, Process

_T = TypeVar("_T")
#: The names of the threads that write the ledger.
LEDGER_CALLS = frozenset({"register", "scan", "end", "lease", "claim"})


class KilledError(BaseException):
    """The process was killed at this statement; none of its code is executed any more."""


class KillableConnection(PersistentConnection):
    """A connection that kills its process after a number of statements."""

    statements_left = -1
    dead = False

    faults: "Faults | None" = None

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute a statement unless the process is killed before it; a full disk accepts no new row."""
        self.tick()
        if self.faults and self.faults.full and str(arguments[0]).startswith(("INSERT", "UPDATE", "CREATE")):
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute statements unless the process is killed before them."""
        self.tick()
        return super().executemany(*arguments)

    def close(self) -> None:
        """Roll back an open transaction, unless the process is killed just after its last statement."""
        self.tick()
        super().close()

    def tick(self) -> None:
        """Count one statement."""
        if self.statements_left == 0:
            self.dead = True
        if self.dead:
            raise KilledError
        self.statements_left -= 1

    def drop(self) -> None:
        """Close the connection as the system does for a dead process: an open transaction is rolled back."""
        sqlite3.Connection.close(self)


@dataclass(slots=True)
class Faults:
    """Faults of the machine: of the database, of threads, slow calls, and processes that cannot be seen.

    `threadless` is the share of calls that get no thread; `hidden` is a /proc that hides processes of other
    users.
    """

    generator: random.Random
    away: bool = False
    locked: bool = False
    full: bool = False
    slow: float = 0.0
    threadless: float = 0.0
    hidden: bool = False

    def grants_thread(self) -> bool:
        """Return whether the next call gets a thread."""
        return not self.threadless or self.generator.random() >= self.threadless

    def delay(self) -> timedelta:
        """Return how long the next call waits."""
        return timedelta(seconds=self.generator.uniform(0, self.slow)) if self.slow else timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyDatabase(InMemoryDatabase):
    """The one connection of a process to the file."""

    faults: Faults

    def connect(self) -> sqlite3.Connection:
        """Return the connection unless a fault prevents it."""
        if self.faults.away:
            raise NotReadyError("base introuvable")
        if self.faults.locked:
            raise TemporaryError("base verrouillée")
        return InMemoryDatabase.connect(self)


def open_database(path: Path, faults: Faults) -> FaultyDatabase:
    """Return the database of a new process; without syncs, because nothing here survives a power cut."""
    connection = sqlite3.connect(path, isolation_level=None, factory=KillableConnection)
    for pragma in ("synchronous = OFF", "journal_mode = MEMORY", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    connection.faults = faults
    return FaultyDatabase(path=path, connection=connection, faults=faults)


@dataclass(slots=True, kw_only=True, eq=False)
class KillableProcess(Process):
    """A process that can be killed; `on_call` is called after each ledger call, `on_end` at its end."""

    name: str
    database: FaultyDatabase
    on_call: Callable[["KillableProcess", str], None]
    on_end: Callable[["KillableProcess"], None]
    call_times: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def start(self, name: str, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Make a call, after the delay of a slow machine."""
        future: asyncio.Future[_T] = self.loop.create_future()
        future.add_done_callback(retrieve)
        if not self.database.faults.grants_thread():
            future.set_exception(NoThreadError("plus de thread"))
            return future
        self.call_times[name] = self.now()
        if name in LEDGER_CALLS:
            future.add_done_callback(lambda done: self._report_call(name, done))
            if wait := self.database.faults.delay():
                self.loop.call_later(wait.total_seconds(), self.make_call, call, future)
                return future
        self.make_call(call, future)
        return future

    def make_call(self, call: Callable[[], _T], future: "asyncio.Future[_T]") -> None:
        """Make a call at once; the process may be killed in it."""
        try:
            Process.make_call(self, call, future)
        except KilledError:
            self.kill()

    def kill_at_statement(self, number: int) -> None:
        """Kill the process at its n-th statement from now on."""
        self._connection.statements_left = number

    def kill(self) -> None:
        """End the process as `kill -9` does."""
        if self.alive:
            Process.kill(self)
            self._connection.drop()
            self.on_end(self)

    def _report_call(self, name: str, done: "asyncio.Future[Any]") -> None:
        if self.alive and not done.cancelled() and not done.exception():
            self.on_call(self, name)

    @property
    def _connection(self) -> KillableConnection:
        connection = self.database.connection
        assert isinstance(connection, KillableConnection)
        return connection
