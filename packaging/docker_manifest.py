"""Add to an OCI archive the manifest that `docker load` needs; podman reads the archive as before.

Usage: docker_manifest.py ARCHIVE NAME:TAG. SOURCE_DATE_EPOCH is the date of the added file. The format is
that of `docker save`: https://github.com/moby/docker-image-spec (version 1.2).
"""

import io
import json
import os
import sys
import tarfile
from typing import Any


def main(archive: str, name: str) -> None:
    """Append the manifest of the only image in `archive`, which gets this name when it is loaded."""
    with tarfile.open(archive) as tar:
        (entry,) = _read(tar, "index.json")["manifests"]
        manifest = _read(tar, _blob(entry))
    content = json.dumps(
        [
            {
                "Config": _blob(manifest["config"]),
                "RepoTags": [name],
                "Layers": [_blob(layer) for layer in manifest["layers"]],
            }
        ]
    ).encode()
    member = tarfile.TarInfo("manifest.json")
    member.size, member.mode, member.mtime = len(content), 0o644, int(os.environ["SOURCE_DATE_EPOCH"])
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member, io.BytesIO(content))


def _read(tar: tarfile.TarFile, path: str) -> Any:
    file = tar.extractfile(path)
    if file is None:
        raise RuntimeError(f"{path} is no file")
    return json.load(file)


def _blob(descriptor: dict[str, str]) -> str:
    """Return the path of a descriptor's content (OCI image layout, blobs)."""
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


if __name__ == "__main__":
    main(*sys.argv[1:])
