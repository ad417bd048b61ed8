"""Running a command; its module is imported only when it is called.

A CavecronError becomes one French message on standard error, and its exit code.
"""

import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import NoReturn

from cavecron.cli import streams
from cavecron.errors import CavecronError, reason

#: Seconds that the process waits at its end for threads that are about to finish.
_THREAD_GRACE = 0.2


def entry() -> None:
    """Run the command that the process was started with, and exit with its code."""
    if sys.argv[1:]:
        # Garbage collection while modules are imported takes a fifth of a short command's time, and frees
        # nothing. The scheduler keeps it on, because it runs for years and saves some memory.
        gc.disable()
    streams.open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show ✓ must not cause an error
    try:
        code = main(sys.argv[1:], os.environ)
    except SystemExit as end:  # argparse has printed its help, or what is wrong with the command line
        code = int(end.code or 0)
    trouble = streams.flush()
    # If the output cannot be written, a listing has failed, but a run has not.
    is_listing = sys.argv[1:2] not in ([], ["run"])
    if trouble and is_listing and not isinstance(trouble, BrokenPipeError):
        code = code or _unwritable(trouble)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Exit; immediately if a thread still runs, because the interpreter's exit would wait for it.

    Such a thread belongs to a job that hangs.
    """
    threading = sys.modules.get("threading")  # without that module there are no threads
    others = threading.enumerate()[1:] if threading else []  # the first one is the main thread
    for thread in others:
        thread.join(_THREAD_GRACE / len(others))
    if any(thread.is_alive() for thread in others):
        os._exit(code)
    sys.exit(code)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage or configuration."""
    try:
        # The scheduler and `run` write a log, which is escaped already, and jobs may print anything.
        with nullcontext() if argv[:1] in ([], ["run"]) else streams.harmless_streams():
            return _run(argv, environ)
    except CavecronError as error:
        streams.say(f"cavecron : {error}", sys.stderr)
        return error.exit_code
    except ImportError as error:  # a package that cavecron needs; the loader catches those of job files
        streams.say(
            f"cavecron : installation incomplète ({error}) ; réinstaller cavecron avec pip, croniter et"
            " cryptography compris",
            sys.stderr,
        )
        return 1
    except BrokenPipeError:
        # The reader of our output has ended (`cavecron … | head`).
        streams.flush()
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO) or error.filename:
            raise
        return _unwritable(error)
    except KeyboardInterrupt:
        streams.say("cavecron : interrompu", sys.stderr)
        return 130


def _run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    # The scheduler has no arguments, and would keep argparse in memory for years.
    arguments = importlib.import_module("cavecron.cli.arguments").parse(argv) if argv else None
    name = arguments.command if arguments and arguments.command else "scheduler"
    command = importlib.import_module(f"cavecron.cli.{name}")
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    code: int = command.main(arguments, environ)
    return code


def _unwritable(error: OSError) -> int:
    streams.say(f"cavecron : la sortie n'a pu être écrite : {reason(error)}", sys.stderr)
    streams.flush()
    return 1
