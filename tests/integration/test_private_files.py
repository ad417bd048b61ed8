"""Files with personal data are readable by their owner only, and output cannot control a terminal."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_IMODE

import pytest

from tests.support.app_database import CellarFile
from tests.support.commands import Result
from tests.support.in_process import command

#: CSI as one byte (ECMA-48), a right-to-left override, and a sequence that sets a title.
CONTROLS = "\x9b31m\u202eegatniv\x1b]0;x\x07"


@pytest.fixture(params=[0o000, 0o022], ids=["umask 000", "umask 022"])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


_any_umask = pytest.mark.usefixtures("_umask")


def _run(cellar: CellarFile, *arguments: str, **variables: str) -> Result:
    defaults: Mapping[str, str] = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_MAIL": f"maildir:{cellar.path.with_name('mails') / 'box'}",
    }
    return command(*arguments, at=None, **{**defaults, **variables})


@pytest.fixture
def marie(cellar: CellarFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CellarFile:
    """Return a database with one user, whose wine and cellar contain control characters."""
    monkeypatch.chdir(tmp_path)
    user = cellar.user("marie")
    cave = cellar.cellar(user, f"Cave {CONTROLS}")
    cellar.wine(user, cave, f"Pomerol {CONTROLS}", quantity=9e999)
    cellar.wine(user, cave, f"Margaux {CONTROLS}", attributes={"year": 2000, "region": 9e999, "apogee": 2010})
    return cellar


@_any_umask
def test_previews_and_mails_are_private(marie: CellarFile, tmp_path: Path) -> None:
    """Previews and mails are private whatever the umask, also if they replace a file."""
    page = tmp_path / "rapport-marie.html"
    page.write_text("before")
    page.chmod(0o644)
    assert _run(marie, "preview", "marie").code == 0
    assert _run(marie, "run", "weekly_reports").code == 0
    assert "marie" in page.read_text()
    box = tmp_path / "mails" / "box"
    (mail,) = (box / "new").iterdir()
    assert {S_IMODE(path.stat().st_mode) for path in (page, mail)} == {0o600}
    folders = [box.parent, box, *(box / name for name in ("tmp", "new", "cur"))]
    assert {S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


@_any_umask
@pytest.mark.parametrize("option", [(), ("-o", "rapport-marie.html")], ids=["by default", "-o"])
def test_a_preview_follows_no_link(marie: CellarFile, tmp_path: Path, option: tuple[str, ...]) -> None:
    """Another user may have created a symbolic link in a folder that everybody can write to."""
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "rapport-marie.html").symlink_to(target)
    result = _run(marie, "preview", "marie", *option)
    assert (result.code, target.read_text()) == (1, "precious")
    assert "un lien symbolique porte ce nom" in result.err


@_any_umask
def test_an_export_follows_no_link(marie: CellarFile, tmp_path: Path) -> None:
    """Units are written by root, so a symbolic link would be dangerous."""
    target = tmp_path / "target"
    target.write_text("precious")
    units = tmp_path / "units"
    units.mkdir()
    (units / "cavecron-cleanup.timer").symlink_to(target)
    result = _run(marie, "export", "systemd", "-o", str(units))
    assert (result.code, target.read_text()) == (1, "precious")


@pytest.mark.parametrize(
    "arguments",
    [
        ("preview", "marie", "--text"),
        ("preview", "marie", "--json"),
        ("run", "weekly_reports", "--json", "--dry-run"),
        ("history",),
        ("history", "--json"),
        ("status", "--json"),
        ("status",),
        ("check",),
    ],
    ids=" ".join,
)
def test_no_output_controls_a_terminal(marie: CellarFile, arguments: tuple[str, ...]) -> None:
    """Names and reasons of former runs contain no control characters, and JSON contains no Infinity."""
    marie.user(f"paul{CONTROLS}", f"paul{CONTROLS}")
    _run(marie, "run", "weekly_reports")
    result = _run(marie, *arguments)
    output = result.out + result.err
    assert not [letter for letter in output if letter != "\n" and letter in f"{CONTROLS[0]}\u202e\x1b\x07"]
    assert len(result.out) > 50
    if "--json" in arguments:
        json.loads(result.out, parse_constant=pytest.fail)
    if arguments[0] == "preview":
        assert "Margaux" in output


def test_a_log_as_json_is_harmless(marie: CellarFile) -> None:
    """Each line of the log is one JSON object without control characters."""
    marie.user("paul", f"paul{CONTROLS}")
    lines = _run(marie, "run", "weekly_reports", CAVECRON_LOG_FORMAT="json").out.splitlines()
    assert [line for line in lines if "paul" in line]
    for line in lines:
        assert not {"\x9b", "\u202e", "\x1b"} & set(line)
        if line.startswith("{"):  # the command's output follows
            json.loads(line, parse_constant=pytest.fail)
    assert lines[0].startswith("{")
