"""What is in the image, and what is not."""

import gzip
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cavecron import __version__
from tests.container.bases import call
from tests.container.conftest import build_image
from tests.container.engine import Engine
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
    assert size <= 60 * _MEGABYTE
    assert compressed <= 24 * _MEGABYTE


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


def test_the_binary_is_one_file_that_runs_without_an_installation(
    store: Engine, root: Path, tmp_path: Path
) -> None:
    """In the bare root of the base, with a temporary folder that allows execution."""
    build_image(store, "--target=binary", f"--output=type=local,dest={tmp_path / 'dist'}")
    made = {path.name: path.stat().st_mode & 0o111 for path in (tmp_path / "dist").iterdir()}
    assert made == {"LICENSE": 0, "cavecron": 0o111}
    with _bare(root, tmp_path) as bare:
        shutil.copy(tmp_path / "dist/cavecron", bare / "cavecron")
        for arguments, said in (
            (["--version"], f"cavecron {__version__}"),
            (["demo"], "10 envoyés, 0 échecs"),
        ):
            done = subprocess.run(
                ["chroot", str(bare), "/cavecron", *arguments], check=False, capture_output=True, text=True
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert said in done.stdout


@contextmanager
def _bare(root: Path, folder: Path) -> Iterator[Path]:
    """Give the image's root file system, writable and without the program."""
    layers = {name: folder / name for name in ("upper", "work", "bare")}
    for layer in layers.values():
        layer.mkdir()
    options = f"lowerdir={root},upperdir={layers['upper']},workdir={layers['work']}"
    call("mount", "-t", "overlay", "-o", options, "overlay", str(layers["bare"]))
    try:
        shutil.rmtree(layers["bare"] / "opt/cavecron")
        yield layers["bare"]
    finally:
        call("umount", str(layers["bare"]))


def test_the_same_sources_make_the_same_program(store: Engine, root: Path) -> None:
    """Built anew from the same bases and locks, each file has the same bytes."""
    again = replace(store, image="localhost/cavecron:again")
    first = _digests(root / "opt/cavecron")
    # The build argument is not used by any step before the program is made: only that is done again.
    build_image(store, "--build-arg=SOURCE_DATE_EPOCH=1704067201", f"--tag={again.image}")
    with again.mounted() as folder:
        second = _digests(folder / "opt/cavecron")
    different = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    assert different <= {"sbom.cdx.json"}  # the one file that has the time in it


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
