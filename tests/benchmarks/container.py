"""The costs of the image: its size, how fast `health` answers, and the memory of an idle scheduler.

`python -m tests.benchmarks image` builds the image as the container tests do (root, podman, buildah, runc,
mmdebstrap) and compares it with the same sources in a virtual environment of this Python, both in one run:
`health` is started alternately, in the image's root file system by chroot, so that the start of a container
by the engine is not measured.
"""

import gzip
import os
import shutil
import subprocess
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.figures import Figure, ratio, seconds
from tests.container.bases import NONROOT, call
from tests.container.conftest import open_engine
from tests.container.engine import Engine
from tests.container.stand_ins import build_image
from tests.support.app_database import CellarFile
from tests.support.commands import ROOT

_MEGABYTE = 1_000_000


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Build the image and measure it."""
    with open_engine() as engine:
        build_image(engine)
        yield from image_figures(engine, folder, runs=3 if quick else 41)


def image_figures(engine: Engine, folder: Path, *, runs: int) -> Iterator[Figure]:
    """Measure an existing image."""
    program = _environment(folder / "venv")
    data = folder / "data"
    _fill(data)
    yield _memory(engine, program, data)  # first, because `health` needs jobs that a scheduler has registered
    yield _health(engine, program, data, runs)
    yield from _sizes(engine, folder)


def _environment(folder: Path) -> Path:
    """Return the command in a new virtual environment with these sources, compiled."""
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


def _health(engine: Engine, program: Path, data: Path, runs: int) -> Figure:
    path = {"PATH": os.environ["PATH"]}
    of_image = dict(line.split("=", 1) for line in engine.inspect()["Config"]["Env"])
    user = f"--userspec={NONROOT}:{NONROOT}"
    with engine.mounted() as root:
        call("mount", "--bind", str(data), str(root / "data"))
        try:
            inside = ("chroot", user, str(root), "/opt/cavecron/cavecron", "health")
            outside = ("chroot", "/", str(program), "health")  # so that both start one more program
            return ratio(
                "`cavecron health` in the image, over the same in a virtual environment",
                partial(_command_seconds, inside, {**of_image, **path}),
                partial(_command_seconds, outside, {**path, "DATABASE_URL": f"sqlite:///{data}/wine.db"}),
                limit=1.0,
                runs=runs,
            )
        finally:
            call("umount", str(root / "data"))


def _command_seconds(command: Sequence[str], environ: Mapping[str, str]) -> float:
    """Return the seconds that a command takes; fail if it fails."""
    run = partial(subprocess.run, command, env=dict(environ), check=True, stdout=subprocess.DEVNULL)
    return seconds(run)


def _sizes(engine: Engine, folder: Path) -> Iterator[Figure]:
    archive = folder / "image.tar"
    engine.podman("save", "--format=docker-archive", f"--output={archive}", engine.image)
    compressed = len(gzip.compress(archive.read_bytes(), compresslevel=6))
    yield Figure(name="image, unpacked", measured=engine.inspect()["Size"] / _MEGABYTE, unit="MB", limit=62)
    yield Figure(name="image, compressed", measured=compressed / _MEGABYTE, unit="MB", limit=26)


def _memory(engine: Engine, program: Path, data: Path) -> Figure:
    """Measure the resident memory of the scheduler when it has become stable."""
    with engine.running(data=data) as container:
        inside = _stable_memory(container.pid)
    with _outside(program, data) as pid:
        outside = _stable_memory(pid)
    return Figure(
        name="memory of the idle scheduler in the container, over the same outside",
        measured=inside / outside,
        unit="×",
        limit=1.1,
        note=f"{inside / _MEGABYTE:.1f} MB over {outside / _MEGABYTE:.1f} MB",
    )


@contextmanager
def _outside(program: Path, data: Path) -> Iterator[int]:
    environ = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{data}/wine.db"}
    with subprocess.Popen([program], env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _stable_memory(pid: int) -> int:
    """Return the resident bytes of a process when they have not changed for two seconds."""
    last, since, end = 0, time.monotonic(), time.monotonic() + 30
    while time.monotonic() < min(since + 2, end):
        current = _resident(pid)
        if current != last:
            last, since = current, time.monotonic()
        time.sleep(0.2)
    return last


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
