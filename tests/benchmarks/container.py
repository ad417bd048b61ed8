"""What the image costs: its size, how fast `health` answers, and the memory of the idle scheduler.

`python -m tests.benchmarks.container` builds the image as the container tests do (root, podman, buildah,
runc, mmdebstrap) and holds it against the same sources in a virtual environment of this Python, both in
one run: `health` is started in turns, in the image's root file system by chroot, so that the start of a
container, which is the engine's affair, is not measured.
"""

import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cellars import CellarFile
from tests.commands import ROOT
from tests.container.bases import NONROOT, call
from tests.container.conftest import build_image, opened
from tests.container.engine import Engine

_ROUNDS = 25
_MEGABYTE = 1_000_000
_LIMITS = {
    "health in the image / in a virtual environment": 1.0,
    "image unpacked, MB": 60.0,
    "image compressed, MB": 24.0,
    "idle memory in the container / outside": 1.2,
}


def main() -> int:
    """Print each figure with its limit; return 0 if all hold."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made, opened() as engine:
        build_image(engine, f"--tag={engine.image}")
        folder = Path(made)
        program = _environment(folder / "venv")
        data = folder / "data"
        _fill(data)
        # First the scheduler: `health` asks whether it has ever looked.
        figures = {**_memory(engine, program, data), **_health(engine, program, data)}
        figures |= _sizes(engine, folder)
    print("| the image | figure | limit |")
    print("|---|---|---|")
    for name, limit in _LIMITS.items():
        print(f"| {name} | {figures[name]:.2f} | ≤ {limit:g} |")
    return 0 if all(figures[name] <= limit for name, limit in _LIMITS.items()) else 1


def _environment(folder: Path) -> Path:
    """Return the command of a virtual environment with these sources, compiled."""
    venv.create(folder, with_pip=True)
    call(str(folder / "bin/pip"), "install", "--quiet", str(ROOT))
    return folder / "bin/cavecron"


def _fill(data: Path) -> None:
    data.mkdir()
    cellar = CellarFile(data / "wine.db")
    cellar.user("marie")
    cellar.close()
    for path in (data, data / "wine.db"):
        shutil.chown(path, NONROOT, NONROOT)


def _health(engine: Engine, program: Path, data: Path) -> dict[str, float]:
    with engine.mounted() as root:
        call("mount", "--bind", str(data), str(root / "data"))
        try:
            inside = [
                "chroot",
                f"--userspec={NONROOT}:{NONROOT}",
                str(root),
                "/opt/cavecron/cavecron",
                "health",
            ]
            outside = [str(program), "health"]
            environ = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{data}/wine.db"}
            of_image = dict(line.split("=", 1) for line in engine.inspect()["Config"]["Env"])
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(_ROUNDS):
                times[0].append(_timed(inside, {**of_image, "PATH": os.environ["PATH"]}))
                times[1].append(_timed(outside, environ))
        finally:
            call("umount", str(root / "data"))
    medians = [statistics.median(measured[2:]) for measured in times]
    print(f"health: {medians[0] * 1000:.0f} ms in the image, {medians[1] * 1000:.0f} ms outside")
    return {"health in the image / in a virtual environment": medians[0] / medians[1]}


def _timed(command: Sequence[str], environ: Mapping[str, str]) -> float:
    """Return the seconds that a command takes; it has to succeed."""
    started = time.perf_counter()
    subprocess.run(command, env=dict(environ), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _sizes(engine: Engine, folder: Path) -> dict[str, float]:
    archive = folder / "image.tar"
    engine.podman("save", "--format=docker-archive", f"--output={archive}", engine.image)
    return {
        "image unpacked, MB": engine.inspect()["Size"] / _MEGABYTE,
        "image compressed, MB": len(gzip.compress(archive.read_bytes(), compresslevel=6)) / _MEGABYTE,
    }


def _memory(engine: Engine, program: Path, data: Path) -> dict[str, float]:
    """Return the resident memory of the scheduler some seconds after its start, inside over outside."""
    with engine.running(data=data) as container:
        inside = _settled(container.pid)
    with _outside(program, data) as pid:
        outside = _settled(pid)
    print(f"idle: {inside / _MEGABYTE:.1f} MB in the container, {outside / _MEGABYTE:.1f} MB outside")
    return {"idle memory in the container / outside": inside / outside}


@contextmanager
def _outside(program: Path, data: Path) -> Iterator[int]:
    environ = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{data}/wine.db"}
    with subprocess.Popen([program], env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _settled(pid: int) -> int:
    """Return the bytes that a process holds once they have not changed for two seconds."""
    seen, since, end = 0, time.monotonic(), time.monotonic() + 30
    while time.monotonic() < min(since + 2, end):
        held = _resident(pid)
        if held != seen:
            seen, since = held, time.monotonic()
        time.sleep(0.2)
    return seen


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    sys.exit(main())
