"""cavecron's dependencies: few packages, with lower bounds, and a lock with hashes for the container."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.dependencies import ROOT, needed
from tests.support.sources import imports, modules, package

LOCK = (ROOT / "packaging" / "requirements.lock").read_text(encoding="utf-8")


def locked() -> dict[str, Version]:
    """Return the version of each package in the lock."""
    return {
        name: Version(version) for name, version in re.findall(r"^([\w-]+)==([\w.]+)", LOCK, re.MULTILINE)
    }


def test_exactly_the_imported_packages_are_declared() -> None:
    """The imports and the declared dependencies agree; tzdata is the fallback of zoneinfo."""
    imported = {re.split("[.:]", name)[0] for module in package() for name in imports(module)}
    assert imported - sys.stdlib_module_names - {"cavecron"} | {"tzdata"} == set(needed())


def test_the_packages_that_tests_import_are_declared() -> None:
    """Tests import only declared packages, so that they run on any machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    declared = {canonicalize_name(Requirement(line).name) for line in listed}
    distributions = metadata.packages_distributions()
    tests = (name for module in modules(ROOT / "tests") for name in imports(module))
    imported = {re.split("[.:]", name)[0] for name in tests} - sys.stdlib_module_names
    imported -= {"cavecron", "tests", ""}
    assert not [
        name
        for name in imported
        if not {canonicalize_name(distribution) for distribution in distributions.get(name, ())} & declared
    ]


def test_the_lock_allows_what_the_project_needs() -> None:
    """The lock is not below any lower bound, and contains all that its packages need on Linux."""
    versions = locked()
    assert not {name for name, lowest in needed().items() if versions[name] < Version(lowest)}
    for name in (name for name, version in versions.items() if metadata.version(name) == str(version)):
        required = (Requirement(line) for line in metadata.requires(name) or ())
        requirements = {
            one.name for one in required if one.marker is None or one.marker.evaluate({"extra": ""})
        }
        assert requirements <= set(versions)


def test_every_package_of_the_lock_is_held_by_hashes() -> None:
    """Each requirement is pinned and followed by its hashes; the lock contains no address."""
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    pin = re.compile(r"[\w-]+==[\w.]+( ; [^\\]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert all(pin.fullmatch(line) or digest.fullmatch(line) for line in lines)
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        assert line.endswith("\\") == following.startswith("    --hash")


def test_the_lock_says_how_it_is_renewed() -> None:
    """The head of the lock shows the command that renews it, without any address."""
    head = "\n".join(line for line in LOCK.splitlines() if line.startswith("#"))
    assert "uv pip compile" in head
    assert "://" not in LOCK


@pytest.mark.slow
def test_the_lock_installs_and_cavecron_runs_on_it(tmp_path: Path) -> None:
    """In a new environment, pip's strictest mode installs the lock, and the demo runs there."""
    python = tmp_path / "venv" / "bin" / "python"
    commands: tuple[list[str | Path], ...] = (
        [sys.executable, "-m", "venv", tmp_path / "venv"],
        [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--require-hashes",
            "-r",
            ROOT / "packaging" / "requirements.lock",
        ],
        [python, "-m", "pip", "install", "-q", "--no-deps", ROOT],
        [python, "-m", "pip", "check"],
        [tmp_path / "venv" / "bin" / "cavecron", "demo", tmp_path / "demo"],
    )
    for command in commands:
        subprocess.run(command, check=True, cwd=tmp_path, timeout=300)
