"""The bases in a store under names of their own, and what is built from them: images, and whole releases."""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.container import bases, emulator
from tests.container.bases import call
from tests.container.engine import Engine
from tests.support.commands import ROOT

#: @ARCH@ is the architecture, as packaging/release.sh has it. OLDEST has the oldest glibc that is promised.
_BUILD, _FINAL, _OLDEST = (
    f"localhost/stand-in/{name}-@ARCH@" for name in ("debian:13", "cc-debian13:nonroot", "debian:12")
)
OLDEST_SUITE = "bookworm"
_FINAL_SETTINGS = (
    f"USER {bases.NONROOT}",
    "WORKDIR /home/nonroot",
    "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
)


@cache
def this_architecture() -> str:
    """Return this machine's architecture in Debian's words."""
    return call("dpkg", "--print-architecture").strip()


def oldest_base() -> str:
    """Return the name of the base of the single file."""
    return _named(_OLDEST, this_architecture())


def take_in_bases(engine: Engine) -> None:
    """Make this machine's bases, unless they are in the store."""
    here = this_architecture()
    if engine.has(_named(_FINAL, here)):
        return
    with tempfile.TemporaryDirectory(prefix="cavecron-bases-", dir="/var/tmp") as made:
        folder = Path(made)
        build, final = bases.make(folder)
        engine.take_in(build, _named(_BUILD, here))
        engine.take_in(bases.make_build_base(folder, OLDEST_SUITE), oldest_base())
        engine.take_in(final, _named(_FINAL, here), *_FINAL_SETTINGS)


def take_in_foreign(engine: Engine, architecture: str, *, oldest: bool = False) -> None:
    """Make another architecture's bases if they are not there; with `oldest` the single file's too."""
    if not engine.has(_named(_FINAL, architecture)):
        _take_in_foreign(engine, architecture, bases.SUITE, _BUILD)
    if oldest and not engine.has(_named(_OLDEST, architecture)):
        _take_in_foreign(engine, architecture, OLDEST_SUITE, _OLDEST)


def _take_in_foreign(engine: Engine, architecture: str, suite: str, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="cavecron-bases-", dir="/var/tmp") as made:
        build, final = bases.make_foreign(Path(made), architecture, suite)
        engine.take_in(build, _named(name, architecture), architecture=architecture)
        if final is not None:
            final_name = _named(_FINAL, architecture)
            engine.take_in(final, final_name, *_FINAL_SETTINGS, architecture=architecture)


def build_image(engine: Engine, *arguments: str, architecture: str = "", sources: Path = ROOT) -> None:
    """Build from the stand-ins, the same bytes at any time."""
    here = this_architecture()
    architecture = architecture or here
    engine.build(
        f"--platform=linux/{architecture}",
        f"--build-arg=BUILDPLATFORM=linux/{here}",  # of which buildah 1.28 knows nothing by itself
        f"--build-arg=BUILD_BASE={_named(_BUILD, architecture)}",
        f"--build-arg=FETCH_BASE={_named(_BUILD, here)}",
        f"--build-arg=FINAL_BASE={_named(_FINAL, architecture)}",
        *([f"--build-arg=QEMU_CPU={emulator.CPU}"] if architecture == "arm64" != here else []),
        "--timestamp=1704067200",
        f"--tag={engine.image}",
        *arguments,
        str(sources),
    )


def release(
    engine: Engine, checkout: Path, version: str, architectures: str
) -> subprocess.CompletedProcess[str]:
    """Run packaging/release.sh in a checkout, with the store of an engine and the stand-ins in it."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as settings:
        settings.write(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{engine.store}"\nrunroot = "{engine.state}"\n'
        )
        settings.flush()
        environ = {
            "PYTHON": sys.executable, "ARCHITECTURES": architectures,
            "BUILD_BASE": _BUILD, "FINAL_BASE": _FINAL, "ONE_FILE_BASE": _OLDEST,
            "BUILD_OPTIONS": "--pull-never", "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": settings.name,
        }  # fmt: skip
        return subprocess.run(
            ["packaging/release.sh", version],
            cwd=checkout, env={**os.environ, **environ}, check=False, capture_output=True, text=True,
        )  # fmt: skip


def _named(base: str, architecture: str) -> str:
    return base.replace("@ARCH@", architecture)
