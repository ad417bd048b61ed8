"""The newer of two sources of zones is used, and an unusable zone file is reported in one French line."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from cavecron.config.parsing import InvalidValueError
from cavecron.jobs.zone_files import ZoneFiles, ZoneTree, newest_first
from tests.support.commands import ROOT, Result, cavecron, unprivileged
from tests.support.zone_trees import zone_file, zone_package, zone_tree

#: Versions of the system's files and of the package, the offset of the newer one, and what `check` shows.
_ORDERS = {
    "the package is newer": (
        "2025b",
        "2026f",
        +5,
        "2026f (paquet Python tzdata), de préférence à 2025b ({0})",
    ),
    "the system is newer": (
        "2026f",
        "2025b",
        +3,
        "2026f ({0}), de préférence à 2025b (paquet Python tzdata)",
    ),
    "the same version": ("2026f", "2026f", +3, "2026f ({0}), de préférence à 2026f (paquet Python tzdata)"),
    "2026za is newer than 2026z": (
        "2026z",
        "2026za",
        +5,
        "2026za (paquet Python tzdata), de préférence à 2026z ({0})",
    ),
    "the system has no version": (
        "",
        "2025b",
        +5,
        "2025b (paquet Python tzdata), de préférence à version inconnue ({0})",
    ),
}


#: A local time in summer; the zones of these tests have one offset all year.
_JULY = datetime.fromisoformat("2026-07-01T00:00")


def _run(
    *arguments: str,
    system: Path | None,
    package: Path | None = None,
    prefix: Sequence[str] = (),
    jobs: str = "",
) -> Result:
    """Run a command where only these zone files are found; a package that cannot be imported hides ours."""
    package = package or ROOT / "tests" / "support" / "no_tzdata"
    return cavecron(
        *arguments,
        prefix=prefix,
        PYTHONPATH=os.pathsep.join((str(package), str(ROOT))),
        PYTHONTZPATH=str(system or ""),
        CAVECRON_JOBS=jobs,
    )


@pytest.mark.parametrize("order", _ORDERS.values(), ids=_ORDERS)
def test_the_newer_rules_count(tmp_path: Path, order: tuple[str, str, int, str]) -> None:
    """The slots and `check` use the newer source, while zoneinfo would always use the system's."""
    system, package, offset, message = order
    folder = zone_tree(tmp_path / "system", system, offset=+3)
    package_folder = zone_package(tmp_path / "package", package, offset=+5)
    assert (
        f" 08:00 +0{offset}:00 " in _run("next", "weekly_reports", system=folder, package=package_folder).out
    )
    assert (
        f"✓ Fuseaux : {message.format(folder)}\n" in _run("check", system=folder, package=package_folder).out
    )


def test_a_zone_that_only_the_older_files_have_is_found(tmp_path: Path) -> None:
    """A zone that the newer source lacks is taken from the older one."""
    new = zone_tree(tmp_path / "new", "2026f", offset=1)
    old = zone_tree(tmp_path / "old", "2024a", offset=2, keys=("Europe/Paris", "America/Montreal"))
    files = newest_first([_tree(old, "2024a"), _tree(new, "2026f")])
    at = _JULY
    assert files.zone("Europe/Paris").utcoffset(at) == timedelta(hours=1)
    assert files.zone("America/Montreal").utcoffset(at) == timedelta(hours=2)
    assert files.zone("America/Montreal").key == "America/Montreal"


def _tree(folder: Path, version: str = "2026f") -> ZoneTree:
    return ZoneTree(folder=folder, version=version, origin="essai")


@pytest.mark.parametrize("name", ["+VERSION", "version"])
def test_other_systems_have_their_version_in_another_file(tmp_path: Path, name: str) -> None:
    """BSD and macOS have the version in a file of its own."""
    folder = zone_tree(tmp_path / "system", "", offset=3)
    (folder / name).write_text("2027a\n")
    package_folder = zone_package(tmp_path / "package", "2026f", offset=5)
    assert (
        f"fuseaux horaires : 2027a ({folder}),"
        in _run("--version", system=folder, package=package_folder).out
    )


@pytest.mark.parametrize(
    "key",
    [
        "Europe/Nulle-Part",
        "Europe",
        "../Europe/Paris",
        "/etc/localtime",
        "",
        "Europe/../Europe/Paris",
        "é",
        "x" * 300,
    ],
)
def test_a_key_that_is_no_zone_is_not_found(tmp_path: Path, key: str) -> None:
    """A key is no path: nothing outside the folder of zones is read."""
    files = ZoneFiles(trees=[_tree(zone_tree(tmp_path / "zones", "2026f", offset=1))])
    with pytest.raises(ZoneInfoNotFoundError):
        files.zone(key)


