"""What the kernel counts of a running process: wake-ups, bytes read and written, memory, open files."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: The flag of a listening socket in /proc/net/unix.
_UNIX_LISTEN = 0x10000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What has been counted since the process began: wake-ups of all its threads, and bytes.

    `characters` went through read and write, whatever they read; `stored` from and to disks.
    """

    wakeups: int
    characters: int
    stored: int


def counters(process: int) -> Counters:
    """Return the counters of a process."""
    threads = Path(f"/proc/{process}/task").iterdir()
    moved = _fields(Path(f"/proc/{process}/io"))
    return Counters(
        wakeups=sum(_fields(thread / "status")["voluntary_ctxt_switches"] for thread in threads),
        characters=moved["rchar"] + moved["wchar"],
        stored=moved["read_bytes"] + moved["write_bytes"],
    )


def processor_seconds(process: int) -> float:
    """Return the processor time of a process in seconds."""
    _, _, rest = Path(f"/proc/{process}/stat").read_text().rpartition(")")
    user, system = rest.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> tuple[int, int]:
    """Return kilobytes in memory: all of them, and with pages that are shared counted in part."""
    sizes = _fields(Path(f"/proc/{process}/smaps_rollup"))
    return sizes["Rss"], sizes["Pss"]


def open_files(process: int) -> list[str]:
    """Return the files that a process has open."""
    names = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            names.append(os.readlink(link))
    return names


def network_sockets(process: int) -> list[str]:
    """Return the network's sockets of a process, and those that listen, as the kernel's tables have them.

    The pair of sockets by which a loop wakes itself is left out.
    """
    ours = {name[8:-1] for name in open_files(process) if name.startswith("socket:[")}
    sockets = []
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        path = Path(f"/proc/{process}/net/{table}")
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        sockets += [f"{table} {line}" for line in lines if line.split()[9] in ours]
    for line in Path(f"/proc/{process}/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, inode, *_ = line.split()
        if inode in ours and int(flags, 16) & _UNIX_LISTEN:
            sockets.append(f"unix {line}")
    return sockets


def _fields(path: Path) -> dict[str, int]:
    """Return the numbers of a file of lines such as `Rss:  24148 kB`."""
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {
        name: int(value.split()[0]) for name, value in pairs if value.split() and value.split()[0].isdigit()
    }
