"""Reading small files whose names a user gives, within limits of time and memory."""

import os
from pathlib import Path
from stat import S_ISREG

from cavecron.config.parsing import REGULAR_FILE, InvalidValueError

#: Octets; a system's bundle of certificates has a quarter of that. What is a value has a lower limit.
_MOST = 1_000_000


def read_text(path: str) -> str:
    """Return the text of a regular file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no text in UTF-8.
        InvalidValueError: it is a pipe, a device or a folder, or far too long.

    """
    text = read_octets(Path(path)).decode()
    if "\0" in text:
        raise ValueError(path)
    return text


def read_octets(path: Path) -> bytes:
    """Return what a regular file holds; raises as `read_text` does."""
    # Checked before the file is opened: opening a device can have side effects.
    _require_regular(os.stat(path).st_mode)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        _require_regular(os.fstat(descriptor).st_mode)
        octets = file.read(_MOST + 1)
    if len(octets) > _MOST:
        raise InvalidValueError(REGULAR_FILE)
    return octets


def _require_regular(mode: int) -> None:
    if not S_ISREG(mode):
        raise InvalidValueError(REGULAR_FILE)
