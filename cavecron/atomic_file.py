"""Writing files whole: beside their place first, then moved there, so that nobody ever reads half of one.

Modes do not depend on the umask. Nothing is written through a symbolic link that lies in a file's place, nor
to anything else there that is no regular file: who planted it could have chosen what is overwritten. It
knows nothing of what is written.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import BinaryIO

#: For its owner only: of files with people's names, addresses and cellars, and of their folders.
PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
#: For everybody to read.
PUBLIC = 0o644
#: Names of drafts; a process that was killed leaves one behind.
DRAFTS = ".cavecron-*.part"
#: How each SQLite file begins (fileformat2.html, 1.3).
_SQLITE = b"SQLite format 3\0"

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
#: What a file system says that knows no modes: those of shares and memory cards.
_NO_MODES = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


def write_file(path: Path, content: bytes, *, mode: int) -> None:
    """Put a file of `content` and `mode` at `path`.

    Raises:
        OSError: as `replacement` does; `errno.ENOTUNIQ` where a SQLite file has the name.

    """
    _require_no_database(path)
    with replacement(path, mode=mode) as file:
        file.write(content)


def _require_no_database(path: Path) -> None:
    """Raise OSError if a SQLite file has the name: a slip of the finger must not cost a cellar."""
    if path.is_symlink() or not path.is_file():
        return
    with suppress(PermissionError), path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            raise OSError(errno.ENOTUNIQ, "une base SQLite porte ce nom", str(path))


@contextmanager
def replacement(path: Path, *, mode: int, draft_folder: Path | None = None) -> Iterator[BinaryIO]:
    """Yield an empty file that takes the place of `path` on the way out, flushed to the disk.

    It lies in `draft_folder`, on the same file system, by default the folder of `path`, and its `name` can be
    given to whatever writes by name. Where an error passes through, it is gone and `path` as it was.

    Raises:
        OSError: it cannot be written; `errno.ELOOP` where a symbolic link has the name, `errno.EEXIST` where
            a device, a pipe or a socket has it, `errno.EISDIR` where a folder has it.

    """
    _require_replaceable(path)
    draft = (draft_folder or path.parent) / DRAFTS.replace("*", token_hex(8))
    try:
        with open(draft, "wb", opener=lambda name, _flags: os.open(name, _NEW, mode)) as file:
            _set_mode(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # takes the place of a link that was made meanwhile, and does not follow it
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    flush_folder(path.parent)


def make_folder(path: Path, *, mode: int) -> None:
    """Make a folder, and those above it that are missing, with `mode`; one that is there keeps its own.

    Raises:
        OSError: it cannot be made, or is no folder.

    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process was faster
            os.mkdir(folder, mode)
            _set_mode(folder, mode)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def _require_replaceable(path: Path) -> None:
    """Raise OSError where something has the name that is not to be replaced."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not S_ISREG(mode):
        number = errno.ELOOP if S_ISLNK(mode) else errno.EISDIR if S_ISDIR(mode) else errno.EEXIST
        raise OSError(number, os.strerror(number), str(path))


def _set_mode(file: int | Path, mode: int) -> None:
    """Give a new file or folder the bits that the umask took; a file system that knows no modes has none."""
    try:
        if S_IMODE(os.stat(file).st_mode) != mode:
            os.chmod(file, mode)
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise


def flush_folder(folder: Path) -> None:
    """Have the new name outlive a power failure, where the file system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
