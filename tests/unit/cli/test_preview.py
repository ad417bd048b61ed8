"""`cavecron preview`: a report as a page, as text or as JSON; nothing is sent and nothing is recorded."""

import json
from pathlib import Path

import html5lib
import pytest

from cavecron.cli import main as cli
from cavecron.database.timestamps import utc_text
from tests.support.app_database import NOW, CellarFile, ago
from tests.support.commands import cavecron, unprivileged

AT = "2026-11-23T07:00:00Z"


@pytest.fixture
def marie(cellar: CellarFile) -> CellarFile:
    """Return a database in which marie has one wine that arrived, one that she drank, and one to drink."""
    user = cellar.user("marie")
    salon = cellar.cellar(user, "Salon")
    wine = cellar.wine(
        *(user, salon, "Chinon"),
        created_at=ago(days=1),
        quantity=3,
        attributes={"year": 2010, "apogee": 2025, "region": "Loire"},
    )
    cellar.exit(user, wine, comment="Noël", snapshot_year=2012)
    cellar.user("paul")
    cellar.user("lucas", parent=user)
    cellar.user("robert", None)
    return cellar


def _preview(cellar: CellarFile, *arguments: str) -> int:
    """Run the command in this process and return its exit code; pytest captures the output."""
    return cli.main(["preview", *arguments], {"DATABASE_URL": f"sqlite:///{cellar.path}"})


def test_the_page_is_written_into_the_working_folder(
    marie: CellarFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page is valid HTML, and its full path is printed so that it can be opened."""
    monkeypatch.chdir(tmp_path)
    assert _preview(marie, "marie", "--at", AT) == 0
    page = tmp_path / "rapport-marie.html"
    assert capsys.readouterr().out == f"Rapport écrit dans {page}\n"
    html5lib.HTMLParser(strict=True).parse(page.read_text(encoding="utf-8"))
    assert "Bonjour marie," in page.read_text(encoding="utf-8")


def test_the_page_is_written_into_the_chosen_file(marie: CellarFile, tmp_path: Path) -> None:
    """`-o` chooses the file, and an existing file is replaced."""
    page = tmp_path / "page.html"
    page.write_text("old")
    assert _preview(marie, "1", "-o", str(page)) == 0
    assert "Bonjour marie," in page.read_text(encoding="utf-8")


def test_a_dash_prints_the_page(
    marie: CellarFile, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's file would belong to its user, and nobody else may open it; the shell's is one's own."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert _preview(marie, "marie", "-o", "-") == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")
    assert sorted(tmp_path.iterdir()) == before


def test_text_is_printed(marie: CellarFile, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`--text` prints the plain text part, and writes no file."""
    assert _preview(marie, "marie", "--text", "--at", AT) == 0
    output = capsys.readouterr().out
    assert "Du lundi 16 au lundi 23 novembre 2026\n" in output
    assert "Chinon 2010\n" in output
    assert "Salon" in output
    assert output.endswith(" à 08:00 (Europe/Paris).\n")
    assert not list(tmp_path.glob("*.html"))


def test_the_json_keeps_its_names(marie: CellarFile, capsys: pytest.CaptureFixture[str]) -> None:
    """One line has one object; programs rely on every name, and on the offset of every instant."""
    assert _preview(marie, "marie", "--json", "--at", AT) == 0
    (line,) = capsys.readouterr().out.splitlines()
    yesterday = "2026-11-22T07:00:00+00:00"
    entry = {"quantity": 3, "at": yesterday, "name": "Chinon", "vintage": 2010}
    exit_row = {"quantity": 1, "at": yesterday, "name": "Margaux", "vintage": 2012, "comment": "Noël"}
    assert json.loads(line) == {
        "user": {"id": 1, "username": "marie"},
        "period": {"start": "2026-11-16T07:00:00+00:00", "end": "2026-11-23T07:00:00+00:00"},
        "statistics": {
            "bottles": 3,
            "references": 1,
            "cellars": [{"name": "Salon", "bottles": 3, "capacity": 24, "fill_rate": 12.5}],
        },
        "activity": {
            "bottles_in": 3,
            "bottles_out": 1,
            "net": 2,
            "entries": [{**entry, "region": "Loire", "cellar": "Salon"}],
            "exits": [{**exit_row, "region": None, "cellar": None}],
        },
        "wines_to_drink": [
            {
                **{"id": 1, "name": "Chinon", "vintage": 2010, "peak": 2025, "score": 85, "note": None},
                **{
                    "urgency": "urgent",
                    "basis": "peak",
                    "quantity": 3,
                    "cellar": "Salon",
                    "subcategory": None,
                },
            }
        ],
        "urgencies": {"urgent": 1, "optimal": 0, "soon": 0},
        "unassessed": 0,
    }


def test_each_recipient_has_one_line(marie: CellarFile, capsys: pytest.CaptureFixture[str]) -> None:
    """Users who get no report have no line."""
    assert _preview(marie, "--all", "--json", "--at", AT) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["user"]["username"] for line in lines] == ["marie", "paul"]


