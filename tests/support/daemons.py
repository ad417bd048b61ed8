"""The scheduler as a process, with a clock that the test sets."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from tests.support.commands import environment

#: Seconds; a loaded machine is slow, a hung process is for ever.
_PATIENCE = 40.0


class Daemon:
    """A running process; `lines` has its output so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str, *, times: int = 1) -> str:
        """Wait for the `times`-th line that matches, and return it; fail if it does not come."""
        limit = time.monotonic() + _PATIENCE
        while time.monotonic() < limit:
            matches = [line for line in self.lines if re.search(pattern, line)]
            if len(matches) >= times:
                return matches[times - 1]
            time.sleep(0.02)
        pytest.fail(f"{pattern!r} did not come:\n" + "\n".join(self.lines))

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code, and the seconds until the process ended."""
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(_PATIENCE)
        seconds = time.monotonic() - started
        self._reader.join(_PATIENCE)  # so that its last lines are read, too
        return code, seconds

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()
        self.process.wait(_PATIENCE)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))


@contextmanager
def daemon(
    variables: Mapping[str, str],
    *,
    at: datetime | None = None,
    program: Sequence[str] = ("cavecron",),
    prefix: Sequence[str] = (),
) -> Iterator[Daemon]:
    """Start `cavecron` with these variables; `at` is what its clock says when it starts.

    The time then goes on as usual. Whatever still runs at the end is killed. `program` is another module to
    start instead, and its arguments; `prefix` is what starts
    Python, where that is not the shell itself.
    """
    process = subprocess.Popen(
        [*prefix, sys.executable, "-u", "-m", *program],
        env=environment(**(faked(at) if at else {}), **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Daemon(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def faked(at: datetime) -> dict[str, str]:
    """Return the variables that make a process that starts now see `at` (aware) as the present time."""
    if not list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")):
        pytest.skip("libfaketime is not installed (apt-get install faketime)")
    shift = (at - datetime.now(UTC)).total_seconds()
    # Preloaded without its wrapper, so that signals reach the process itself.
    library = "/usr/$LIB/faketime/libfaketime.so.1"
    return {"LD_PRELOAD": library, "FAKETIME": f"{shift:+.3f}", "DONT_FAKE_MONOTONIC": "1"}
