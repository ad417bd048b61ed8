"""The same Containerfile for arm64, as most small NAS and every Raspberry Pi are: built and run under qemu.

Only Debian's Python, PyInstaller and what is tried here are emulated: a quarter of an hour at the very most.
"""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from cavecron import __version__
from tests.container import emulator
from tests.container.engine import Container, Engine
from tests.container.stand_ins import build_image, take_in_foreign
from tests.support.commands import Result

_SECONDS = 900
_EMULATED = {"QEMU_CPU": emulator.CPU}
_MEMORY = "512m"  # of which the emulator needs more than the program

pytestmark = pytest.mark.timeout(_SECONDS)


@pytest.fixture(scope="module")
def arm64(store: Engine) -> Engine:
    """Return an engine whose image is of that architecture."""
    if why := emulator.why_not():
        pytest.skip(f"arm64: {why}")
    made = replace(store, image="localhost/cavecron:arm64", architecture="arm64")
    before = time.monotonic()
    take_in_foreign(made, "arm64")
    build_image(made, architecture="arm64")
    size = made.inspect()["Size"] / 1_000_000
    print(f"arm64: bases and image in {time.monotonic() - before:.0f} s, {size:.1f} MB")
    return made


def _run(engine: Engine, data: Path, *arguments: str) -> Result:
    return engine.run(*arguments, data=data, memory=_MEMORY, environ=_EMULATED)


def test_its_commands_run(arm64: Engine, data: Path) -> None:
    """Version, check, the coming slots and the demonstration."""
    assert arm64.inspect()["Architecture"] == "arm64"
    assert _run(arm64, data, "--version").out.startswith(f"cavecron {__version__}\n")
    assert "base introuvable" in _run(arm64, data, "check").out
    coming = _run(arm64, data, "next", "cleanup")
    assert (coming.code, coming.err) == (0, "")
    assert "chaque dimanche à 03:00" in coming.out
    result = _run(arm64, data, "demo")
    assert (result.code, result.err) == (0, "")
    assert "10 envoyés, 0 échecs" in result.out


def test_its_scheduler_takes_a_slot_and_stops(arm64: Engine, data: Path) -> None:
    """On the database of the demonstration, as process 1, with the signal that an engine sends."""
    assert _run(arm64, data, "demo").code == 0
    environ = {
        **_EMULATED,
        "DATABASE_URL": "sqlite:////data/cave-demo/wine.db",
        "SCHEDULER_WEEKLY_REPORT_ENABLED": "0",
        "SCHEDULER_CLEANUP_CRON": "* * * * *",
    }
    with arm64.running(data=data, memory=_MEMORY, environ=environ) as container:
        _succeeded(container, "Job cleanup exécuté avec succès", 120)
        arm64.podman("stop", container.name)
        assert arm64.inspect(container.name)["State"]["ExitCode"] == 0, container.log()
        assert "cavecron arrêté" in container.log()


def _succeeded(container: Container, sentence: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while sentence not in (log := container.log()):
        assert time.monotonic() < end, log
        time.sleep(1)
