"""The content of the image, and what it must not contain."""

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
    """Yield the root file system of the image."""
    with engine.mounted() as folder:
        yield folder


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """Yield the path of each entry in the container, and its mode."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            yield f"/{path.relative_to(root)}", path.lstat().st_mode


def test_the_program_is_the_only_thing_that_can_be_started(root: Path) -> None:
    """In Debian the loader and the C library are executable too, but they are no tools."""
    executables = {path for path, mode in _files(root) if stat.S_ISREG(mode) and mode & 0o111}
    loader = {path for path in executables if "/ld-linux-" in path or path.endswith("/libc.so.6")}
    assert executables - loader == {"/opt/cavecron/cavecron"}


@pytest.mark.parametrize(
    "name", ["sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "pip", "python3"]
)
def test_there_is_no_shell_and_no_package_manager(root: Path, name: str) -> None:
    """An intruder finds no tools."""
    assert not [p for p, mode in _files(root) if p.rpartition("/")[2] == name and not stat.S_ISDIR(mode)]


def test_nothing_is_setuid_or_writable_for_everybody(root: Path) -> None:
    """The exceptions are sticky folders for temporary files, which are read-only in the container."""
    entries = [(path, mode) for path, mode in _files(root) if not stat.S_ISLNK(mode)]
    assert not [path for path, mode in entries if mode & (stat.S_ISUID | stat.S_ISGID)]
    writable = {path for path, mode in entries if mode & stat.S_IWOTH}
    assert writable <= {"/tmp", "/var/tmp", "/var/lock"}
    assert all(root.joinpath(path[1:]).stat().st_mode & stat.S_ISVTX for path in writable)


def test_only_the_volume_belongs_to_the_user(root: Path) -> None:
    """The process cannot change its own program."""
    owned_paths = {path for path, _ in _files(root) if root.joinpath(path[1:]).lstat().st_uid}
    assert owned_paths == {"/data", "/home/nonroot"}


def test_the_settings_of_the_image(engine: Engine) -> None:
    """User, volume, stop signal, health check and labels are as container engines need them."""
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
    """The application's own image has 144 MB of packages alone."""
    size = engine.inspect()["Size"]
    archive = tmp_path / "image.tar"
    engine.podman("save", "--format=docker-archive", f"--output={archive}", engine.image)
    compressed = len(gzip.compress(archive.read_bytes(), compresslevel=6))
    print(f"image: {size / _MEGABYTE:.1f} MB unpacked, {compressed / _MEGABYTE:.1f} MB compressed")
    assert size <= 62 * _MEGABYTE
    assert compressed <= 26 * _MEGABYTE


def test_the_bill_of_materials_names_the_content(root: Path) -> None:
    """The document is valid CycloneDX with the versions of the lock and of Debian."""
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
    assert {"libc6", "libssl3t64", "zlib1g", "ca-certificates"} <= set(parts)  # of the base image
    assert all(part["purl"].startswith(("pkg:pypi/", "pkg:deb/debian/")) for part in bill["components"])


def test_every_shared_library_finds_what_it_needs(engine: Engine, root: Path) -> None:
    """Some libraries come from the base image; a base image without them must be noticed."""
    program = "/opt/cavecron/_internal"
    libraries = [path for path, _ in _files(root) if path.startswith(program) and ".so" in path]
    assert len(libraries) > 10
    loader = next(path for path, _ in _files(root) if "/ld-linux-" in path)
    for library in libraries:
        result = subprocess.run(
            ["chroot", str(root), loader, "--library-path", program, "--list", library],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert result.returncode == 0, f"{library}: {result.stdout}{result.stderr}"
        assert "not found" not in result.stdout, f"{library}: {result.stdout}"


def test_hadolint_has_nothing_to_say() -> None:
    """The one exception is in the Containerfile with its reason."""
    result = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Containerfile"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "")


def test_two_builds_have_the_same_layers(store: Engine, engine: Engine, tmp_path: Path) -> None:
    """The layers depend on base images and locks only, not on the time, the folder or the age of files."""
    second_engine = replace(store, image="localhost/cavecron:again")
    sources = tmp_path / "elsewhere"
    shutil.copytree(
        ROOT, sources, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info")
    )
    # An unused file, so that the program is not taken from the cache of the first build.
    (sources / "packaging/again").touch()
    for path in (sources, *sources.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    build_image(second_engine, sources=sources)
    first, second = (one.inspect()["RootFS"]["Layers"] for one in (engine, second_engine))
    assert first == second
    assert len(first) > 1
