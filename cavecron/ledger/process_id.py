"""Who holds a run: names of processes, and whether the process of a name is still there.

A name holds the host, the process and, on Linux, the boot and start time, so that a dead process can be
recognised. On another host, in another container or on another system only the lease counts.
"""

import os
from functools import cache
from pathlib import Path
from typing import Literal

#: What is known of the process that owns a run.
OwnerState = Literal["alive", "dead", "unseen"]


def process_token() -> str:
    """Return a name for this process that no other one ever has.

    Without the modules socket and secrets: they load OpenSSL, which is a tenth of what `health` costs.
    """
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    unique = os.urandom(8).hex()
    return f"{host.replace(':', '-')}:{os.getpid()}:{_machine()}:{_start_time(os.getpid()) or ''}:{unique}"


def shown(owner: str) -> str:
    """Return the owner in French words."""
    host, _, rest = owner.partition(":")
    return f"processus {rest.partition(':')[0]} sur {host}"


def is_dead(owner: str) -> bool:
    """Return whether the process is known to have ended: it was one of this machine, and is not there.

    Not being able to see it is not knowing: /proc can hide the processes of other users.
    """
    process, start = _here(owner)
    if not start:
        return False
    try:
        os.kill(process, 0)  # kill(2): signal 0 only checks, and finds processes that /proc hides
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it exists, under another user
    now = _start_time(process)
    return now is not None and now != start


def is_alive(owner: str) -> bool:
    """Return whether the process is known to be there; neither this nor `is_dead` where it cannot be seen."""
    process, start = _here(owner)
    return bool(start) and _start_time(process) == start


def owner_state(owner: str) -> OwnerState:
    """Return what is known of the process; `unseen` where it cannot be seen from here."""
    if is_alive(owner):
        return "alive"
    return "dead" if is_dead(owner) else "unseen"


def _here(owner: str) -> tuple[int, str]:
    """Return number and start of a process that this one could see; (0, '') where it could not, or is odd."""
    _host, *parts = owner.split(":")
    if len(parts) != 4 or not parts[1] or parts[1] != _machine():
        return 0, ""
    number = parts[0] if parts[0].isascii() and parts[0].isdecimal() else ""
    return (int(number), parts[2]) if number and 0 < len(number) < 10 and int(number) else (0, "")


@cache
def _machine() -> str:
    """Return what the processes share that can see each other: a boot, and a namespace of process numbers.

    Blank where the system does not say.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _start_time(process: int) -> str | None:
    """Return when a process started, in the kernel's measure: '' for a zombie, None where it is hidden."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        state, *fields = status.rpartition(")")[2].split()  # proc(5): what follows the name in brackets
        return "" if state in "ZX" else fields[18]  # a zombie does nothing any more; field 22 is the start
    except (OSError, IndexError, ValueError):
        return None
