"""Who holds a run: names of processes, and whether the process of a name is still there.

A name tells host, process and, on Linux, enough of the machine to know that a process is gone. Where that
cannot be known (another host, another container, another system) only the lease tells.
"""

import os
from functools import cache
from pathlib import Path


def process_token() -> str:
    """Return a name for this process that no other one ever has.

    Without the modules socket and secrets: they load OpenSSL, which is a tenth of what `health` costs.
    """
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    unique = os.urandom(8).hex()
    return f"{host.replace(':', '-')}:{os.getpid()}:{_machine()}:{_started(os.getpid())}:{unique}"


def shown(owner: str) -> str:
    """Return the owner in French words."""
    host, _, rest = owner.partition(":")
    return f"processus {rest.partition(':')[0]} sur {host}"


def is_dead(owner: str) -> bool:
    """Return whether the process is known to have ended: it was one of this machine, and is not there."""
    _host, *parts = owner.split(":")
    if len(parts) != 4 or not parts[0].isdecimal() or parts[1] != _machine() or not parts[1]:
        return False
    return _started(int(parts[0])) != parts[2]


@cache
def _machine() -> str:
    """Return what the processes share that can see each other: a boot, and a namespace of process numbers.

    Blank where the system does not tell.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _started(process: int) -> str:
    """Return when a process started, in the kernel's own measure; blank where there is no such process."""
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = told.rpartition(")")[2].split()  # proc(5): what follows the name in brackets
    return "" if state in "ZX" else fields[18]  # a zombie does nothing any more; field 22 is the start
