"""The objects that every run uses, the options of a run, and the signal that stops one.

It decides nothing about a run.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cavecron.clock import Clock, SystemClock
from cavecron.config.parsing import InvalidValueError
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError, StoppedError
from cavecron.jobs import zone_files
from cavecron.ledger.models import RunResult
from cavecron.ledger.store import Ledger
from cavecron.scheduler.threads import DaemonThreads, Threads

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The objects that every run uses."""

    settings: Settings
    database: Database
    ledger: Ledger
    clock: Clock
    threads: Threads


def system_context(settings: Settings) -> RunContext:
    """Return the context for a real machine: its clock, its threads and the database of `settings`."""
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
    """Options of a run, which a person or a scheduler sets.

    With `wait_for_database`, a run whose end cannot be recorded waits as long as the database is away.
    `progress` is called with the number of finished and of all steps, `recorded` with the result once it is
    in the ledger.
    """

    dry_run: bool = False
    users: tuple[str, ...] = ()
    wait_for_database: bool = False
    progress: Callable[[int, int], None] = lambda _done, _total: None
    recorded: Callable[[RunResult], None] = lambda _result: None


class StopSignal:
    """Makes a running job stop at its next safe point; `stop` is called in the loop's thread.

    `lease_lost` is the error by which this process lost the run, None as long as it holds the run.
    """

    def __init__(self) -> None:
        self._stop_request = asyncio.Event()
        self.lease_lost: CavecronError | None = None

    def stop(self) -> None:
        """Ask the job to stop."""
        self._stop_request.set()

    @property
    def stopping(self) -> bool:
        """Return whether the job was asked to stop; may be called in any thread."""
        return self._stop_request.is_set()

    async def wait_for(
        self, call: "asyncio.Future[_T]", *, seconds: float | None = None, grace: float = 0.0
    ) -> bool:
        """Wait for a call, and return whether it is done.

        The wait ends after `seconds` (None: no limit), and at most `grace` seconds after the request to stop.
        """
        if call.done():
            return True
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        stop_request = asyncio.ensure_future(self._stop_request.wait())
        futures: set[asyncio.Future[Any]] = {call, stop_request}
        try:
            await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop_request.cancel()
        if not call.done() and self.stopping:
            remaining = grace if end is None else min(grace, max(0.0, end - loop.time()))
            await asyncio.wait({call}, timeout=remaining)
        return call.done()

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`, or until the job is asked to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop_request.wait()


async def call_unless_stopped(stop: StopSignal, context: RunContext, call: Callable[[], _T]) -> _T:
    """Return the result of a call that may wait for a lock, and after which a run begins.

    Raises:
        StoppedError: a stop was requested before the call, or meanwhile; a stop does not wait for the call.

    """
    if not stop.stopping:
        future = context.threads.start("claim", call)
        if await stop.wait_for(future):
            return future.result()
    raise StoppedError("arrêt demandé avant le début : rien n'a été fait")
