"""The time zone rules of this machine: the system's files or the package tzdata, whichever is newer.

zoneinfo prefers the system's files, which can be years old; jobs would then run an hour too early or too
late. No global of zoneinfo is changed, so that a program that embeds the scheduler keeps its own rules.
"""

import importlib
import os
import re
import struct
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from cavecron.config.parsing import InvalidValueError
from cavecron.errors import reason
from cavecron.jobs.files import read_octets

_VERSION = re.compile(rb"(?:# version )?(\d{4}[a-z]{1,2})\b")
#: Files of a tree that begin with its version: zic's own source, and what BSD and macOS write.
_VERSION_FILES = ("tzdata.zi", "+VERSION", "version")
_KEY = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
_REMEDY = "réinstaller les fuseaux horaires (apt-get install --reinstall tzdata, ou pip install -U tzdata)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneTree:
    """One folder of zone files; `version` is like 2026f, '' if it is not known; `origin` is French."""

    folder: Path
    version: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneFiles:
    """All trees of zone files of this machine, the newest first."""

    trees: Sequence[ZoneTree]

    def zone(self, key: str) -> zoneinfo.ZoneInfo:
        """Return the zone with this IANA name from the newest tree that has it.

        Raises:
            ZoneInfoNotFoundError: no tree has it.
            InvalidValueError: its file cannot be used, or there are no zone files at all.

        """
        for tree in self.trees if _KEY.fullmatch(key) else ():
            path = tree.folder / key
            # os.path.isdir returns False where Path.is_dir raises an error.
            if not os.path.isdir(path) and (octets := _read(path)) is not None:
                return _zone_of(octets, path, key)
        if not any(os.path.isdir(tree.folder / "Etc") for tree in self.trees):
            raise InvalidValueError(f"cette machine n'a pas de fuseaux horaires ; {_REMEDY}")
        raise zoneinfo.ZoneInfoNotFoundError(key)

    def __str__(self) -> str:
        """Return in French the version and origin of the newest tree, and of the others."""
        if not self.trees:
            return "aucun fuseau horaire sur cette machine"
        newest, *others = (f"{tree.version or 'version inconnue'} ({tree.origin})" for tree in self.trees)
        return f"{newest}, de préférence à {', '.join(others)}" if others else newest


def installed() -> ZoneFiles:
    """Return the zone files of this machine; of each tree only the first line of a file is read."""
    return newest_first([*_system_trees(zoneinfo.TZPATH), *_package_trees()])


def newest_first(trees: Sequence[ZoneTree]) -> ZoneFiles:
    """Return the trees sorted by version; one without a version comes last, equal ones keep their order."""
    return ZoneFiles(trees=tuple(sorted(trees, key=lambda tree: tree.version, reverse=True)))


def _system_trees(folders: Sequence[str]) -> Iterator[ZoneTree]:
    for folder in map(Path, folders):
        if os.path.isdir(folder):
            yield ZoneTree(folder=folder, version=_version_of(folder), origin=str(folder))


def _package_trees() -> Iterator[ZoneTree]:
    try:
        package = importlib.import_module("tzdata")
    except ImportError:
        return
    folder = Path(package.__file__ or "").parent / "zoneinfo"
    if folder.is_dir():
        yield ZoneTree(folder=folder, version=str(package.IANA_VERSION), origin="paquet Python tzdata")


def _version_of(folder: Path) -> str:
    for name in _VERSION_FILES:
        try:
            with (folder / name).open("rb") as file:
                version = _VERSION.match(file.read(40))
        except OSError:
            continue
        if version:
            return version[1].decode()
    return ""


def _read(path: Path) -> bytes | None:
    """Return the content of a zone file, None if there is no such file."""
    try:
        return read_octets(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidValueError(f"{path} est illisible ({reason(error)}) ; {_REMEDY}") from error
    except InvalidValueError as error:
        raise InvalidValueError(f"{path} est abîmé ; {_REMEDY}") from error


def _zone_of(octets: bytes, path: Path, key: str) -> zoneinfo.ZoneInfo:
    try:
        _require_whole(octets)
        return zoneinfo.ZoneInfo.from_file(BytesIO(octets), key=key)
    except (ValueError, IndexError, OverflowError, struct.error) as error:
        raise InvalidValueError(f"{path} est abîmé ; {_REMEDY}") from error


def _require_whole(octets: bytes) -> None:
    """Raise ValueError if a file is shorter than its headers announce (RFC 8536, 3).

    zoneinfo would read a file that ends within its footer for ever.
    """
    if not octets.startswith(b"TZif"):
        raise ValueError("no TZif file")
    end = _end_of_block(octets, 0, width=4)
    if octets[4:5] == b"\0":
        footer = b"\n\n"
    else:
        end = _end_of_block(octets, end, width=8)
        footer = octets[end:]
    if len(octets) < end or len(footer) < 2 or not footer.startswith(b"\n") or not footer.endswith(b"\n"):
        raise ValueError("cut short")


def _end_of_block(octets: bytes, start: int, *, width: int) -> int:
    isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt = struct.unpack_from(">6L", octets, start + 20)
    times = timecnt * (width + 1) + typecnt * 6 + charcnt
    return int(start + 44 + times + leapcnt * (width + 4) + isstdcnt + isutcnt)
