"""Print the bill of materials (CycloneDX) of the program: Python packages and Debian's libraries.

Run inside the build stage: it asks cyclonedx-py and dpkg what the parts are. The image's bill also has the
packages of its base image, whose list is copied to /base-packages.
"""

import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

_RUNTIME = "/opt/runtime"
_BASE_PACKAGES = Path("/base-packages")
_CYCLONEDX = ("/opt/tools/bin/python", "-m", "cyclonedx_py")


def main(libraries: Path) -> None:
    """Print what the shared libraries that the file `libraries` names, and the packages beside them, are."""
    bill = _python_packages()
    bill["metadata"]["component"]["version"] = _version()
    bill["components"] += _debian_packages(libraries.read_text(encoding="utf-8").splitlines())
    bill["components"] += _base_packages()
    bill["components"].sort(key=lambda component: str(component["bom-ref"]))
    text = json.dumps(bill, indent=1, ensure_ascii=False)
    if problem := JsonStrictValidator(SchemaVersion.from_version(bill["specVersion"])).validate_str(text):
        raise RuntimeError(f"no valid CycloneDX document: {problem}")
    print(text)


def _python_packages() -> dict[str, Any]:
    said = subprocess.run(  # noqa: S603 - a fixed command
        [*_CYCLONEDX, "environment", "--pyproject", "pyproject.toml", "--mc-type", "application",
         "--output-reproducible", "--output-format", "JSON", _RUNTIME],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    bill: dict[str, Any] = json.loads(said)
    return bill


def _version() -> str:
    """Return cavecron's version, which pyproject.toml does not hold itself."""
    text = Path("cavecron/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("cavecron/__init__.py names no __version__")
    return found[1]


def _debian_packages(names: list[str]) -> list[dict[str, object]]:
    """Return a component for each Debian package that has a file of this name, Python itself included."""
    libraries = [name for name in names if re.fullmatch(r"lib[^/]*\.so[^/]*", name)]
    packages = {package for library in libraries for package in _owners(library)}
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages |= {package for package in _owners(python) if package.startswith("libpython3")}
    return [_component(package) for package in sorted(packages)]


def _owners(name: str) -> Iterator[str]:
    said = subprocess.run(  # noqa: S603 - a fixed command
        ["/usr/bin/dpkg-query", "--search", f"*/{name}"], check=False, capture_output=True, text=True
    ).stdout
    for line in said.splitlines():
        yield from (owner.strip() for owner in line.rpartition(": ")[0].split(","))


def _component(package: str) -> dict[str, object]:
    wanted = "${Package}\t${Version}\t${Architecture}"
    said = subprocess.run(  # noqa: S603 - a fixed command
        ["/usr/bin/dpkg-query", "--show", "--showformat", wanted, package],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return _debian_component(*said.split("\t"))


def _base_packages() -> list[dict[str, object]]:
    """Return a component for each package of the base image; distroless has a file of fields for each."""
    components = []
    for path in sorted(_BASE_PACKAGES.glob("*")):
        text = path.read_text(encoding="utf-8")
        fields = dict(re.findall(r"^(Package|Version|Architecture): (.+)$", text, re.MULTILINE))
        if "Package" in fields:  # not a list of checksums
            component = _debian_component(fields["Package"], fields["Version"], fields["Architecture"])
            components.append(component)
    return components


def _debian_component(name: str, version: str, architecture: str) -> dict[str, object]:
    release = platform.freedesktop_os_release()["VERSION_ID"]
    url = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}&distro=debian-{release}"
    return {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
