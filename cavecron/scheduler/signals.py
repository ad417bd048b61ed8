"""SIGTERM and SIGINT: the first one requests a stop, the second one ends the process at once.

SIGHUP, sent when a terminal is closed, requests a stop as well, unless the process was started with nohup.
What a stop means is not known here.
"""

import asyncio
import os
import signal
from collections.abc import Callable


def on_stop(ask: Callable[[], None]) -> None:
    """Call `ask` in the running loop at the first signal."""
    loop = asyncio.get_running_loop()
    signals: list[int] = []

    def receive(number: int) -> None:
        if signals:
            os._exit(128 + number)  # process 1 of a container ignores signals that have no handler
        signals.append(number)
        ask()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, receive, number)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, ask)  # shells and kernels send several