@pytest.mark.parametrize("length", range(len(zone_file(1))))
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    """A file cut at any byte is refused; zoneinfo itself would accept some of them or never end."""
    folder = zone_tree(tmp_path / "zones", "2026f", offset=1)
    (folder / "Europe/Paris").write_bytes(zone_file(1)[:length])
    with pytest.raises(InvalidValueError, match="Europe/Paris est abîmé ; réinstaller"):
        ZoneFiles(trees=[_tree(folder)]).zone("Europe/Paris")


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    """A complete file is read, also one of the first version of the format, which has no footer."""
    folder = zone_tree(tmp_path / "zones", "2026f", offset=1)
    one = zone_file(2)[: len(zone_file(2)) // 2 - 4].replace(b"TZif2", b"TZif\0")
    (folder / "Europe/London").write_bytes(one)
    files, at = ZoneFiles(trees=[_tree(folder)]), _JULY
    assert files.zone("Europe/Paris").utcoffset(at) == timedelta(hours=1)
    assert files.zone("Europe/London").utcoffset(at) == timedelta(hours=2)


def _damage(path: Path) -> None:
    path.write_bytes(b"\0" * 2000)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


_TROUBLES = {
    "damaged": (_damage, "{0} est abîmé ; réinstaller les fuseaux horaires"),
    "a pipe": (_fifo, "{0} est abîmé ; réinstaller les fuseaux horaires"),
    "a loop of links": (_dangling, "{0} est illisible ("),
}


@pytest.mark.parametrize(("break_it", "message"), _TROUBLES.values(), ids=_TROUBLES)
@pytest.mark.parametrize("command", ["next", "check", ""], ids=["next", "check", "scheduler"])
def test_a_file_that_cannot_be_used_ends_the_start(
    tmp_path: Path, command: str, break_it: object, message: str
) -> None:
    """The command ends with exit code 2 and one line, because a wrong hour would be worse."""
    folder = zone_tree(tmp_path / "zones", "2026f", offset=1)
    assert callable(break_it)
    break_it(folder / "Europe/Paris")
    result = _run(*command.split(), system=folder)
    assert result.code == 2
    (line,) = [line for line in (result.out + result.err).splitlines() if "SCHEDULER_TIMEZONE" in line]
    assert f"SCHEDULER_TIMEZONE='Europe/Paris' : {message.format(folder / 'Europe/Paris')}" in line
    assert "Traceback" not in result.err


def test_a_file_without_read_permission_is_an_error(tmp_path: Path) -> None:
    """An unreadable file is an error although an older source has the zone."""
    folder = zone_tree(tmp_path / "zones", "2026f", offset=1)
    package_folder = zone_package(tmp_path / "package", "2025b", offset=5)
    (folder / "Europe/Paris").chmod(0)
    result = _run("next", system=folder, package=package_folder, prefix=unprivileged())
    message = f"SCHEDULER_TIMEZONE='Europe/Paris' : {folder}/Europe/Paris est illisible (accès refusé) ; "
    assert (result.code, message in result.err, "Traceback" in result.err) == (2, True, False)


@pytest.mark.parametrize("command", ["next", "check", ""], ids=["next", "check", "scheduler"])
def test_a_machine_without_zones_is_an_error(command: str) -> None:
    """The error says what to install, with exit code 2."""
    result = _run(*command.split(), system=None)
    assert result.code == 2
    message = "SCHEDULER_TIMEZONE='Europe/Paris' : cette machine n'a pas de fuseaux horaires ; réinstaller"
    assert message in result.out + result.err
    assert "Traceback" not in result.err


def test_a_machine_without_zones_still_shows_the_version() -> None:
    """`--version` works and says that there are no zones."""
    result = _run("--version", system=None)
    assert (result.code, result.out.splitlines()[1]) == (
        0,
        "fuseaux horaires : aucun fuseau horaire sur cette machine",
    )


def test_a_declaration_needs_no_zones(tmp_path: Path) -> None:
    """A job's file is imported without an error although there are no zones."""
    source = tmp_path / "mine.py"
    source.write_text("from cavecron import job\n\n\n@job('mine', hour=3)\ndef mine(run):\n    pass\n")
    result = _run("next", system=None, jobs=str(source))
    assert result.err.startswith("cavecron : Configuration invalide : 1 problème\n")


def test_the_zones_of_this_machine_are_those_of_zoneinfo(tmp_path: Path) -> None:
    """A zone read by cavecron has the same offsets as one read by zoneinfo."""
    del tmp_path
    from cavecron.jobs.zone_files import installed

    ours, theirs = installed().zone("America/New_York"), ZoneInfo("America/New_York")
    for day in range(0, 365 * 20, 11):
        at = _JULY - timedelta(days=day)
        assert ours.utcoffset(at) == theirs.utcoffset(at)
