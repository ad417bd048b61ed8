"""Volumes with wrong permissions or contents: the message says what to do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.container.bases import NONROOT, call
from tests.container.engine import Engine
from tests.support.app_database import CellarFile
from tests.support.commands import Result


def _made(data: Path, owner: int = NONROOT) -> None:
    cellar = CellarFile(data / "wine.db")
    cellar.user("marie")
    cellar.close()
    for path in (data, data / "wine.db"):
        shutil.chown(path, owner, owner)


def _both(engine: Engine, data: Path, suffix: str = "") -> tuple[Result, Result]:
    """Return what `check` and `run cleanup` say."""
    volumes = {data: f"/data{suffix}"}
    return engine.run("check", volumes=volumes), engine.run("run", "cleanup", volumes=volumes)


def _told(results: tuple[Result, Result], *words: str) -> None:
    for result in results:
        assert result.code == 1
        said = result.out + result.err
        assert "Traceback" not in said
        for word in words:
            assert word in said, said


def test_a_folder_of_root(engine: Engine, data: Path) -> None:
    """As the application's container, which runs as root, leaves it."""
    _made(data, owner=0)
    _told(_both(engine, data), "l'utilisateur n° 65532", "chown -R 65532")


def test_a_folder_of_somebody_else(engine: Engine, data: Path) -> None:
    """As a NAS has it: better to run as that user than to take the files away."""
    _made(data, owner=1026)
    _told(_both(engine, data), "user: 1026:1026", "chown -R 65532")


def test_a_folder_that_lets_nobody_in(engine: Engine, data: Path) -> None:
    """It cannot even be seen whether the database is there."""
    _made(data, owner=0)
    data.chmod(0o700)
    _told(_both(engine, data), "accès refusé", "chown -R 65532")


def test_a_folder_that_cannot_be_written(engine: Engine, data: Path) -> None:
    """The right owner, the wrong mode; SQLite needs the folder for its journal."""
    _made(data)
    data.chmod(0o555)
    _told(_both(engine, data), "chmod -R u+rwX")


def test_a_volume_mounted_read_only(engine: Engine, data: Path) -> None:
    """No change of owner would help."""
    _made(data)
    _told(_both(engine, data, ":ro"), "/data est en lecture seule", "sans « :ro »")


def test_a_volume_that_nobody_mounted(engine: Engine) -> None:
    """The image's own /data is empty."""
    for command in (["check"], ["run", "cleanup"]):
        result = engine.run(*command)
        assert result.code == 1
        assert "base introuvable : /data/wine.db ; le volume est-il monté ?" in result.out + result.err


def test_a_disk_without_room(engine: Engine, tmp_path: Path) -> None:
    """Told as such, and nothing is damaged: with room it works."""
    with _small_disk(tmp_path / "disk") as data:
        _made(data)
        filler = data / "photos.tar"
        _fill(filler)
        _told(_both(engine, data), "le disque est plein", "faire de la place")
        filler.unlink()
        assert engine.run("run", "cleanup", data=data).code == 0


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Give a file system of one megabyte."""
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
