"""Running cavecron's commands in the process of the test, with a clock that the test can set.

It is much faster than starting a process; tests that need one use `tests.support.commands`.
"""

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from datetime import datetime

from cavecron.cli import main as cli
from tests.support.clocks import wall_clock
from tests.support.commands import Result


def command(*arguments: str, at: datetime | None = None, **variables: str) -> Result:
    """Run one command to its end, by the usual clock or while it stands still at `at` (aware)."""
    return _run(arguments, variables, at=at, tick=False)


def live_command(*arguments: str, at: datetime, **variables: str) -> Result:
    """Run one command to its end while the clock goes on from `at` (aware)."""
    return _run(arguments, variables, at=at, tick=True)


def _run(
    arguments: Sequence[str], variables: Mapping[str, str], *, at: datetime | None, tick: bool
) -> Result:
    out, err = io.StringIO(), io.StringIO()
    clock = wall_clock(at, tick=tick) if at else nullcontext()
    with redirect_stdout(out), redirect_stderr(err), same_log(), clock:
        try:
            code = cli.main(arguments, variables)
        except SystemExit as end:  # argparse ends the process
            code = end.code if isinstance(end.code, int) else 1
    return Result(code=code, out=out.getvalue(), err=err.getvalue())


@contextmanager
def same_log() -> Iterator[None]:
    """Restore the logging configuration at the end."""
    logger = logging.getLogger("cavecron")
    before = logger.handlers[:], logger.level, logger.propagate
    try:
        yield
    finally:
        logger.handlers[:], level, logger.propagate = before
        logger.setLevel(level)
