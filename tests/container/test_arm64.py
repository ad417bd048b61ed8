"""The same Containerfile for arm64, as on most small NAS and every Raspberry Pi: built and run under qemu.

Only Debian's Python, PyInstaller and the commands of the tests are emulated: at most a quarter of an hour.
"""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from cavecron import __version__
from tests.container import emulator
from tests.container.engine import Container, Engine
from tests.container.stand_ins import build_image, import_foreign_bases
from tests.support.commands import Result

_SECONDS = 900
_EMULATED = {"QEMU_CPU": emulator.CPU}
_MEMORY = "512m"  # most of it for the emulator

pytestmark = pytest.mark.timeout(_SECONDS)


@pytest.fixture(scope="module")
def arm64(store: Engine) -> Engine:
    """Return an engine with an image of that architecture."""
    if reason := emulator.reason_for_skip():
        pytest.skip(f"arm64: {reason}")
    arm64_engine = replace(store, image="localhost/cavecron:arm64", architecture="arm64")
    before = time.monotonic()
    import_foreign_bases(arm64_engine, "arm64")
    build_image(arm64_engine, architecture="arm64")
    size = arm64_engine.inspect()["Size"] / 1_000_000
    print(f"arm64: bases and image in {time.monotonic() - before:.0f} s, {size:.1f} MB")
    assert (
        size <= 72
    )  # Debian's libraries for arm64 are padded to pages of 64 kB, so it is larger than for amd64
    return arm64_engine


def _run(engine: Engine, data: Path, *arguments: str) -> Result:
    return engine.run(*arguments, data=data, memory=_MEMORY, environ=_EMULATED)


def test_its_commands_run(arm64: Engine, data: Path) -> None:
    """`--version`, `check`, `next` and `demo` work on arm64."""
    assert arm64.inspect()["Architecture"] == "arm64"
    assert _run(arm64, data, "--version").out.startswith(f"cavecron {__version__}\n")
    assert "base introuvable" in _run(arm64, data, "check").out
    next_slots = _run(arm64, data, "next", "cleanup")
    assert (next_slots.code, next_slots.err) == (0, "")
    assert "chaque dimanche à 03:00" in next_slots.out
    result = _run(arm64, data, "demo")
    assert (result.code, result.err) == (0, "")
    assert "10 envoyés, 0 échecs" in result.out


def test_its_scheduler_takes_a_slot_and_stops(arm64: Engine, data: Path) -> None:
    """The scheduler runs a slot as process 1, and stops with the signal that an engine sends."""
    assert _run(arm64, data, "demo").code == 0
    environ = {
        **_EMULATED,
        "DATABASE_URL": "sqlite:////data/cave-demo/wine.db",
        "SCHEDULER_WEEKLY_REPORT_ENABLED": "0",
        "SCHEDULER_CLEANUP_CRON": "* * * * *",
    }
    with arm64.running(data=data, memory=_MEMORY, environ=environ) as container:
        _wait_for_log(container, "Job cleanup exécuté avec succès", 120)
        arm64.podman("stop", container.name)
        assert arm64.inspect(container.name)["State"]["ExitCode"] == 0, container.log()
        assert "cavecron arrêté" in container.log()


def _wait_for_log(container: Container, sentence: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while sentence not in (log := container.log()):
        assert time.monotonic() < end, log
        time.sleep(1)
