"""Artificial folders of zone files; the offset of a zone shows which folder it is from."""

from pathlib import Path


def zone_file(offset: int) -> bytes:
    """Return a file of RFC 8536, version 2: one offset in hours east of UTC, for all times."""

    def block(footer: bytes) -> bytes:
        counts = b"".join(number.to_bytes(4, "big") for number in (0, 0, 0, 0, 1, 4))
        local_time = (offset * 3600).to_bytes(4, "big", signed=True) + b"\0\0"
        return b"TZif2".ljust(20, b"\0") + counts + local_time + b"ABC\0" + footer

    return block(b"") + block(f"\n<{offset:+03}>{-offset}\n".encode())


def zone_tree(folder: Path, version: str, *, offset: int, keys: tuple[str, ...] = ("Europe/Paris",)) -> Path:
    """Create a folder of zone files as a system has it, all with one offset, and with a version."""
    for key in (*keys, "Etc/UTC"):
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(zone_file(offset))
    if version:
        (folder / "tzdata.zi").write_text(f"# version {version}\n# This zic input file is public\n")
    return folder


def zone_package(folder: Path, version: str, *, offset: int) -> Path:
    """Create a package tzdata; return the folder for the path of modules."""
    zone_tree(folder / "tzdata" / "zoneinfo", version, offset=offset)
    (folder / "tzdata" / "__init__.py").write_text(f"IANA_VERSION = {version!r}\n")
    return folder
