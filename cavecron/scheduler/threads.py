"""Blocking calls from an asyncio program, each in a daemon thread of its own.

The loop's default pool is not used: it is joined at exit, so that a call that hangs would prevent the exit.
"""

import asyncio
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Protocol, TypeVar

from cavecron.errors import NO_THREAD, TemporaryError

_T = TypeVar("_T")


class NoThreadError(TemporaryError):
    """The system cannot start another thread."""


class Threads(Protocol):
    """Makes blocking calls; a simulation makes them directly, without threads."""

    def start(self, name: str, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Start a call; the future gets its result or its exception."""
        ...

    def detach(self, call: Callable[[], None]) -> None:
        """Start a call that raises nothing and that nobody awaits; if no thread is available, skip it."""
        ...


class DaemonThreads:
    """A new thread for each call; it is never joined."""

    def start(self, name: str, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Start `call` in a thread called `name`; the future gets its result or its exception.

        If no thread can be started, it gets a NoThreadError.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        future.add_done_callback(retrieve)

        def work() -> None:
            try:
                result = call()
            except BaseException as error:  # raised again where the future is awaited
                passed_on = error if isinstance(error, Exception) else RuntimeError(repr(error))
                _call_in_loop(loop, _fail, future, passed_on)
            else:
                _call_in_loop(loop, _succeed, future, result)

        try:
            Thread(target=work, name=f"cavecron-{name}", daemon=True).start()
        except (RuntimeError, MemoryError):  # "can't start new thread"
            _fail(future, NoThreadError(NO_THREAD))
        return future

    def detach(self, call: Callable[[], None]) -> None:
        """Start a call that raises nothing and that nobody awaits; if no thread is available, skip it.

        It wakes up no other thread, neither at its beginning nor at its end.
        """
        with suppress(RuntimeError, MemoryError):  # "can't start new thread"
            start_new_thread(call, ())


def retrieve(future: "asyncio.Future[_T]") -> None:
    """Retrieve a future's error, so that the loop does not report it for a call that nobody awaits."""
    if not future.cancelled():
        future.exception()


def _call_in_loop(loop: asyncio.AbstractEventLoop, settle: Callable[..., None], *arguments: object) -> None:
    with suppress(RuntimeError):  # the loop is closed, and nobody awaits this call
        loop.call_soon_threadsafe(settle, *arguments)


def _succeed(future: "asyncio.Future[_T]", result: _T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[_T]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
