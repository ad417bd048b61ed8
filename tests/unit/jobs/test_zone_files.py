"""The newer of two sources of zones counts, and what is wrong with a zone's file is one French line."""

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

#: A machine whose system has the folder `old` or `new`, and a package of another version.
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
    "both are alike": ("2026f", "2026f", +3, "2026f ({0}), de préférence à 2026f (paquet Python tzdata)"),
    "a letter more": ("2026z", "2026za", +5, "2026za (paquet Python tzdata), de préférence à 2026z ({0})"),
    "the system says nothing": (
        "",
        "2025b",
        +5,
        "2025b (paquet Python tzdata), de préférence à version inconnue ({0})",
    ),
}


#: A local time: a zone of one offset has it all year.
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
    """In the slots, and as `check` tells it; zoneinfo itself would take the system's."""
    system, package, offset, said = order
    folder = zone_tree(tmp_path / "system", system, offset=+3)
    made = zone_package(tmp_path / "package", package, offset=+5)
    assert f" 08:00 +0{offset}:00 " in _run("next", "weekly_reports", system=folder, package=made).out
    assert f"✓ Fuseaux : {said.format(folder)}\n" in _run("check", system=folder, package=made).out


def test_a_zone_that_only_the_older_files_have_is_found(tmp_path: Path) -> None:
    """Names come and go between versions."""
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
def test_other_systems_tell_their_version_elsewhere(tmp_path: Path, name: str) -> None:
    """BSD and macOS, in a file that holds nothing else."""
    folder = zone_tree(tmp_path / "system", "", offset=3)
    (folder / name).write_text("2027a\n")
    made = zone_package(tmp_path / "package", "2026f", offset=5)
    assert f"fuseaux horaires : 2027a ({folder})," in _run("--version", system=folder, package=made).out


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
def test_what_is_no_zone_is_not_found(tmp_path: Path, key: str) -> None:
    """A key is looked for in no other place, however it is written."""
    files = ZoneFiles([_tree(zone_tree(tmp_path / "zones", "2026f", offset=1))])
    with pytest.raises(ZoneInfoNotFoundError):
        files.zone(key)


@pytest.mark.parametrize("length", range(len(zone_file(1))))
def test_a_file_that_was_cut_short_is_told(tmp_path: Path, length: int) -> None:
    """At any octet; zoneinfo reads one that ends in its footer for ever, or takes half a rule for a whole."""
    folder = zone_tree(tmp_path / "zones", "2026f", offset=1)
    (folder / "Europe/Paris").write_bytes(zone_file(1)[:length])
    with pytest.raises(InvalidValueError, match="Europe/Paris est abîmé ; réinstaller"):
        ZoneFiles([_tree(folder)]).zone("Europe/Paris")


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    """Or the test above would say nothing; of the first version of the format too, which has no footer."""
    folder = zone_tree(tmp_path / "zones", "2026f", offset=1)
    one = zone_file(2)[: len(zone_file(2)) // 2 - 4].replace(b"TZif2", b"TZif\0")
    (folder / "Europe/London").write_bytes(one)
    files, at = ZoneFiles([_tree(folder)]), _JULY
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


@pytest.mark.parametrize(("break_it", "said"), _TROUBLES.values(), ids=_TROUBLES)
@pytest.mark.parametrize("command", ["next", "check", ""], ids=["next", "check", "scheduler"])
def test_a_file_that_cannot_be_used_ends_the_start(
    tmp_path: Path, command: str, break_it: object, said: str
) -> None:
    """With exit code 2 and one line, no traceback: the wrong hour would be worse."""
    folder = zone_tree(tmp_path / "zones", "2026f", offset=1)
    assert callable(break_it)
    break_it(folder / "Europe/Paris")
    result = _run(*command.split(), system=folder)
    assert result.code == 2
    (line,) = [line for line in (result.out + result.err).splitlines() if "SCHEDULER_TIMEZONE" in line]
    assert f"SCHEDULER_TIMEZONE='Europe/Paris' : {said.format(folder / 'Europe/Paris')}" in line
    assert "Traceback" not in result.err


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    """Even where another folder has the same zone: its rules are older."""
    folder = zone_tree(tmp_path / "zones", "2026f", offset=1)
    made = zone_package(tmp_path / "package", "2025b", offset=5)
    (folder / "Europe/Paris").chmod(0)
    result = _run("next", system=folder, package=made, prefix=unprivileged())
    said = f"SCHEDULER_TIMEZONE='Europe/Paris' : {folder}/Europe/Paris est illisible (accès refusé) ; "
    assert (result.code, said in result.err, "Traceback" in result.err) == (2, True, False)


@pytest.mark.parametrize("command", ["next", "check", ""], ids=["next", "check", "scheduler"])
def test_a_machine_without_zones_is_told(command: str) -> None:
    """An empty PYTHONTZPATH and no package: what to install, and exit code 2."""
    result = _run(*command.split(), system=None)
    assert result.code == 2
    said = "SCHEDULER_TIMEZONE='Europe/Paris' : cette machine n'a pas de fuseaux horaires ; réinstaller"
    assert said in result.out + result.err
    assert "Traceback" not in result.err


def test_a_machine_without_zones_still_tells_its_version() -> None:
    """Of what there is not, too."""
    result = _run("--version", system=None)
    assert (result.code, result.out.splitlines()[1]) == (
        0,
        "fuseaux horaires : aucun fuseau horaire sur cette machine",
    )


def test_a_declaration_needs_no_zones(tmp_path: Path) -> None:
    """A job of one's own is imported where there are none: its file is not to blame."""
    source = tmp_path / "mine.py"
    source.write_text("from cavecron import job\n\n\n@job('mine', hour=3)\ndef mine(run):\n    pass\n")
    result = _run("next", system=None, jobs=str(source))
    assert result.err.startswith("cavecron : Configuration invalide : 1 problème\n")


def test_the_zones_of_this_machine_are_those_of_zoneinfo(tmp_path: Path) -> None:
    """Read our way, a zone has the same offsets."""
    del tmp_path
    from cavecron.jobs.zone_files import installed

    ours, theirs = installed().zone("America/New_York"), ZoneInfo("America/New_York")
    for day in range(0, 365 * 20, 11):
        at = _JULY - timedelta(days=day)
        assert ours.utcoffset(at) == theirs.utcoffset(at)
