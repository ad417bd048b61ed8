"""The standard streams, which can be closed, full, or left by their reader half-way.

Output that cannot be written does not turn a job that was done into a failure.
"""

import os
import sys
from contextlib import suppress
from typing import TextIO


def open_closed() -> None:
    """Give each standard stream that is closed the null device: files opened later would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # open() takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a text to standard output, or another stream, if that is possible."""
    with suppress(OSError, ValueError):
        print(text, file=stream or sys.stdout, flush=True)


def flush() -> OSError | None:
    """Write what is left; return why it could not be written, None where it was."""
    error = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except ValueError:  # closed by now
            continue
        except OSError as trouble:
            error = trouble
            with suppress(OSError, ValueError):  # the interpreter would try once more, and complain
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return error
