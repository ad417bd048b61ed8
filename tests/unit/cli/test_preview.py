"""`cavecron preview`: a report as a page, as text or as JSON; nothing is sent, nothing recorded."""

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
    """Return a database in which marie has a bottle that came, one that went, and one to drink."""
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
    """Run the command in this process; what it prints is pytest's to catch."""
    return cli.main(["preview", *arguments], {"DATABASE_URL": f"sqlite:///{cellar.path}"})


def test_the_page_is_written_where_one_stands(
    marie: CellarFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the path is told in full, ready to be opened."""
    monkeypatch.chdir(tmp_path)
    assert _preview(marie, "marie", "--at", AT) == 0
    page = tmp_path / "rapport-marie.html"
    assert capsys.readouterr().out == f"Rapport écrit dans {page}\n"
    html5lib.HTMLParser(strict=True).parse(page.read_text(encoding="utf-8"))
    assert "Bonjour marie," in page.read_text(encoding="utf-8")


def test_the_page_is_written_where_one_wants(marie: CellarFile, tmp_path: Path) -> None:
    """`-o`; a page from before is replaced."""
    page = tmp_path / "page.html"
    page.write_text("old")
    assert _preview(marie, "1", "-o", str(page)) == 0
    assert "Bonjour marie," in page.read_text(encoding="utf-8")


def test_text_is_printed(marie: CellarFile, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The part for whoever reads mail without HTML, and no file."""
    assert _preview(marie, "marie", "--text", "--at", AT) == 0
    said = capsys.readouterr().out
    assert "Du lundi 16 au lundi 23 novembre 2026\n" in said
    assert "Chinon 2010\n" in said
    assert "Salon" in said
    assert said.endswith(" à 08:00 (Europe/Paris).\n")
    assert not list(tmp_path.glob("*.html"))


def test_the_json_keeps_its_names(marie: CellarFile, capsys: pytest.CaptureFixture[str]) -> None:
    """One object on one line; programs rely on every name, and on the offset of every instant."""
    assert _preview(marie, "marie", "--json", "--at", AT) == 0
    (line,) = capsys.readouterr().out.splitlines()
    yesterday = "2026-11-22T07:00:00+00:00"
    moved = {"quantity": 3, "at": yesterday, "name": "Chinon", "vintage": 2010}
    left = {"quantity": 1, "at": yesterday, "name": "Margaux", "vintage": 2012, "comment": "Noël"}
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
            "entries": [{**moved, "region": "Loire", "cellar": "Salon"}],
            "exits": [{**left, "region": None, "cellar": None}],
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


def test_all_recipients_are_told_one_line_each(marie: CellarFile, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever gets no mail has no line."""
    assert _preview(marie, "--all", "--json", "--at", AT) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["user"]["username"] for line in lines] == ["marie", "paul"]


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("2026-11-23T07:00:00Z", "2026-11-23T07:00:00+00:00"),
        ("2026-11-23T08:00:00+01:00", "2026-11-23T07:00:00+00:00"),
        ("2026-11-23T08:00", "2026-11-23T07:00:00+00:00"),
        ("2026-07-14", "2026-07-13T22:00:00+00:00"),
    ],
    ids=["UTC", "offset", "local time in winter", "a day in summer"],
)
def test_a_report_can_be_had_for_another_instant(
    marie: CellarFile, capsys: pytest.CaptureFixture[str], said: str, end: str
) -> None:
    """Without an offset it is the time of the schedules' zone: Paris."""
    assert _preview(marie, "marie", "--json", "--at", said) == 0
    assert json.loads(capsys.readouterr().out)["period"]["end"] == end


def test_nothing_is_sent_or_recorded(marie: CellarFile) -> None:
    """Not a byte of the database changes."""
    before = marie.path.read_bytes()
    assert _preview(marie, "--all", "--json") == 0
    assert marie.path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
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
def test_what_cannot_be_shown_is_told(
    marie: CellarFile, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2, and one line that says what to do."""
    assert _preview(marie, *arguments) == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err.startswith("cavecron : ")
    assert said in caught.err


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("absent/page.html", "absent/page.html : son dossier n'existe pas ; choisir un autre -o"),
        (".", ". : impossible d'écrire la page (c'est un dossier) ; choisir un autre -o"),
        ("closed/page.html", "impossible d'écrire la page (accès refusé) ; choisir un autre -o"),
    ],
)
def test_a_page_that_cannot_be_written_is_told(
    marie: CellarFile, tmp_path: Path, output: str, said: str
) -> None:
    """Exit code 1, and which option to change."""
    (tmp_path / "closed").mkdir(mode=0o555)
    result = cavecron(
        *("preview", "marie", "-o", output),
        cwd=tmp_path,
        prefix=unprivileged(),
        DATABASE_URL=f"sqlite:///{marie.path}",
    )
    assert (result.code, result.out) == (1, "")
    assert said in result.err
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
def test_no_user_name_leads_elsewhere(
    cellar: CellarFile, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    """Whatever somebody signed up as: one file, in the working folder, of a length that can be stored."""
    folder = cellar.path.parent / "deep" / "folder"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    cellar.user(name, "x@example.org")
    assert _preview(cellar, "1") == 0
    assert [path.name for path in cellar.path.parent.rglob("*.html")] == [file]


def test_a_terminal_that_knows_no_accent_gets_the_rest(marie: CellarFile) -> None:
    """Letters that it lacks become question marks, and nothing ends with a traceback."""
    result = cavecron(
        "preview", "marie", "--text", DATABASE_URL=f"sqlite:///{marie.path}", PYTHONIOENCODING="ascii"
    )
    assert (result.code, result.err) == (0, "")
    assert "Bonjour marie," in result.out


def test_an_instant_of_the_future_is_told_as_such(
    cellar: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bottles that came after today count for a report of next year: it is built from what is stored."""
    user = cellar.user("marie")
    cellar.wine(user, cellar.cellar(user), created_at=utc_text(NOW.replace(year=2030)), quantity=2)
    assert _preview(cellar, "marie", "--json", "--at", "2030-11-24") == 0
    assert json.loads(capsys.readouterr().out)["activity"]["bottles_in"] == 2
