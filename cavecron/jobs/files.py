"""Reading small files that a user names; a device, a pipe or a huge file is refused."""

import os
from pathlib import Path
from stat import S_ISREG

from cavecron.config.parsing import REGULAR_FILE, InvalidValueError

#: Bytes; a system's bundle of certificates is a quarter of that. For the values of variables there is a lower
#: limit.
_MOST_OCTETS = 1_000_000


def read_text(path: str) -> str:
    """Return the text of a regular file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not text in UTF-8.
        InvalidValueError: it is a pipe, a device or a folder, or longer than 1 MB.

    """
    text = read_octets(Path(path)).decode()
    if "\0" in text:
        raise ValueError(path)
    return text


def read_octets(path: Path) -> bytes:
    """Return the content of a regular file; raises OSError and InvalidValueError as `read_text` does."""
    # Checked before the file is opened, because opening a device can have side effects.
    _require_regular(os.stat(path).st_mode)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        _require_regular(os.fstat(descriptor).st_mode)
        octets = file.read(_MOST_OCTETS + 1)
    if len(octets) > _MOST_OCTETS:
        raise InvalidValueError(REGULAR_FILE)
    return octets


def _require_regular(mode: int) -> None:
    if not S_ISREG(mode):
        raise InvalidValueError(REGULAR_FILE)
