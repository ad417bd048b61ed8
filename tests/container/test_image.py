"""What is in the image, and what is not."""

import gzip
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cavecron import __version__
from tests.container.engine import Engine
from tests.container.stand_ins import build_image
from tests.support.commands import ROOT

_MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def root(engine: Engine) -> Iterator[Path]:
    """Return the root file system of the image."""
    with engine.mounted() as folder:
        yield folder


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """Yield each entry's path as the container sees it, and its mode."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            yield f"/{path.relative_to(root)}", path.lstat().st_mode


def test_the_program_is_the_only_thing_that_can_be_started(root: Path) -> None:
    """The loader and the C library carry an x bit in Debian; neither is a tool."""
    startable = {path for path, mode in _files(root) if stat.S_ISREG(mode) and mode & 0o111}
    loader = {path for path in startable if "/ld-linux-" in path or path.endswith("/libc.so.6")}
    assert startable - loader == {"/opt/cavecron/cavecron"}


@pytest.mark.parametrize(
    "name", ["sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "pip", "python3"]
)
def test_there_is_no_shell_and_no_package_manager(root: Path, name: str) -> None:
    """Whoever breaks in finds nothing to work with."""
    assert not [p for p, mode in _files(root) if p.rpartition("/")[2] == name and not stat.S_ISDIR(mode)]


def test_nothing_is_setuid_or_writable_for_everybody(root: Path) -> None:
    """Save the sticky folders for temporary files of the base, which a read-only root closes."""
    found = [(path, mode) for path, mode in _files(root) if not stat.S_ISLNK(mode)]
    assert not [path for path, mode in found if mode & (stat.S_ISUID | stat.S_ISGID)]
    writable = {path for path, mode in found if mode & stat.S_IWOTH}
    assert writable <= {"/tmp", "/var/tmp", "/var/lock"}
    assert all(root.joinpath(path[1:]).stat().st_mode & stat.S_ISVTX for path in writable)


def test_only_the_volume_belongs_to_the_user(root: Path) -> None:
    """What runs cannot change what runs."""
    owned = {path for path, _ in _files(root) if root.joinpath(path[1:]).lstat().st_uid}
    assert owned == {"/data", "/home/nonroot"}


def test_the_settings_of_the_image(engine: Engine) -> None:
    """User, volume, stop signal, health check and labels are what a container engine is told."""
    image = engine.inspect()
    settings = image["Config"]
    assert settings["User"] == "65532:65532"
    assert settings["Volumes"] == {"/data": {}}
    assert settings["WorkingDir"] == "/data"
    assert settings["StopSignal"] in ("SIGTERM", "15")
    assert settings["Entrypoint"] == ["/opt/cavecron/cavecron"]
    assert image["Healthcheck"]["Test"] == ["CMD", "/opt/cavecron/cavecron", "health"]
    labels = settings["Labels"]
    assert labels["org.opencontainers.image.title"] == "cavecron"
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert {"org.opencontainers.image.source", "org.opencontainers.image.revision"} <= set(labels)


def test_the_image_stays_small(engine: Engine, tmp_path: Path) -> None:
    """Today's has 144 MB of packages alone."""
    size = engine.inspect()["Size"]
    archive = tmp_path / "image.tar"
    engine.podman("save", "--format=docker-archive", f"--output={archive}", engine.image)
    compressed = len(gzip.compress(archive.read_bytes(), compresslevel=6))
    print(f"image: {size / _MEGABYTE:.1f} MB unpacked, {compressed / _MEGABYTE:.1f} MB compressed")
    assert size <= 62 * _MEGABYTE
    assert compressed <= 26 * _MEGABYTE


def test_the_bill_of_materials_names_what_is_inside(root: Path) -> None:
    """It is a valid CycloneDX document, with the versions of the lock and of Debian."""
    text = (root / "opt/cavecron/sbom.cdx.json").read_text(encoding="utf-8")
    bill = json.loads(text)
    assert bill["metadata"]["component"]["name"] == "cavecron"
    assert bill["metadata"]["component"]["version"] == __version__
    parts = {part["name"]: part["version"] for part in bill["components"]}
    for line in (ROOT / "packaging" / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line[:1].isalpha():
            name, version = line.split(" ")[0].split("==")
            assert parts[name] == version
    assert {"libpython3.13", "libsqlite3-0", "libexpat1"} <= set(parts)
    assert all(part["purl"].startswith(("pkg:pypi/", "pkg:deb/debian/")) for part in bill["components"])


def test_every_shared_library_finds_what_it_needs(engine: Engine, root: Path) -> None:
    """Some come from the base; a base without them must not pass unnoticed."""
    program = "/opt/cavecron/_internal"
    libraries = [path for path, _ in _files(root) if path.startswith(program) and ".so" in path]
    assert len(libraries) > 10
    loader = next(path for path, _ in _files(root) if "/ld-linux-" in path)
    for library in libraries:
        said = subprocess.run(
            ["chroot", str(root), loader, "--library-path", program, "--list", library],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert said.returncode == 0, f"{library}: {said.stdout}{said.stderr}"
        assert "not found" not in said.stdout, f"{library}: {said.stdout}"


def test_hadolint_has_nothing_to_say() -> None:
    """The one exception is in the Containerfile, with its reason."""
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Containerfile"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_two_builds_have_the_same_layers(store: Engine, engine: Engine, tmp_path: Path) -> None:
    """From the same bases and locks, at another time, in another folder with files of another age."""
    again = replace(store, image="localhost/cavecron:again")
    sources = tmp_path / "elsewhere"
    shutil.copytree(
        ROOT, sources, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info")
    )
    # Nobody reads this file: it only keeps the program from being taken from the first build.
    (sources / "packaging/again").touch()
    for path in (sources, *sources.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    build_image(again, sources=sources)
    first, second = (one.inspect()["RootFS"]["Layers"] for one in (engine, again))
    assert first == second
    assert len(first) > 1
