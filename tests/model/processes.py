"""Processes that can be killed at any SQL statement, on one database file that everybody shares."""

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
from cavecron.simulation.machine import KeptConnection, KeptDatabase, Process

_T = TypeVar("_T")
#: The names of the calls that write the ledger.
LEDGER_CALLS = frozenset({"register", "scan", "end", "lease", "claim"})


class KilledError(BaseException):
    """The process was killed at this statement; no code of it runs any more."""


class MortalConnection(KeptConnection):
    """A connection that counts down to its process's death."""

    statements_left = -1
    dead = False

    weather: "Weather | None" = None

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute a statement, or die before it; a full disk takes nothing new."""
        self.tick()
        if (
            self.weather
            and self.weather.full
            and str(arguments[0]).startswith(("INSERT", "UPDATE", "CREATE"))
        ):
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute statements, or die before them."""
        self.tick()
        return super().executemany(*arguments)

    def close(self) -> None:
        """Leave no transaction behind, or die just after the last statement."""
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
        """Close it as the system does for a process that is gone: what was not committed is undone."""
        sqlite3.Connection.close(self)


@dataclass(slots=True)
class Weather:
    """Whether the database and threads can be had, how long calls take, and whether processes can be seen.

    `threadless` is the share of calls that get no thread; `hidden` is a /proc that hides processes of others.
    """

    dice: random.Random
    away: bool = False
    locked: bool = False
    full: bool = False
    slow: float = 0.0
    threadless: float = 0.0
    hidden: bool = False

    def grants_thread(self) -> bool:
        """Return whether the next call gets a thread."""
        return not self.threadless or self.dice.random() >= self.threadless

    def delay(self) -> timedelta:
        """Return how long the next call waits."""
        return timedelta(seconds=self.dice.uniform(0, self.slow)) if self.slow else timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherDatabase(KeptDatabase):
    """The one connection of a process to the file."""

    weather: Weather

    def connect(self) -> sqlite3.Connection:
        """Return it, if the weather permits."""
        if self.weather.away:
            raise NotReadyError("base introuvable")
        if self.weather.locked:
            raise TemporaryError("base verrouillée")
        return KeptDatabase.connect(self)


def open_database(path: Path, weather: Weather) -> WeatherDatabase:
    """Return a new process's database; nothing in these tests survives a power cut, so nothing is synced."""
    connection = sqlite3.connect(path, isolation_level=None, factory=MortalConnection)
    for pragma in ("synchronous = OFF", "journal_mode = MEMORY", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    connection.weather = weather
    return WeatherDatabase(path=path, connection=connection, weather=weather)


@dataclass(slots=True, kw_only=True, eq=False)
class Mortal(Process):
    """A process that can be killed; `heard` is told of each ledger call that came to its end."""

    name: str
    database: WeatherDatabase
    heard: Callable[["Mortal", str], None]
    died: Callable[["Mortal"], None]
    asked: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def start(self, name: str, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Make a call, after what the weather makes it wait."""
        future: asyncio.Future[_T] = self.loop.create_future()
        future.add_done_callback(retrieve)
        if not self.database.weather.grants_thread():
            future.set_exception(NoThreadError("plus de thread"))
            return future
        self.asked[name] = self.now()
        if name in LEDGER_CALLS:
            future.add_done_callback(lambda done: self._tell(name, done))
            if wait := self.database.weather.delay():
                self.loop.call_later(wait.total_seconds(), self.make, call, future)
                return future
        self.make(call, future)
        return future

    def make(self, call: Callable[[], _T], future: "asyncio.Future[_T]") -> None:
        """Make a call in place; it may be this process's last."""
        try:
            Process.make(self, call, future)
        except KilledError:
            self.kill()

    def kill_at_statement(self, number: int) -> None:
        """Have the process killed at its so-and-so-many-th statement from now on."""
        self._connection.statements_left = number

    def kill(self) -> None:
        """End the process as `kill -9` does."""
        if self.alive:
            Process.kill(self)
            self._connection.drop()
            self.died(self)

    def _tell(self, name: str, done: "asyncio.Future[Any]") -> None:
        if self.alive and not done.cancelled() and not done.exception():
            self.heard(self, name)

    @property
    def _connection(self) -> MortalConnection:
        connection = self.database.connection
        assert isinstance(connection, MortalConnection)
        return connection
