"""buildah and podman as the tests use them: in a store of their own, hardened as in examples/."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.container.bases import call
from tests.support.commands import ROOT, Result

#: Of this machine and not of the image: no registry, no systemd, and limits below podman's defaults.
_HERE = ("--pull=never", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One store of images and containers; `state` must be a short path, sockets lie in it."""

    store: Path
    state: Path
    image: str = "localhost/cavecron:test"
    architecture: str = ""  # of the image, if it is not this machine's

    def podman(self, *arguments: str) -> str:
        """Run one podman command; return what it printed, or raise with its complaint."""
        return call(*self._podman(), *arguments)

    def inspect(self, name: str = "") -> dict[str, Any]:
        """Return what podman says of an image or a container."""
        found: list[dict[str, Any]] = json.loads(self.podman("inspect", name or self.image))
        return found[0]

    def has(self, name: str) -> bool:
        """Return whether an image of that name is in the store."""
        return bool(self.podman("images", "--quiet", name))

    def take_in(self, archive: Path, name: str, *changes: str, architecture: str = "") -> None:
        """Make an image from the tar archive of a root file system; it is removed."""
        options = [*(f"--change={change}" for change in changes)]
        options += [f"--arch={architecture}"] if architecture else []
        self.podman("import", *options, str(archive), name)
        archive.unlink()

    def build(self, *arguments: str) -> None:
        """Build the Containerfile as a person would, with layers kept for the next time."""
        command = ("bud", "--format=docker", "--isolation=chroot", "--pull-never", "--layers")
        call("buildah", *self._where(), *command, *arguments)

    def run(self, *arguments: str, **options: Any) -> Result:
        """Run one command of the program in a container to its end; `options` as in `_options`."""
        done = subprocess.run(
            [
                *self._podman(),
                "run",
                "--rm",
                "--no-healthcheck",
                *self._of_another_machine(),
                *_options(**options),
                self.image,
                *arguments,
            ],
            check=False,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
        )
        return Result(code=done.returncode, out=done.stdout, err=done.stderr)

    @contextmanager
    def running(self, *arguments: str, **options: Any) -> Iterator["Container"]:
        """Start a container in the background; killed and removed at the end if it is still there."""
        name = f"cavecron-{uuid4().hex[:8]}"
        options_of_run = (*self._of_another_machine(), *_options(**options))
        self.podman("run", "--detach", f"--name={name}", *options_of_run, self.image, *arguments)
        try:
            yield Container(engine=self, name=name)
        finally:
            self.podman("rm", "--force", "--time=0", name)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Give the image's root file system as a folder."""
        yield Path(self.podman("image", "mount", self.image).strip())
        self.podman("image", "unmount", self.image)

    def clear(self) -> None:
        """Remove all containers and images."""
        self.podman("rm", "--all", "--force", "--time=0")
        self.podman("image", "unmount", "--all", "--force")
        self.podman("rmi", "--all", "--force")

    def _of_another_machine(self) -> list[str]:
        return [f"--arch={self.architecture}"] if self.architecture else []

    def _where(self) -> tuple[str, ...]:
        return (f"--root={self.store}", f"--runroot={self.state}", "--storage-driver=overlay")

    def _podman(self) -> tuple[str, ...]:
        # A folder of its own for its state: another session on this machine takes the common one away.
        own = f"--tmpdir={self.state}/libpod"
        return ("podman", *self._where(), own, "--runtime=runc", "--cgroup-manager=cgroupfs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container in the background."""

    engine: Engine
    name: str

    @property
    def pid(self) -> int:
        """Return the process id of the program, as this machine counts."""
        return int(self.engine.inspect(self.name)["State"]["Pid"])

    def log(self) -> str:
        """Return what it has printed."""
        return self.engine.podman("logs", self.name)

    def healthy(self) -> bool:
        """Run the image's own health check once."""
        done = subprocess.run(
            [*self.engine._podman(), "healthcheck", "run", self.name],
            check=False,
            capture_output=True,
            timeout=60,
        )
        return done.returncode == 0


def hardened() -> list[str]:
    """Return what examples/compose.yaml asks for, in podman's words."""
    document = yaml.safe_load((ROOT / "examples/compose.yaml").read_text(encoding="utf-8"))
    service = document["services"]["cavecron"]
    return [
        *(["--read-only", "--read-only-tmpfs=false"] if service["read_only"] else []),
        *(f"--cap-drop={capability.lower()}" for capability in service["cap_drop"]),
        *(f"--security-opt={option.removesuffix(':true')}" for option in service["security_opt"]),
        f"--memory={service['mem_limit']}",
        f"--pids-limit={service['pids_limit']}",
        f"--stop-timeout={service['stop_grace_period'].removesuffix('s')}",
    ]


def _options(
    *,
    data: Path | None = None,
    network: str = "none",
    environ: Mapping[str, str] | None = None,
    volumes: Mapping[Path, str] | None = None,
    user: str = "",
    memory: str = "",
) -> list[str]:
    """Return podman's options: `data` is the folder at /data, `volumes` maps others to where they appear."""
    mounts = {**({data: "/data"} if data else {}), **(volumes or {})}
    return [
        *hardened(),
        *_HERE,
        f"--network={network}",
        *([f"--user={user}"] if user else []),
        *([f"--memory={memory}"] if memory else []),
        *(f"--volume={source}:{target}" for source, target in mounts.items()),
        *(f"--env={name}={value}" for name, value in (environ or {}).items()),
    ]
