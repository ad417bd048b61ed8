"""`cavecron demo`, as a new user sees it who has nothing but Python."""

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import unescape
from mailbox import Maildir
from pathlib import Path

import pytest

from cavecron.demo import cellar as sample
from tests.support.app_database import NOW, ago
from tests.support.commands import cavecron, unprivileged
from tests.support.in_process import command

#: For each log table its column of instants, and the days for which its rows are kept.
LOGS = {
    "email_log": ("created_at", 90),
    "activity_log": ("created_at", 180),
    "api_token_usage": ("timestamp", 30),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which `cavecron demo` was run with an environment that must not affect it."""
    demo_folder = tmp_path_factory.mktemp("demo")
    environ = {"DATABASE_URL": "sqlite:////elsewhere.db", "SCHEDULER_CLEANUP_HOUR": "99"}
    result = cavecron("demo", cwd=demo_folder, **environ)
    assert (result.code, result.err) == (0, "")
    (demo_folder / "output").write_text(result.out)
    return demo_folder


def _mails(folder: Path) -> Mapping[str, EmailMessage]:
    """Return the mails of the outbox, by the local part of their recipient."""
    new = folder / "cave-demo/courrier/new"
    mails = [message_from_bytes(path.read_bytes(), policy=default) for path in new.iterdir()]
    assert len(Maildir(new.parent, factory=None)) == len(mails)
    return {str(mail["To"]).partition(".")[0]: mail for mail in mails}


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_the_output_names_the_jobs_and_the_files(folder: Path) -> None:
    """The output has the sentences of both jobs, the outbox, the page to open, and how to continue."""
    output = (folder / "output").read_text()
    sentences = (
        "Une cave d'exemple de 12 utilisateurs est dans",
        "INFO - Démarrage du job: envoi des rapports hebdomadaires\n",
        "INFO - Rapports hebdomadaires: 10 envoyés, 0 échecs\n",
        "INFO - Job weekly_reports exécuté avec succès\n",
        "INFO - Job cleanup exécuté avec succès\n",
        f"Les 10 mails sont dans {folder}/cave-demo/courrier, une boîte Maildir",
        f"ouvrez dans un navigateur :\n  {folder}/cave-demo/rapport-Claire.html\n",
        "Pour votre propre cave : DATABASE_URL=sqlite:////chemin/vers/wine.db cavecron check\n",
    )
    assert [sentence for sentence in sentences if sentence not in output] == []


def test_each_household_gets_its_mail(folder: Path) -> None:
    """Ten of twelve users get a mail: not the sub-account and not the user without an address."""
    mails = _mails(folder)
    assert sorted(mails) == [
        *("antoine", "claire", "helene", "julien", "marguerite"),
        *("nadia", "paul", "sophie", "thomas", "yann"),
    ]
    for mail in mails.values():
        text = mail.get_body(("plain",))
        assert text is not None
        assert "Bonjour " in text.get_content()


def test_the_page_is_the_html_part_of_the_mail(folder: Path) -> None:
    """The page and the mail differ only in the instant at which they were made."""
    part = _mails(folder)["claire"].get_body(("html",))
    assert part is not None
    pages = [(folder / "cave-demo/rapport-Claire.html").read_text(), part.get_content()]
    page_words, mail_words = (unescape(page).partition("Rapport généré")[0].split() for page in pages)
    assert page_words == mail_words


def test_every_urgency_is_shown(folder: Path) -> None:
    """Claire's page shows all urgencies and a cellar that is too full; no wine far from its peak is shown."""
    page = (folder / "cave-demo/rapport-Claire.html").read_text()
    assert {"Urgent", "Optimal", "Bientôt"} == set(re.findall(r"[▲●○]&nbsp;([A-Z]\w+)&nbsp;<", page))
    assert "Trop pleine" in page
    environ = {"DATABASE_URL": "sqlite:///cave-demo/wine.db"}
    lines = cavecron("preview", "--all", "--json", cwd=folder, **environ).out.splitlines()
    reports = [json.loads(line) for line in lines]
    wines = [wine for report in reports for wine in report["wines_to_drink"]]
    assert {wine["urgency"] for wine in wines} == {"urgent", "optimal", "bientôt"}
    year = int(reports[0]["period"]["end"][:4])
    assert [wine for wine in wines if wine["peak"] and wine["peak"] > year + 5] == []


def test_every_mail_is_in_the_applications_log_and_old_rows_are_gone(folder: Path) -> None:
    """The application's admin pages would show ten mails, and no row that is too old."""
    database = folder / "cave-demo/wine.db"
    sent = _rows(database, "SELECT count(*) FROM email_log WHERE template_name = 'weekly_report'")
    assert sent == [(10,)]
    oldest = _rows(database, "SELECT julianday('now') - julianday(min(created_at)) FROM email_log")[0][0]
    assert isinstance(oldest, float)
    assert 88 < oldest <= 90.01


def test_the_sample_database_is_plausible(tmp_path: Path) -> None:
    """It has twelve users, one of them a sub-account and one without an address, and plausible rows."""
    sample.create(tmp_path / "wine.db", NOW)
    path = tmp_path / "wine.db"
    assert _rows(path, 'SELECT count(*), count(parent_id), count(email) FROM "user"') == [(12, 1, 11)]
    for table, (column, days) in LOGS.items():
        split = f"SELECT {column} < '{ago(days=days)}' AS old, count(*) > 10 FROM {table} GROUP BY old"
        assert _rows(path, split) == [(0, 1), (1, 1)]
    before = "SELECT name FROM wine WHERE substr(created_at, 1, 4) + 0 < extra_attributes ->> 'year' + 0"
    assert _rows(path, before) == []
    assert _rows(path, "SELECT count(*) FROM wine_consumption WHERE snapshot_cellar IS NULL") == [(0,)]
    assert _rows(path, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        pytest.param("full", "full n'est pas vide : l'effacer, ou donner un autre DOSSIER", id="not empty"),
        pytest.param("file", "file : impossible d'y faire un dossier (un fichier porte ce nom)", id="a file"),
        pytest.param("file/x", "file/x : impossible d'y faire un dossier", id="below a file"),
        pytest.param("x" * 300, "impossible d'y faire un dossier (nom trop long)", id="too long"),
        pytest.param("a?b", "a?b : une DATABASE_URL ne peut contenir de « ? »", id="a question mark"),
    ],
)
def test_a_folder_that_cannot_be_used_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str, message: str
) -> None:
    """The error is one line with exit code 2, and no existing file is changed."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("dear")
    (tmp_path / "file").write_text("dear")
    monkeypatch.chdir(tmp_path)
    result = command("demo", argument)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "thesis.txt"]


@pytest.mark.parametrize("argument", ["closed", "closed/new"])
def test_a_read_only_folder_is_an_error(tmp_path: Path, argument: str) -> None:
    """Without root's privileges, the error is one line about the missing permission."""
    (tmp_path / "closed").mkdir(mode=0o555)
    result = cavecron("demo", argument, cwd=tmp_path, prefix=unprivileged())
    assert result.code in (1, 2)
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert "accès refusé" in result.err or "droits du fichier et de son dossier" in result.err


def test_a_folder_with_special_characters_can_be_used(tmp_path: Path) -> None:
    """Percent signs, hashes and accents in a path are escaped, because SQLite gets a URI."""
    assert cavecron("demo", "ma cave 100%#é", cwd=tmp_path).code == 0
    assert (tmp_path / "ma cave 100%#é" / "rapport-Claire.html").exists()


@pytest.mark.parametrize("room", [-200, 200], ids=["during the cellar", "during the jobs"])
def test_a_full_disk_is_an_error(small_disk: Callable[[int], Path], folder: Path, room: int) -> None:
    """The error is French with exit code 1, and an incomplete database is deleted."""
    size = (folder / "cave-demo/wine.db").stat().st_size // 1024
    disk = small_disk(size + room)
    result = cavecron("demo", ".", cwd=disk)
    assert result.code == 1
    output = result.out + result.err
    assert "disque est plein" in output or "disque plein" in output
    assert "Traceback" not in output
    assert "preview" not in output
    assert (disk / "wine.db").exists() == (room > 0)
