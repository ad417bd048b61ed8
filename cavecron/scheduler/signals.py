"""SIGTERM and SIGINT: the first asks to stop, a second one ends the process at once.

So does SIGHUP, when a terminal is closed; a process that was started by nohup goes on.
"""

import asyncio
import os
import signal
from collections.abc import Callable


def on_stop(ask: Callable[[], None]) -> None:
    """Have `ask` called in the running loop at the first signal."""
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def receive(number: int) -> None:
        if asked:
            os._exit(128 + number)  # process 1 of a container ignores signals that have no handler
        asked.append(number)
        ask()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, receive, number)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, ask)  # shells and kernels send several
