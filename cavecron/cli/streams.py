"""The standard streams, which can be closed, on a full disk, or a pipe whose reader has ended.

A job does not fail because its output cannot be written.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

from cavecron.text import harmless


def open_closed() -> None:
    """Open the null device for each closed standard stream, or a file opened later would get its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # open() takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a text to standard output, or another stream; an error is ignored."""
    with suppress(OSError, ValueError):
        print(harmless(text), file=stream or sys.stdout, flush=True)


@contextmanager
def harmless_streams() -> Iterator[None]:
    """Escape printed characters that act on a terminal, because names come from users and servers."""
    with redirect_stdout(_harmless(sys.stdout)), redirect_stderr(_harmless(sys.stderr)):
        yield


def _harmless(stream: TextIO) -> TextIO:
    return cast(TextIO, _Harmless(stream))


class _Harmless:
    """A stream that writes escaped text to another one; all else is delegated."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(harmless(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def flush() -> OSError | None:
    """Flush both output streams; return the error if one could not be written, else None."""
    error = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except ValueError:  # the stream is closed
            continue
        except OSError as flush_error:
            error = flush_error
            with suppress(OSError, ValueError):  # or the interpreter would try again, and print the error
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return error
