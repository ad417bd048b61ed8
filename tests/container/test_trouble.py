"""Volumes with wrong permissions or contents: the message says what to do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.container.bases import NONROOT, call
from tests.container.engine import Engine
from tests.support.app_database import CellarFile
from tests.support.commands import Result


def _create_database(data: Path, owner: int = NONROOT) -> None:
    cellar = CellarFile(data / "wine.db")
    cellar.user("marie")
    cellar.close()
    for path in (data, data / "wine.db"):
        shutil.chown(path, owner, owner)


def _run_both(engine: Engine, data: Path, suffix: str = "") -> tuple[Result, Result]:
    """Return the results of `check` and `run cleanup`."""
    volumes = {data: f"/data{suffix}"}
    return engine.run("check", volumes=volumes), engine.run("run", "cleanup", volumes=volumes)


def _check_errors(results: tuple[Result, Result], *words: str) -> None:
    for result in results:
        assert result.code == 1
        output = result.out + result.err
        assert "Traceback" not in output
        for word in words:
            assert word in output, output


def test_a_folder_of_root(engine: Engine, data: Path) -> None:
    """The application's container runs as root and leaves such a folder."""
    _create_database(data, owner=0)
    _check_errors(_run_both(engine, data), "l'utilisateur n° 65532", "chown -R 65532")


def test_a_folder_of_somebody_else(engine: Engine, data: Path) -> None:
    """On a NAS it is better to run as the folder's user than to change its owner."""
    _create_database(data, owner=1026)
    _check_errors(_run_both(engine, data), "user: 1026:1026", "chown -R 65532")


def test_a_folder_without_access(engine: Engine, data: Path) -> None:
    """Without access to the folder, nobody can see whether the database exists."""
    _create_database(data, owner=0)
    data.chmod(0o700)
    _check_errors(_run_both(engine, data), "accès refusé", "chown -R 65532")


def test_a_folder_that_cannot_be_written(engine: Engine, data: Path) -> None:
    """The owner is right and the mode is wrong; SQLite needs the folder for its journal."""
    _create_database(data)
    data.chmod(0o555)
    _check_errors(_run_both(engine, data), "chmod -R u+rwX")


def test_a_volume_mounted_read_only(engine: Engine, data: Path) -> None:
    """A change of owner would not help."""
    _create_database(data)
    _check_errors(_run_both(engine, data, ":ro"), "/data est en lecture seule", "sans « :ro »")


def test_a_volume_that_nobody_mounted(engine: Engine) -> None:
    """The image's own /data is empty."""
    for command in (["check"], ["run", "cleanup"]):
        result = engine.run(*command)
        assert result.code == 1
        assert "base introuvable : /data/wine.db ; le volume est-il monté ?" in result.out + result.err


def test_a_disk_without_room(engine: Engine, tmp_path: Path) -> None:
    """The error names the full disk, and the database works once there is room again."""
    with _small_disk(tmp_path / "disk") as data:
        _create_database(data)
        filler = data / "photos.tar"
        _fill(filler)
        _check_errors(_run_both(engine, data), "le disque est plein", "faire de la place")
        filler.unlink()
        assert engine.run("run", "cleanup", data=data).code == 0


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Yield a file system of one megabyte."""
    folder.mkdir()
    call("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        call("umount", str(folder))


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
