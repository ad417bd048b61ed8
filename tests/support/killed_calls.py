"""A process that is killed at a chosen call that our code makes: of SQLite, or of the system."""

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from types import FrameType

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["cavecron.cli.restore", "cavecron.cli.arguments", __name__])
_OURS = str(Path(__file__).parents[2] / "cavecron")


def killed_at(moment: int, call: Callable[..., object], *arguments: object) -> bool:
    """Make a call in a process of its own, which dies at its `moment`-th call; return whether it did.

    0 is never. What our own modules call counts, and what SQLite calls back between two steps.
    """
    process = _CONTEXT.Process(target=_make, args=(moment, call, arguments), daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def _make(moment: int, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
    calls = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        if event in ("c_call", "call") and frame.f_code.co_filename.startswith(_OURS):
            calls += 1
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    call(*arguments)
    sys.setprofile(None)
    os._exit(0)
