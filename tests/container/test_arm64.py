"""The same Containerfile on another architecture, emulated: amd64 is not written anywhere in it.

It takes longer than everything else in this folder together, so it wants to be asked for:
CAVECRON_ARM64=1 python -m pytest -m container tests/container/test_arm64.py
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cavecron import __version__
from tests.container import bases
from tests.container.engine import Engine
from tests.support.commands import ROOT

_EMULATOR = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
_BUILD_BASE, _FINAL_BASE = "localhost/stand-in/debian:13-arm64", "localhost/stand-in/cc-debian13:arm64"

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("CAVECRON_ARM64") != "1",
        reason="arm64: emulated it takes ten minutes and more; CAVECRON_ARM64=1 asks for it",
    ),
    pytest.mark.skipif(
        not _EMULATOR.exists(),
        reason="arm64: no emulator; apt-get install qemu-user-static arch-test, and mount binfmt_misc",
    ),
]


@pytest.fixture(scope="module")
def arm64(store: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return an engine whose image is of that architecture."""
    folder = tmp_path_factory.mktemp("arm64")
    wheels = folder / "wheels"
    for lock in ("packaging/build.lock", "packaging/requirements.lock"):
        bases.call(
            sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps",
            "--only-binary=:all:", "--python-version=3.13",
            f"--dest={wheels}", f"--requirement={ROOT / lock}",
            *(f"--platform=manylinux{glibc}_aarch64" for glibc in ("2014", "_2_17", "_2_28", "_2_34")),
        )  # fmt: skip
    build, final = bases.make(folder / "bases", "arm64", wheels)
    store.podman("import", "--arch=arm64", str(build), _BUILD_BASE)
    store.podman("import", "--arch=arm64", str(final), _FINAL_BASE)
    made = replace(store, image="localhost/cavecron:arm64")
    made.build(
        "--arch=arm64", f"--build-arg=BUILD_BASE={_BUILD_BASE}", f"--build-arg=FINAL_BASE={_FINAL_BASE}",
        f"--tag={made.image}",
    )  # fmt: skip
    return made


@pytest.mark.timeout(3600)
def test_the_program_runs_on_arm64(arm64: Engine, data: Path) -> None:
    """Version, check and demonstration; the emulator needs more memory than the program."""
    assert arm64.inspect()["Architecture"] == "arm64"
    assert arm64.run("--version", data=data, memory="512m").out.startswith(f"cavecron {__version__}\n")
    assert "base introuvable" in arm64.run("check", data=data, memory="512m").out
    result = arm64.run("demo", data=data, memory="512m")
    assert (result.code, result.err) == (0, "")
    assert "10 envoyés, 0 échecs" in result.out
