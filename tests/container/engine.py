"""buildah and podman as the tests use them: in a store of their own, restricted as in examples/."""

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

#: Options for this machine: no registry, no systemd, and limits below podman's defaults.
_LOCAL_OPTIONS = ("--pull=never", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A store of images and containers; `state` must be a short path because it contains sockets."""

    store: Path
    state: Path
    image: str = "localhost/cavecron:test"
    architecture: str = ""  # of the image, if it is not this machine's

    def podman(self, *arguments: str) -> str:
        """Run a podman command; return its output, or raise an error with its messages."""
        return call(*self._podman(), *arguments)

    def inspect(self, name: str = "") -> dict[str, Any]:
        """Return podman's description of an image or a container."""
        documents: list[dict[str, Any]] = json.loads(self.podman("inspect", name or self.image))
        return documents[0]

    def has(self, name: str) -> bool:
        """Return whether the store has an image of that name."""
        return bool(self.podman("images", "--quiet", name))

    def import_archive(self, archive: Path, name: str, *changes: str, architecture: str = "") -> None:
        """Import an image from a tar archive of a root file system, and delete the archive."""
        options = [*(f"--change={change}" for change in changes)]
        options += [f"--arch={architecture}"] if architecture else []
        self.podman("import", *options, str(archive), name)
        archive.unlink()

    def build(self, *arguments: str) -> None:
        """Build the Containerfile as a person would, and keep the layers for the next build."""
        command = ("bud", "--format=docker", "--isolation=chroot", "--pull-never", "--layers")
        call("buildah", *self._where(), *command, *arguments)

    def run(self, *arguments: str, **options: Any) -> Result:
        """Run a command of the image in a container to its end; `options` are those of `_options`."""
        result = subprocess.run(
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
        return Result(code=result.returncode, out=result.stdout, err=result.stderr)

    @contextmanager
    def running(self, *arguments: str, **options: Any) -> Iterator["Container"]:
        """Start a container in the background; kill and remove it at the end."""
        name = f"cavecron-{uuid4().hex[:8]}"
        options_of_run = (*self._of_another_machine(), *_options(**options))
        self.podman("run", "--detach", f"--name={name}", *options_of_run, self.image, *arguments)
        try:
            yield Container(engine=self, name=name)
        finally:
            self.podman("rm", "--force", "--time=0", name)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Yield the image's root file system as a folder."""
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
        # A temporary folder of its own, because another session on this machine could delete the common one.
        own_folder = f"--tmpdir={self.state}/libpod"
        return ("podman", *self._where(), own_folder, "--runtime=runc", "--cgroup-manager=cgroupfs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container in the background."""

    engine: Engine
    name: str

    @property
    def pid(self) -> int:
        """Return the process id of the program on this machine."""
        return int(self.engine.inspect(self.name)["State"]["Pid"])

    def log(self) -> str:
        """Return the output of the program."""
        return self.engine.podman("logs", self.name)

    def healthy(self) -> bool:
        """Run the image's own health check once."""
        result = subprocess.run(
            [*self.engine._podman(), "healthcheck", "run", self.name],
            check=False,
            capture_output=True,
            timeout=60,
        )
        return result.returncode == 0


def restrictions() -> list[str]:
    """Return the restrictions of examples/compose.yaml as options of podman."""
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
    """Return podman's options: `data` is the folder for /data, `volumes` maps other paths to their places."""
    mounts = {**({data: "/data"} if data else {}), **(volumes or {})}
    return [
        *restrictions(),
        *_LOCAL_OPTIONS,
        f"--network={network}",
        *([f"--user={user}"] if user else []),
        *([f"--memory={memory}"] if memory else []),
        *(f"--volume={source}:{target}" for source, target in mounts.items()),
        *(f"--env={name}={value}" for name, value in (environ or {}).items()),
    ]
