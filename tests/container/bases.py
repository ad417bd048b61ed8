"""Local replacements for the two base images, because no registry of images is reachable.

The build base is Debian by mmdebstrap, as debian:13-slim is; the final base has the content of
distroless/cc-debian13: unpacked packages without a shell. Both have this machine's mirror and certificate
authorities.
"""

import shutil
import subprocess
import tarfile
from pathlib import Path

SUITE = "trixie"
#: GoogleContainerTools/distroless: base and cc of Debian 13.
DISTROLESS = (
    "base-files", "ca-certificates", "gcc-14-base", "libc6", "libgcc-s1", "libgomp1", "libssl3t64",
    "libstdc++6", "libzstd1", "media-types", "netbase", "tzdata", "zlib1g",
)  # fmt: skip
NONROOT = 65532
_HOST_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_CONFIGURATION = (Path("/etc/pip.conf"), Path("/etc/xdg/pip"))
#: Parts of the unpacked packages that distroless does not keep.
_NOT_KEPT = (
    "usr/sbin", "usr/bin", "usr/share/man", "usr/share/gdb", "usr/share/gcc", "usr/share/lintian",
    "usr/share/bug", "usr/share/doc/ca-certificates/examples", "etc/update-motd.d", "etc/ca-certificates",
)  # fmt: skip


def make(folder: Path) -> tuple[Path, Path]:
    """Make both root file systems as tar archives in `folder`: the build base, the final base."""
    debs = folder / "debs"
    debs.mkdir(parents=True)
    download = f"cd /tmp/debs && apt-get download -o APT::Sandbox::User=root {' '.join(DISTROLESS)}"
    build = make_build_base(
        folder,
        SUITE,
        f"mkdir $1/tmp/debs && chroot $1 sh -c '{download}'",
        f"copy-out /tmp/debs {folder}",
        "rm -r $1/tmp/debs",
    )
    return build, distroless(debs, folder)


def make_build_base(folder: Path, suite: str, *hooks: str) -> Path:
    """Return a tar archive in `folder` of Debian for this machine, as its -slim images are."""
    archive = folder / f"{suite}.tar"
    call(
        "mmdebstrap", "--quiet", "--variant=minbase",
        *(f"--customize-hook={hook}" for hook in (*hooks, *hooks_of_this_machine())),
        suite, str(archive), debian_mirror(),
    )  # fmt: skip
    return archive


def make_foreign(folder: Path, architecture: str, suite: str) -> tuple[Path, Path | None]:
    """Make both for another architecture without an emulator: packages are unpacked and marked as installed.

    There is a final base for `SUITE` only. Configuring the packages under an emulator takes minutes, and
    Python can be installed without the effects of their scripts.
    """
    root, archive = folder / "foreign", folder / f"{suite}-{architecture}.tar"
    packages = DISTROLESS if suite == SUITE else ()
    call(
        "mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--architectures={architecture}",
        "--include=?essential", *(f"--include={name}" for name in ("apt", "ca-certificates", *packages)),
        "--skip=essential/unlink", "--skip=cleanup/apt", "--format=directory",
        *(f"--customize-hook={hook}" for hook in hooks_of_this_machine()),
        suite, str(root), debian_mirror(),
    )  # fmt: skip
    debs = root / "var/cache/apt/archives"
    final = distroless(debs, folder) if packages else None
    for deb in debs.glob("*.deb"):
        _mark_as_installed(deb, root)
        deb.unlink()
    for name in ("passwd", "group"):
        shutil.copy(root / "usr/share/base-passwd" / f"{name}.master", root / "etc" / name)
    shutil.rmtree(root / "var/lib/apt/lists")  # as in official images
    _pack(root, archive)
    return archive, final


def _mark_as_installed(deb: Path, root: Path) -> None:
    fields = call("dpkg-deb", "--field", str(deb)).rstrip("\n")
    package, _, architecture = deb.stem.split("_")
    contents = call("dpkg-deb", "--contents", str(deb)).splitlines()
    paths = (line.split(None, 5)[5].partition(" -> ")[0].rstrip("/") for line in contents)
    listed = f"{package}:{architecture}" if "\nMulti-Arch: same" in fields else package
    _write(
        root / f"var/lib/dpkg/info/{listed}.list",
        "".join(f"{path.removeprefix('.') or '/.'}\n" for path in paths),
    )
    with (root / "var/lib/dpkg/status").open("a", encoding="utf-8") as status:
        status.write(f"{fields}\nStatus: install ok installed\n\n")


def hooks_of_this_machine() -> list[str]:
    """Return hooks that give apt and pip in the build this machine's authorities and configuration."""
    authorities = f"install -D -m 644 {_HOST_AUTHORITIES} $1/usr/local/share/ca-certificates/host.crt"
    return [
        authorities,
        *(
            f"mkdir -p $1{path.parent} && cp -rL {path} $1{path}"
            for path in _PIP_CONFIGURATION
            if path.exists()
        ),
    ]


def debian_mirror() -> str:
    """Return the Debian mirror that this machine's apt uses."""
    output = call(
        "apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Identifier: Packages"
    )
    for line in output.splitlines():
        origin, label, address = line.split(" ", 2)
        if (origin, label) == ("Debian", "Debian"):
            return address
    raise RuntimeError("apt knows no mirror of Debian on this machine")


def distroless(debs: Path, folder: Path) -> Path:
    """Return a tar archive in `folder` with the content of distroless/cc-debian13."""
    root, archive = folder / "distroless", folder / "distroless.tar"
    root.mkdir()
    for deb in sorted(debs.glob("*.deb")):
        package = deb.name.partition("_")[0]
        if package in DISTROLESS:
            call("dpkg-deb", "--extract", str(deb), str(root))
            _write(root / "var/lib/dpkg/status.d" / package, call("dpkg-deb", "--field", str(deb)))
    for name in _NOT_KEPT:
        shutil.rmtree(root / name, ignore_errors=True)
    certificates = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    _write(root / "etc/ssl/certs/ca-certificates.crt", "".join(path.read_text() for path in certificates))
    shutil.rmtree(root / "usr/share/ca-certificates")
    nonroot = f"nonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/sbin/nologin"
    _write(root / "etc/passwd", f"root:x:0:0:root:/root:/sbin/nologin\n{nonroot}\n")
    _write(root / "etc/group", f"root:x:0:\nnonroot:x:{NONROOT}:\n")
    _write(root / "etc/nsswitch.conf", "hosts: files dns\n")
    home = root / "home/nonroot"
    home.mkdir(mode=0o700)
    shutil.chown(home, NONROOT, NONROOT)
    _pack(root, archive)
    return archive


def _pack(root: Path, archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        tar.add(root, ".")
    shutil.rmtree(root)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def call(*command: str) -> str:
    """Run a command to its end; return its output, or raise an error with its messages."""
    result = subprocess.run(
        command, check=False, capture_output=True, encoding="utf-8", errors="replace", timeout=3000
    )
    if result.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} … : exit {result.returncode}\n{result.stderr[-4000:]}")
    return result.stdout