@pytest.mark.parametrize(
    ("instant", "end"),
    [
        ("2026-11-23T07:00:00Z", "2026-11-23T07:00:00+00:00"),
        ("2026-11-23T08:00:00+01:00", "2026-11-23T07:00:00+00:00"),
        ("2026-11-23T08:00", "2026-11-23T07:00:00+00:00"),
        ("2026-07-14", "2026-07-13T22:00:00+00:00"),
    ],
    ids=["UTC", "offset", "local time in winter", "a day in summer"],
)
def test_a_report_can_be_had_for_another_instant(
    marie: CellarFile, capsys: pytest.CaptureFixture[str], instant: str, end: str
) -> None:
    """`--at` without an offset is in the time zone of the schedules, here Paris."""
    assert _preview(marie, "marie", "--json", "--at", instant) == 0
    assert json.loads(capsys.readouterr().out)["period"]["end"] == end


def test_nothing_is_sent_or_recorded(marie: CellarFile) -> None:
    """The database file stays the same, byte for byte."""
    before = marie.path.read_bytes()
    assert _preview(marie, "--all", "--json") == 0
    assert marie.path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Marie",), "utilisateur inconnu : 'Marie' (vouliez-vous dire 'marie' ?)"),
        (("zzz",), "utilisateur inconnu : 'zzz'"),
        (("lucas",), "'lucas' est un sous-compte"),
        (("robert",), "'robert' n'a pas d'adresse e-mail"),
        (("marie", "--all", "--json"), "--all s'emploie avec --json, sans nom d'utilisateur"),
        (("--all",), "--all s'emploie avec --json, sans nom d'utilisateur"),
        (("marie", "--json", "-o", "x"), "-o est pour la page HTML"),
        (("marie", "--text", "-o", "x"), "-o est pour la page HTML"),
        (("marie", "--at", ""), "--at '' : un instant ISO 8601 est attendu, comme 2026-11-23T07:00:00Z"),
        (("marie", "--at", "9999-12-31T23:59:59Z"), "un instant ISO 8601 est attendu"),
    ],
)
def test_an_impossible_preview_is_refused(
    marie: CellarFile, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """The exit code is 2, and one message says what to do."""
    assert _preview(marie, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("cavecron : ")
    assert message in output.err


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("absent/page.html", "absent/page.html : son dossier n'existe pas ; choisir un autre -o"),
        (".", ". : impossible d'écrire la page (c'est un dossier) ; choisir un autre -o"),
        ("closed/page.html", "impossible d'écrire la page (accès refusé) ; choisir un autre -o"),
    ],
)
def test_a_page_that_cannot_be_written_is_an_error_in_one_line(
    marie: CellarFile, tmp_path: Path, output: str, message: str
) -> None:
    """The exit code is 1, and one line says which option to change."""
    (tmp_path / "closed").mkdir(mode=0o555)
    result = cavecron(
        *("preview", "marie", "-o", output),
        cwd=tmp_path,
        prefix=unprivileged(),
        DATABASE_URL=f"sqlite:///{marie.path}",
    )
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../etc/passwd", "rapport-------etc-passwd.html"),
        ("/etc/passwd", "rapport--etc-passwd.html"),
        ("Jean-Noël d'Arc", "rapport-Jean-Noël-d-Arc.html"),
        ("a\nb\x1b[2J", "rapport-a-b--2J.html"),
        ("-rf *", "rapport--rf--.html"),
        ("..", "rapport---.html"),
        ("𠀀" * 80, f"rapport-{'𠀀' * 40}.html"),
        ("e\u0301" * 3, "rapport-ééé.html"),
    ],
    ids=["parent folders", "absolute", "French", "controls", "option", "dots", "long", "combining"],
)
def test_no_user_name_leads_out_of_the_working_folder(
    cellar: CellarFile, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    """For any user name, one file with a name of limited length is written into the working folder."""
    folder = cellar.path.parent / "deep" / "folder"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    cellar.user(name, "x@example.org")
    assert _preview(cellar, "1") == 0
    assert [path.name for path in cellar.path.parent.rglob("*.html")] == [file]


def test_a_terminal_that_knows_no_accent_gets_the_rest(marie: CellarFile) -> None:
    """Characters that the encoding lacks become question marks, without a traceback."""
    result = cavecron(
        "preview", "marie", "--text", DATABASE_URL=f"sqlite:///{marie.path}", PYTHONIOENCODING="ascii"
    )
    assert (result.code, result.err) == (0, "")
    assert "Bonjour marie," in result.out


def test_a_report_can_be_of_a_future_instant(cellar: CellarFile, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows dated between now and `--at` count, because the report contains all that is stored."""
    user = cellar.user("marie")
    cellar.wine(user, cellar.cellar(user), created_at=utc_text(NOW.replace(year=2030)), quantity=2)
    assert _preview(cellar, "marie", "--json", "--at", "2030-11-24") == 0
    assert json.loads(capsys.readouterr().out)["activity"]["bottles_in"] == 2
