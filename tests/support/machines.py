"""A machine with an init system or a cron of its own, for as long as a test lasts.

It has the files of this machine, and namespaces of its own: nothing is started, changed or left behind here.
What a person would install lies where a unit or a crontab looks for it: the program, and its user.
"""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.commands import ROOT

#: Who runs the services.
_USER = 12_345
#: What units want that belongs to a whole system.
_STUBS = ("sysinit.target", "basic.target", "timers.target", "shutdown.target", "network-online.target")
#: The shell of the new namespaces runs it; $1 is the machine's folder, $2 what it becomes.
_BOOT = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/tmp
mount -t tmpfs tmpfs /usr/local/bin
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /run/python /run/packages /run/source
mount --bind "$PYTHON" /run/python
mount --bind "$PACKAGES" /run/packages
mount --bind "$SOURCE" /run/source
cp "$1/cavecron" /usr/local/bin/cavecron
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
mount --make-rshared /
"""
_SYSTEMD = """
exec env -i container=other SYSTEMD_UNIT_PATH="$1/units" SYSTEMD_GENERATOR_PATH=/nonexistent \\
    /lib/systemd/systemd --system --unit=test.target --show-status=0
"""
_CRON = """
mount -t tmpfs tmpfs /var/spool/cron
mkdir /var/spool/cron/crontabs
cp "$1/crontab" /var/spool/cron/crontabs/root
chmod 600 /var/spool/cron/crontabs/root
exec env -i PATH="$PATH" cron -f -L 15
"""
_UNSHARED = (
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts", "--ipc", "--cgroup"),
    *("sh", "-c"),
)


class Log:
    """The output of a machine's services."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def wait_for(self, pattern: str, *, limit: float = 40.0) -> None:
        """Wait for a line that matches; fail if none comes."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if re.search(pattern, self._path.read_text()):
                return
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} did not come:\n{self._path.read_text()}")


@contextmanager
def systemd(folder: Path, units: Mapping[str, str], start: str, *, shared: Path) -> Iterator[Log]:
    """Yield what services say, while systemd has these units and starts one; `shared` is theirs."""
    (folder / "units").mkdir(parents=True)
    target = f"[Unit]\nDefaultDependencies=no\nWants={start}\n"
    stubs = dict.fromkeys(_STUBS, "[Unit]\nDefaultDependencies=no\n")
    for name, text in {**units, **stubs, "test.target": target}.items():
        (folder / "units" / name).write_text(text, encoding="utf-8")
        if name.endswith(".service"):
            (folder / "units" / f"{name}.d").mkdir()
            drop_in = f"[Service]\nStandardOutput=append:{folder}/log\n"
            (folder / "units" / f"{name}.d" / "log.conf").write_text(drop_in)
    for path in (shared, *shared.rglob("*")):
        os.chown(path, _USER, _USER)
    with _machine(folder, _SYSTEMD) as log:
        yield log


@contextmanager
def cron(folder: Path, crontab: str) -> Iterator[Log]:
    """Yield the log, while root has this crontab."""
    folder.mkdir()
    (folder / "crontab").write_text(crontab, encoding="utf-8")
    with _machine(folder, _CRON) as log:
        yield log


@contextmanager
def _machine(folder: Path, what: str) -> Iterator[Log]:
    _install(folder)
    places = {
        "PYTHON": sys.base_prefix,
        "PACKAGES": sysconfig.get_path("purelib"),
        "SOURCE": str(ROOT),
        "PATH": os.environ["PATH"],
    }
    with (folder / "log").open("wb") as file:
        process = subprocess.Popen(
            [*_UNSHARED, _BOOT + what, "boot", str(folder)],
            env=places, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            yield Log(folder / "log")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _install(folder: Path) -> None:
    program = f"/run/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    paths = "PYTHONPATH=/run/source:/run/packages LD_LIBRARY_PATH=/run/python/lib"
    options = "PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1"
    (folder / "cavecron").write_text(f'#!/bin/sh\n{paths} {options} exec {program} -m cavecron "$@"\n')
    (folder / "cavecron").chmod(0o755)
    user = f"cave-a-vin:x:{_USER}:"
    for name, rest in (("passwd", f"{_USER}::/:/bin/sh"), ("group", "")):
        (folder / name).write_text(f"{Path('/etc', name).read_text()}{user}{rest}\n")
