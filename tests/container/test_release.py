"""A release with a test version, from a copy of this working tree, for this machine; and its single file."""

import hashlib
import json
import re
import resource
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cavecron import __version__
from tests.container.bases import call
from tests.container.engine import Engine
from tests.container.stand_ins import oldest_base, release, this_architecture
from tests.support.commands import ROOT

_VERSION = "9.8.7"
_NOT_COPIED = (".git", ".venv", ".*_cache", "__pycache__", "*.egg-info", "dist", "build", ".coverage*")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of these sources with a commit for which CI passed."""
    folder = tmp_path_factory.mktemp("release") / "cavecron"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    changelog = folder / "CHANGELOG.md"
    if "\n## Unreleased\n" not in changelog.read_text(encoding="utf-8"):
        _insert(changelog, "## Unreleased\n\n- Something.\n\n")
    _git(folder, "init", "--quiet")
    for name, value in (("user.name", "Trial"), ("user.email", "trial@example.org")):
        _git(folder, "config", name, value)
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message=Trial")
    ci_record = folder / _git(folder, "rev-parse", "--git-path", "cavecron-ci-passed").strip()
    ci_record.write_text(_git(folder, "rev-parse", "HEAD"), encoding="ascii")
    return folder


def _insert(changelog: Path, section: str) -> None:
    head, mark, rest = changelog.read_text(encoding="utf-8").partition("## ")
    changelog.write_text(f"{head}{section}{mark}{rest}", encoding="utf-8")


def _git(folder: Path, *arguments: str) -> str:
    return call("git", "-C", str(folder), *arguments)


@pytest.fixture(scope="module")
def release_folder(store: Engine, checkout: Path) -> Path:
    """Return the folder of a release, made in the store with the replacements of the base images."""
    result = release(store, checkout, _VERSION, this_architecture())
    assert result.returncode == 0, result.stdout + result.stderr
    return checkout / "dist" / _VERSION


def _check_refusal(store: Engine, checkout: Path, version: str, reason: str) -> None:
    before = _git(checkout, "rev-parse", "HEAD")
    result = release(store, checkout, version, this_architecture())
    assert result.returncode == 1
    assert reason in result.stderr
    assert (_git(checkout, "rev-parse", "HEAD"), _git(checkout, "tag")) == (before, "")


def test_an_unfit_tree_is_refused_before_anything_is_made(
    store: Engine, checkout: Path, tmp_path: Path
) -> None:
    """A wrong version, a changed tree and a commit without CI are refused before anything is made."""
    copy = tmp_path / "copy"
    call("git", "clone", "--quiet", str(checkout), str(copy))
    for version in ("1.0", "01.2.3"):
        _check_refusal(store, copy, version, "usage: packaging/release.sh MAJOR.MINOR.PATCH")
    _check_refusal(store, copy, "0.0.1", f"0.0.1 is not newer than {__version__}")
    _git(copy, "checkout", "--quiet", "--detach")
    _check_refusal(store, copy, _VERSION, "no branch is checked out")
    _git(copy, "checkout", "--quiet", "-")
    (copy / ".git/info/exclude").write_text("dist\n", encoding="ascii")
    (copy / "dist").touch()
    _check_refusal(store, copy, _VERSION, "cannot be made")
    (copy / "dist").unlink()
    (copy / "notes.txt").touch()
    _check_refusal(store, copy, _VERSION, "the working tree is not clean")
    (copy / "notes.txt").unlink()
    (copy / ".ci/run").write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    _git(
        copy,
        "-c",
        "user.name=T",
        "-c",
        "user.email=t@example.org",
        "commit",
        "--quiet",
        "--all",
        "--message=Red",
    )
    _check_refusal(store, copy, _VERSION, "CI is not green")


def test_a_release_is_one_folder_and_one_tag(checkout: Path, release_folder: Path) -> None:
    """The release has wheel, sources, image, single file, bills of materials and their checksums."""
    machine = this_architecture()
    program = f"cavecron-{_VERSION}-linux-{machine}"
    names = {path.name for path in release_folder.iterdir()} - {"SHA256SUMS"}
    assert names == {
        f"cavecron-{_VERSION}-py3-none-any.whl", f"cavecron-{_VERSION}.tar.gz",
        program, f"{program}.cdx.json", f"{program}.oci.tar", f"{program}.oci.cdx.json",
    }  # fmt: skip
    lines = (release_folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    assert sums == {name: hashlib.sha256((release_folder / name).read_bytes()).hexdigest() for name in names}
    assert _git(checkout, "describe", "--exact-match").strip() == f"v{_VERSION}"
    assert _git(checkout, "status", "--porcelain") == ""
    changelog = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {_VERSION} - 20" in changelog
    for name in ("README.md", "examples/compose.yaml", "examples/LISEZMOI.md", "packaging/README.md"):
        tags = re.findall(r"cavecron:(\d[.\d]+)", (checkout / name).read_text(encoding="utf-8"))
        assert set(tags) == {_VERSION}, name


@pytest.mark.parametrize("kind", ["", ".oci"])
def test_each_bill_of_materials_names_the_dependencies(release_folder: Path, kind: str) -> None:
    """The bills contain croniter and its dependencies, cryptography, and Debian's Python."""
    machine = this_architecture()
    bill = json.loads((release_folder / f"cavecron-{_VERSION}-linux-{machine}{kind}.cdx.json").read_text())
    assert bill["metadata"]["component"]["version"] == _VERSION
    names = {part["name"] for part in bill["components"]}
    assert {"croniter", "python-dateutil", "cryptography", "cffi", "tzdata"} <= names
    assert any(name.startswith("libpython3.") for name in names)


