"""Where the pages of `status` and `simulate` go: `-o`, or standard output."""

import io
import os
import sys
from pathlib import Path

import pytest

from cavecron.cli.main import main
from tests.support.app_database import CellarFile

SIMULATE = ("simulate", "--from", "2026-10-24", "--days", "1")


def mode(path: Path) -> int:
    """Return who may read a file."""
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("output", [(), ("-o", "-")], ids=["nothing said", "a dash"])
def test_without_a_file_the_page_is_printed(
    capsys: pytest.CaptureFixture[str], output: tuple[str, ...]
) -> None:
    """Nothing but the page, so that it can be redirected."""
    assert main([*SIMULATE, "--html", *output], {}) == 0
    out = capsys.readouterr().out
    assert out.startswith("<!DOCTYPE html>")
    assert out.endswith("</html>\n")


def test_a_file_is_replaced_and_everybody_may_read_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the umask; and its path is told."""
    file = tmp_path / "page.html"
    file.write_text("old")
    before = os.umask(0o077)
    try:
        assert main([*SIMULATE, "--html", "-o", str(file)], {}) == 0
    finally:
        os.umask(before)
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert mode(file) == 0o644
    assert capsys.readouterr().out == f"Page écrite dans {file}\n"


@pytest.mark.parametrize(("names", "wanted"), [((), 0o644), (("--names",), 0o600)], ids=["nobody", "names"])
def test_a_page_that_names_people_is_for_its_owner(
    cellar: CellarFile, tmp_path: Path, names: tuple[str, ...], wanted: int
) -> None:
    """The exit code is that of `health`, as without --html."""
    file = tmp_path / "status.html"
    code = main(["status", "--html", "-o", str(file), *names], {"DATABASE_URL": f"sqlite:///{cellar.path}"})
    assert code == 1
    assert mode(file) == wanted


def test_a_page_says_why_the_database_cannot_be_read(tmp_path: Path) -> None:
    """A page that somebody looks at every day is written all the same."""
    file = tmp_path / "status.html"
    missing = tmp_path / "nowhere" / "wine.db"
    assert main(["status", "--html", "-o", str(file)], {"DATABASE_URL": f"sqlite:///{missing}"}) == 1
    page = file.read_text(encoding="utf-8")
    assert "✗ Un point demande quelqu’un" in page
    assert "cavecron check" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("-o", "x.html"), "-o est pour la page (--html)", id="-o alone"),
        pytest.param(("--json", "-o", "x.html"), "-o est pour la page (--html)", id="-o and --json"),
    ],
)
def test_a_file_for_what_is_printed_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    """Nothing is written that somebody would look for in vain."""
    assert main([*SIMULATE, *arguments], {}) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["no folder", "a folder", "a link", "a pipe"])
def test_a_file_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """In one line, with what to do; what a link points at is left alone."""
    file = tmp_path / "nowhere" / "page.html" if kind == "no folder" else tmp_path / "page.html"
    precious = tmp_path / "precious"
    precious.write_text("kept")
    match kind:
        case "a folder":
            file.mkdir()
        case "a link":
            file.symlink_to(precious)
        case "a pipe":
            os.mkfifo(file)
    assert main([*SIMULATE, "--html", "-o", str(file)], {}) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"cavecron : {file} : impossible d'écrire la page (")
    assert told.endswith("choisir un autre -o\n")
    assert precious.read_text() == "kept"


def test_a_terminal_of_few_letters_gets_the_whole_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it is UTF-8; letters that would be lost, or be others there, are written as numbers."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1", write_through=True))
    assert main([*SIMULATE, "--html"], {}) == 0
    page = raw.getvalue().decode("ascii")
    assert "Rien n&#8217;est ex&#233;cut&#233;" in page
