"""Unique names of processes, which own runs, and whether the process with a name is still alive.

A name contains the host, the process id and, on Linux, the boot and the start time, so that a dead process
can be recognised. On another host, in another container or on another system only the lease counts.
"""

import os
from functools import cache
from pathlib import Path
from typing import Literal

#: Whether a process is alive; `unseen` if it cannot be seen from here.
OwnerState = Literal["alive", "dead", "unseen"]


def process_token() -> str:
    """Return a name for this process that no other process ever has.

    It does not use the modules socket and secrets, which load OpenSSL: a tenth of the time of `health`.
    """
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    unique = os.urandom(8).hex()
    return f"{host.replace(':', '-')}:{os.getpid()}:{_machine()}:{_start_time(os.getpid()) or ''}:{unique}"


def describe_owner(owner: str) -> str:
    """Return the process and host of an owner in French words."""
    host, _, rest = owner.partition(":")
    return f"processus {rest.partition(':')[0]} sur {host}"


def is_dead(owner: str) -> bool:
    """Return whether the process is known to have ended: it ran on this machine, and does not exist.

    A process that cannot be seen may still exist: /proc can hide the processes of other users.
    """
    process, start = _here(owner)
    if not start:
        return False
    try:
        os.kill(process, 0)  # kill(2): signal 0 only checks, also for processes that /proc hides
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it exists, under another user
    now = _start_time(process)
    return now is not None and now != start


def is_alive(owner: str) -> bool:
    """Return whether the process is known to be alive; if it cannot be seen, `is_dead` is False too."""
    process, start = _here(owner)
    return bool(start) and _start_time(process) == start


def owner_state(owner: str) -> OwnerState:
    """Return whether the process is alive; `unseen` if it cannot be seen from here."""
    if is_alive(owner):
        return "alive"
    return "dead" if is_dead(owner) else "unseen"


def _here(owner: str) -> tuple[int, str]:
    """Return id and start time of a process on this machine; (0, '') for any other name."""
    _host, *parts = owner.split(":")
    if len(parts) != 4 or not parts[1] or parts[1] != _machine():
        return 0, ""
    number = parts[0] if parts[0].isascii() and parts[0].isdecimal() else ""
    return (int(number), parts[2]) if number and 0 < len(number) < 10 and int(number) else (0, "")


@cache
def _machine() -> str:
    """Return an id that processes share if they can see each other: the boot and the PID namespace.

    Empty on a system without them.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _start_time(process: int) -> str | None:
    """Return the start time of a process in clock ticks; '' for a zombie, None if it cannot be seen."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        state, *fields = status.rpartition(")")[2].split()  # proc(5): the fields after the name in brackets
        return "" if state in "ZX" else fields[18]  # a zombie has ended; field 22 is the start time
    except (OSError, IndexError, ValueError):
        return None
