"""A process that is killed at a chosen call that our code makes: of SQLite, or of the system."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from zoneinfo import ZoneInfo

from cavecron.cli import main as cli
from cavecron.database.backup_folder import BackupFolder
from cavecron.database.backup_names import BackupNames
from cavecron.database.sqlite import Database

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["cavecron.cli.restore", "cavecron.cli.arguments", __name__])
_PACKAGE = Path(__file__).parents[2] / "cavecron"
_OURS = tuple(str(_PACKAGE / part) for part in ("database", "ledger/carry_over.py", "cli/restore.py"))


def killed_at(moment: int, call: Callable[..., object], *arguments: object) -> bool:
    """Make a call in a process of its own, which dies at its `moment`-th call; return whether it did.

    Calls of the modules that copy and restore count, and what SQLite calls back there between two steps.
    """
    process = _CONTEXT.Process(target=_make, args=(moment, call, arguments), daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def back_up(database: Path, folder: Path, stem: str, at: datetime) -> None:
    """Do what a night does: keep one backup, that of `at` (aware)."""
    made = BackupFolder(path=folder, names=BackupNames(stem=stem, zone=ZoneInfo("Europe/Paris")))
    made.prepare(100_000)
    made.add(Database(database), at, lambda: None)
    made.remove_expired(1)


def restore(copy: Path, variables: Mapping[str, str]) -> None:
    """Do what `cavecron restore --yes` does, and say nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    assert cli.main(["restore", str(copy), "--yes"], variables) == 0


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
