"""Reading files that variables name: only regular files of limited size, and without blocking."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cavecron.config.parsing import InvalidValueError
from cavecron.jobs.files import read_text
from tests.support.in_process import command


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


_UNSUITABLE: dict[str, Callable[[Path], object]] = {
    "a pipe that nobody writes to": os.mkfifo,
    "a folder": Path.mkdir,
    "a socket": _socket,
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a terminal": lambda path: path.symlink_to("/dev/ptmx"),
    "a gigabyte": _sparse,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", _UNSUITABLE.values(), ids=_UNSUITABLE)
def test_a_file_that_is_not_small_and_regular_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    """The file is refused without waiting for it and without reading it into memory."""
    path = tmp_path / "secret"
    make(path)
    with pytest.raises(InvalidValueError, match="un fichier ordinaire de 64 ko au plus est attendu"):
        read_text(str(path))


@pytest.mark.parametrize("make", _UNSUITABLE.values(), ids=_UNSUITABLE)
def test_the_start_ends_with_one_line(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """The exit code is 2 and the error one line, as for every other error of the configuration."""
    path = tmp_path / "secret"
    make(path)
    result = command("next", SMTP_ENCRYPTION_KEY_FILE=str(path), CAVECRON_JOBS_FILE=str(path))
    assert result.code == 2
    assert f"SMTP_ENCRYPTION_KEY_FILE={str(path)!r} : un fichier ordinaire de 64 ko" in result.err
    assert f"CAVECRON_JOBS_FILE={str(path)!r} : un fichier ordinaire de 64 ko" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("octets", "message"), [(b"\xff\xfe", "codec"), (b"a\0b", "secret")], ids=["not UTF-8", "an octet 0"]
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, octets: bytes, message: str) -> None:
    """The content raises a ValueError, which the caller reports with the variable's name."""
    path = tmp_path / "secret"
    path.write_bytes(octets)
    with pytest.raises(ValueError, match=message):
        read_text(str(path))


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    """Links are followed, because Kubernetes mounts secrets as links."""
    (tmp_path / "data").write_text("clé\n", encoding="utf-8")
    (tmp_path / "secret").symlink_to("data")
    assert read_text(str(tmp_path / "secret")) == "clé\n"


def test_a_job_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """A pipe in place of a job's file is refused, because importing it would block."""
    path = tmp_path / "mine.py"
    os.mkfifo(path)
    result = command("next", CAVECRON_JOBS=str(path))
    assert result.code == 2
    assert f"CAVECRON_JOBS : {path} : {path} n'est pas un fichier ordinaire" in result.err
