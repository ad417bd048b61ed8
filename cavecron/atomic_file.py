"""Writing a file atomically: under a temporary name first, then renamed, so that nobody reads half of it.

Modes do not depend on the umask. If a symbolic link, or anything else but a regular file, has the name,
nothing is written: whoever put it there could choose which file is overwritten. It does not know what the
files contain.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import BinaryIO

#: Readable by the owner only: files with people's names, addresses and cellars, and their folders.
PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
#: Readable by everybody.
PUBLIC = 0o644
#: The pattern of temporary names; a process that is killed leaves such a file behind.
DRAFTS = ".cavecron-*.part"
#: The first bytes of every SQLite file (https://www.sqlite.org/fileformat2.html, 1.3).
_SQLITE = b"SQLite format 3\0"

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
#: Errors of a file system without modes, such as those of network shares and memory cards.
_NO_MODES = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


def write_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write `content` to `path` with `mode`; a file that is there is replaced.

    Raises:
        OSError: as `replacement` does; `errno.ENOTUNIQ` if a SQLite file has the name.

    """
    _require_no_database(path)
    with replacement(path, mode=mode) as file:
        file.write(content)


def _require_no_database(path: Path) -> None:
    """Raise OSError if `path` is a SQLite file: a mistyped name must not overwrite the database."""
    if path.is_symlink() or not path.is_file():
        return
    with suppress(PermissionError), path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            raise OSError(errno.ENOTUNIQ, "une base SQLite porte ce nom", str(path))


@contextmanager
def replacement(path: Path, *, mode: int, draft_folder: Path | None = None) -> Iterator[BinaryIO]:
    """Yield an empty file that replaces `path` when the block ends, flushed to the disk.

    Until then it is in `draft_folder`, by default the folder of `path`; both are on the same file system. If
    the block raises an error, the file is deleted and `path` is unchanged.

    Raises:
        OSError: it cannot be written; `errno.ELOOP` if a symbolic link has the name, `errno.EISDIR` if a
            folder has it, `errno.EEXIST` if a device, a pipe or a socket has it.

    """
    _require_replaceable(path)
    draft = (draft_folder or path.parent) / DRAFTS.replace("*", token_hex(8))
    try:
        with open(draft, "wb", opener=lambda name, _flags: os.open(name, _NEW, mode)) as file:
            _set_mode(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # replaces a link that was made meanwhile, and does not follow it
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    flush_folder(path.parent)


def make_folder(path: Path, *, mode: int) -> None:
    """Create a folder and its missing parents with `mode`; folders that exist keep theirs.

    Raises:
        OSError: it cannot be created, or something else has the name.

    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process has created it meanwhile
            os.mkdir(folder, mode)
            _set_mode(folder, mode)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def _require_replaceable(path: Path) -> None:
    """Raise OSError if something other than a regular file has the name."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not S_ISREG(mode):
        number = errno.ELOOP if S_ISLNK(mode) else errno.EISDIR if S_ISDIR(mode) else errno.EEXIST
        raise OSError(number, os.strerror(number), str(path))


def _set_mode(file: int | Path, mode: int) -> None:
    """Set the mode of a new file or folder, whatever the umask is, if the file system has modes."""
    try:
        if S_IMODE(os.stat(file).st_mode) != mode:
            os.chmod(file, mode)
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise


def flush_folder(folder: Path) -> None:
    """Flush a folder to the disk, if the file system can, so that new names in it outlive a power failure."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
