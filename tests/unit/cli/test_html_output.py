"""Where the pages of `status` and `simulate` are written: the file of `-o`, or standard output."""

import io
import os
import sys
from pathlib import Path

import pytest

from cavecron.cli.main import main
from tests.support.app_database import CellarFile

SIMULATE = ("simulate", "--from", "2026-10-24", "--days", "1")


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("output", [(), ("-o", "-")], ids=["no option", "a dash"])
def test_without_a_file_the_page_is_printed(
    capsys: pytest.CaptureFixture[str], output: tuple[str, ...]
) -> None:
    """Standard output contains only the page, so that it can be redirected into a file."""
    assert main([*SIMULATE, "--html", *output], {}) == 0
    out = capsys.readouterr().out
    assert out.startswith("<!DOCTYPE html>")
    assert out.endswith("</html>\n")


def test_a_file_is_replaced_and_everybody_may_read_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is readable for everybody whatever the umask is, and its path is printed."""
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


@pytest.mark.parametrize("arguments", [("status", "--html"), (*SIMULATE, "--html"), ("preview", "Claire")])
def test_a_relative_file_is_written_although_a_file_of_jobs_changes_the_folder(
    cellar: CellarFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """The path is meant from the folder in which the command was typed."""
    cellar.user("Claire")
    jobs, elsewhere = tmp_path / "jobs.py", tmp_path / "elsewhere"
    elsewhere.mkdir()
    jobs.write_text(
        f"import os\nfrom cavecron import job\nos.chdir({str(elsewhere)!r})\n"
        "@job('own')\ndef own(run):\n    pass\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    environ = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_JOBS": "jobs.py"}
    main([*arguments, "-o", "page.html"], environ)
    assert (tmp_path / "page.html").exists()
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(("names", "expected"), [((), 0o644), (("--names",), 0o600)], ids=["nobody", "names"])
def test_a_page_that_names_people_is_for_its_owner(
    cellar: CellarFile, tmp_path: Path, names: tuple[str, ...], expected: int
) -> None:
    """With `--names` only the owner may read the file; the exit code is that of `health`."""
    file = tmp_path / "status.html"
    code = main(["status", "--html", "-o", str(file), *names], {"DATABASE_URL": f"sqlite:///{cellar.path}"})
    assert code == 1
    assert mode(file) == expected


def test_a_page_says_once_that_no_scheduler_has_run(
    cellar: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command, on top; not once more below."""
    main(["status", "--html"], {"DATABASE_URL": f"sqlite:///{cellar.path}"})
    assert capsys.readouterr().out.count("Aucun planificateur") == 1


def test_a_page_says_why_the_database_cannot_be_read(tmp_path: Path) -> None:
    """The page is written although the database is missing, because somebody may look only at it."""
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
def test_an_output_file_without_html_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    """`-o` without `--html` is an error, so that nobody looks for a file that was not written."""
    assert main([*SIMULATE, *arguments], {}) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["no folder", "a folder", "a link", "a pipe"])
def test_a_file_that_cannot_be_written_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """One line says what to do; the target of a symbolic link is not changed."""
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
    error = capsys.readouterr().err
    assert error.startswith(f"cavecron : {file} : impossible d'écrire la page (")
    assert error.endswith("choisir un autre -o\n")
    assert precious.read_text() == "kept"


def test_a_terminal_without_utf_8_gets_the_whole_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """All other characters than ASCII are written as numeric references, because the page declares UTF-8."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1", write_through=True))
    assert main([*SIMULATE, "--html"], {}) == 0
    page = raw.getvalue().decode("ascii")
    assert "Rien n&#8217;est ex&#233;cut&#233;" in page