def test_docker_finds_the_image_in_its_archive(release_folder: Path) -> None:
    """The archive also has the manifest of `docker save`, whose files exist."""
    (archive,) = release_folder.glob("*.oci.tar")
    with tarfile.open(archive) as tar:
        file = tar.extractfile("manifest.json")
        assert file is not None
        (image,) = json.load(file)
        assert image["RepoTags"] == [f"cavecron:{_VERSION}"]
        for name in (image["Config"], *image["Layers"]):
            assert tar.getmember(name).isfile()


def test_the_image_of_a_release_runs(store: Engine, release_folder: Path) -> None:
    """The image is loaded from its archive, as on a NAS."""
    (archive,) = release_folder.glob("*.oci.tar")
    output = store.podman("load", "--quiet", "--input", str(archive))
    loaded_engine = replace(store, image=output.strip().splitlines()[-1].rpartition(" ")[2])
    assert loaded_engine.run("--version").out.startswith(f"cavecron {_VERSION}\n")


def test_the_single_file_runs_on_the_oldest_debian(
    store: Engine, release_folder: Path, tmp_path: Path
) -> None:
    """It needs neither Python nor a newer glibc, and starts within half a second after its first start."""
    (program,) = (
        path
        for path in release_folder.glob("cavecron-*-linux-*")
        if not path.name.endswith((".tar", ".json"))
    )
    with _root(store, oldest_base(), tmp_path) as root:
        assert not list(root.glob("usr/bin/python3*"))
        shutil.copy(program, root / "cavecron")
        assert f"cavecron {_VERSION}" in _output(root, "--version")
        assert "10 envoyés, 0 échecs" in _output(root, "demo")
        seconds = min(_processor_time(root) for _ in range(5))
    print(f"the single file starts in {seconds:.2f} s")
    assert seconds <= 0.5


def _processor_time(root: Path) -> float:
    """Return the processor seconds of one start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _output(root, "--version")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _output(root: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["chroot", str(root), "/cavecron", *arguments], check=False, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


@contextmanager
def _root(store: Engine, image: str, folder: Path) -> Iterator[Path]:
    """Yield an image's root file system with a writable layer."""
    lower = store.podman("image", "mount", image).strip()
    layers = {name: folder / name for name in ("upper", "work", "root")}
    for layer in layers.values():
        layer.mkdir()
    options = f"lowerdir={lower},upperdir={layers['upper']},workdir={layers['work']}"
    call("mount", "-t", "overlay", "-o", options, "overlay", str(layers["root"]))
    try:
        yield layers["root"]
    finally:
        call("umount", str(layers["root"]))
        store.podman("image", "unmount", image)
