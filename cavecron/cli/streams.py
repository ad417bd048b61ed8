"""The standard streams, which can be closed, full, or left by their reader half-way.

Output that cannot be written does not turn a job that was done into a failure.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

from cavecron.text import harmless


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
        print(harmless(text), file=stream or sys.stdout, flush=True)


@contextmanager
def harmless_streams() -> Iterator[None]:
    """Show as escapes what printed text would do to a terminal: names come from users and servers."""
    with redirect_stdout(_harmless(sys.stdout)), redirect_stderr(_harmless(sys.stderr)):
        yield


def _harmless(stream: TextIO) -> TextIO:
    return cast(TextIO, _Harmless(stream))


class _Harmless:
    """A stream that writes to another, which it stands for in all else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(harmless(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
