"""Local stand-ins for the two base images, since no registry of images is within reach.

The build base is Debian 13 by mmdebstrap, as debian:13-slim is; the final base is what distroless/cc-debian13
consists of, unpacked packages without a shell. They know this machine's mirror and certificate authorities.
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
#: Of the unpacked packages, what distroless does not keep.
_NOT_KEPT = (
    "usr/sbin", "usr/bin", "usr/share/man", "usr/share/gdb", "usr/share/gcc", "usr/share/lintian",
    "usr/share/bug", "usr/share/doc/ca-certificates/examples", "etc/update-motd.d", "etc/ca-certificates",
)  # fmt: skip


def make(folder: Path, architecture: str = "", wheels: Path | None = None) -> tuple[Path, Path]:
    """Make both root file systems as tar archives in `folder`: the build base, the final base.

    With `wheels` pip takes its packages from that folder, since an emulated one downloads at a snail's pace.
    """
    debs, build = folder / "debs", folder / "build.tar"
    debs.mkdir(parents=True)
    download = f"cd /tmp/debs && apt-get download -o APT::Sandbox::User=root {' '.join(DISTROLESS)}"
    call(
        "mmdebstrap", "--quiet", "--variant=minbase",
        *([f"--architectures={architecture}"] if architecture else []),
        f"--customize-hook=mkdir $1/tmp/debs && chroot $1 sh -c '{download}'",
        f"--customize-hook=copy-out /tmp/debs {folder}",
        "--customize-hook=rm -r $1/tmp/debs",
        *(f"--customize-hook={hook}" for hook in _of_this_machine(wheels)),
        SUITE, str(build), _mirror(),
    )  # fmt: skip
    return build, _distroless(debs, folder)


def _of_this_machine(wheels: Path | None) -> list[str]:
    """Return hooks that let apt and pip work in the build as they do here: authorities and configuration."""
    authorities = f"install -D -m 644 {_HOST_AUTHORITIES} $1/usr/local/share/ca-certificates/host.crt"
    if wheels is not None:
        configuration = "printf '[global]\\nno-index = true\\nfind-links = /wheels\\n' > $1/etc/pip.conf"
        return [authorities, f"cp -r {wheels} $1/wheels", configuration]
    return [
        authorities,
        *(
            f"mkdir -p $1{path.parent} && cp -rL {path} $1{path}"
            for path in _PIP_CONFIGURATION
            if path.exists()
        ),
    ]


def _mirror() -> str:
    """Return the Debian mirror that this machine's apt uses."""
    said = call(
        "apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Identifier: Packages"
    )
    for line in said.splitlines():
        origin, label, address = line.split(" ", 2)
        if (origin, label) == ("Debian", "Debian"):
            return address
    raise RuntimeError("apt knows no mirror of Debian on this machine")


def _distroless(debs: Path, folder: Path) -> Path:
    root = folder / "distroless"
    root.mkdir()
    for deb in sorted(debs.glob("*.deb")):
        call("dpkg-deb", "--extract", str(deb), str(root))
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
    archive = folder / "distroless.tar"
    with tarfile.open(archive, "w") as packed:
        packed.add(root, ".")
    return archive


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def call(*command: str) -> str:
    """Run a command to its end and return what it printed; raises with its complaint."""
    done = subprocess.run(
        command, check=False, capture_output=True, encoding="utf-8", errors="replace", timeout=3000
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} … : exit {done.returncode}\n{done.stderr[-4000:]}")
    return done.stdout
