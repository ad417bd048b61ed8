"""What runs are executed with, and what stops them.

It decides nothing about a run.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cavecron.clock import Clock, SystemClock
from cavecron.config.parsing import InvalidValueError
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs import zone_files
from cavecron.ledger.models import RunResult
from cavecron.ledger.store import Ledger
from cavecron.scheduler.threads import DaemonThreads, Threads

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What runs are executed with."""

    settings: Settings
    database: Database
    ledger: Ledger
    clock: Clock
    threads: Threads


def system_context(settings: Settings) -> RunContext:
    """Return what runs are executed with on a real machine."""
    database = Database(settings.database)
    return RunContext(
        settings=settings,
        database=database,
        ledger=Ledger(database=database, zone_of=_zone),
        clock=SystemClock(),
        threads=DaemonThreads(),
    )


def _zone(key: str) -> ZoneInfo:
    try:
        return zone_files.installed().zone(key)
    except InvalidValueError as error:
        raise ZoneInfoNotFoundError(key) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be asked of a run: by a person, or by a scheduler.

    With `wait_for_database` a run whose end cannot be recorded waits as long as the database is away.
    `recorded` is called once the ledger has the run's end.
    """

    dry_run: bool = False
    users: tuple[str, ...] = ()
    wait_for_database: bool = False
    progress: Callable[[int, int], None] = lambda _done, _total: None
    recorded: Callable[[RunResult], None] = lambda _result: None


class StopSignal:
    """What makes a running job stop at its next safe point; asked for in the thread of the loop.

    `lease_lost` is why the run is not this process's any more, None while it is.
    """

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self.lease_lost: CavecronError | None = None

    def stop(self) -> None:
        """Ask the job to stop."""
        self._asked.set()

    @property
    def stopping(self) -> bool:
        """Return whether the job was asked to stop; any thread may ask."""
        return self._asked.is_set()

    async def wait_for(
        self, call: "asyncio.Future[_T]", *, seconds: float | None = None, grace: float = 0.0
    ) -> bool:
        """Wait for a call, and return whether it is done.

        It is waited for as many `seconds` as are given, and for `grace` seconds at most after the stop was
        asked for.
        """
        if call.done():
            return True
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        asked = asyncio.ensure_future(self._asked.wait())
        either: set[asyncio.Future[Any]] = {call, asked}
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if not call.done() and self.stopping:
            remaining = grace if end is None else min(grace, max(0.0, end - loop.time()))
            await asyncio.wait({call}, timeout=remaining)
        return call.done()

    async def sleep(self, seconds: float) -> None:
        """Sleep so long, or until the stop is asked for."""
        nothing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self.wait_for(nothing, seconds=seconds)
