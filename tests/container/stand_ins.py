"""The base images in a store under names of their own, and what is built from them: images and releases."""

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

#: @ARCH@ is the architecture, as in packaging/release.sh. OLDEST has the oldest glibc that is supported.
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
    """Return Debian's name of this machine's architecture."""
    return call("dpkg", "--print-architecture").strip()


def oldest_base() -> str:
    """Return the name of the base image for the single file."""
    return _base_name(_OLDEST, this_architecture())


def import_bases(engine: Engine) -> None:
    """Import this machine's base images unless they are in the store."""
    here = this_architecture()
    if engine.has(_base_name(_FINAL, here)):
        return
    with tempfile.TemporaryDirectory(prefix="cavecron-bases-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        build, final = bases.make(folder)
        engine.import_archive(build, _base_name(_BUILD, here))
        engine.import_archive(bases.make_build_base(folder, OLDEST_SUITE), oldest_base())
        engine.import_archive(final, _base_name(_FINAL, here), *_FINAL_SETTINGS)


def import_foreign_bases(engine: Engine, architecture: str, *, oldest: bool = False) -> None:
    """Import another architecture's base images; with `oldest` that of the single file too."""
    if not engine.has(_base_name(_FINAL, architecture)):
        _import_foreign_base(engine, architecture, bases.SUITE, _BUILD)
    if oldest and not engine.has(_base_name(_OLDEST, architecture)):
        _import_foreign_base(engine, architecture, OLDEST_SUITE, _OLDEST)


def _import_foreign_base(engine: Engine, architecture: str, suite: str, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="cavecron-bases-", dir="/var/tmp") as temporary:
        build, final = bases.make_foreign(Path(temporary), architecture, suite)
        engine.import_archive(build, _base_name(name, architecture), architecture=architecture)
        if final is not None:
            final_name = _base_name(_FINAL, architecture)
            engine.import_archive(final, final_name, *_FINAL_SETTINGS, architecture=architecture)


def build_image(engine: Engine, *arguments: str, architecture: str = "", sources: Path = ROOT) -> None:
    """Build the image from the replacements; the result does not depend on the time."""
    here = this_architecture()
    architecture = architecture or here
    engine.build(
        f"--platform=linux/{architecture}",
        f"--build-arg=BUILDPLATFORM=linux/{here}",  # which buildah 1.28 does not set by itself
        f"--build-arg=BUILD_BASE={_base_name(_BUILD, architecture)}",
        f"--build-arg=FETCH_BASE={_base_name(_BUILD, here)}",
        f"--build-arg=FINAL_BASE={_base_name(_FINAL, architecture)}",
        *([f"--build-arg=QEMU_CPU={emulator.CPU}"] if architecture == "arm64" != here else []),
        "--timestamp=1704067200",
        f"--tag={engine.image}",
        *arguments,
        str(sources),
    )


def release(
    engine: Engine, checkout: Path, version: str, architectures: str
) -> subprocess.CompletedProcess[str]:
    """Run packaging/release.sh in a checkout, with the store of an engine and its base images."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as settings:
        settings.write(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{engine.store}"\nrunroot = "{engine.state}"\n'
        )
        settings.flush()
        environ = {
            "PYTHON": os.path.relpath(sys.executable, checkout), "ARCHITECTURES": architectures,
            "BUILD_BASE": _BUILD, "FINAL_BASE": _FINAL, "ONE_FILE_BASE": _OLDEST,
            "BUILD_OPTIONS": "--pull-never", "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": settings.name,
        }  # fmt: skip
        return subprocess.run(
            ["packaging/release.sh", version],
            cwd=checkout, env={**os.environ, **environ}, check=False, capture_output=True, text=True,
        )  # fmt: skip


def _base_name(base: str, architecture: str) -> str:
    return base.replace("@ARCH@", architecture)
