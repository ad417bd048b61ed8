"""Databases that cannot be used: the message, the exit code, and that no mail is sent."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.support.app_database import CellarFile
from tests.support.commands import Result, cavecron, unprivileged
from tests.support.fake_smtp.server import HostileServer
from tests.support.in_process import command

COMMANDS = {
    "weekly_reports": ("run", "weekly_reports"),
    "cleanup": ("run", "cleanup"),
    "rehearsal": ("run", "weekly_reports", "--dry-run"),
    "preview": ("preview", "marie", "--text"),
}
_RIGHTS = "droits du fichier et de son dossier pour l'utilisateur n° "
_START = "démarrer une fois l'application, qui met son schéma à jour"


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """Return an honest mail server."""
    with HostileServer() as running:
        yield running


@pytest.fixture
def household(cellar: CellarFile, server: HostileServer) -> CellarFile:
    """Return a database in which everything is there to be mailed and cleaned up."""
    user = cellar.user("marie")
    cave = cellar.cellar(user)
    for number in range(200):
        cellar.wine(user, cave, f"wine {number}")
    cellar.smtp(server.port)
    for table, column in (("activity_log", "created_at"), ("api_token_usage", "timestamp")):
        others = "token_id, endpoint, method, status_code" if table[1] == "p" else "user_id, action"
        values = "1, '/', 'GET', 200" if table[1] == "p" else "1, 'login'"
        cellar.execute(f"INSERT INTO {table} ({others}, {column}) VALUES ({values}, '2020-01-01 00:00:00')")
    return cellar


def _missing(cellar: CellarFile) -> None:
    cellar.path.unlink()


def _empty(cellar: CellarFile) -> None:
    cellar.path.write_bytes(b"")


def _folder(cellar: CellarFile) -> None:
    cellar.path.unlink()
    cellar.path.mkdir()


def _no_database(cellar: CellarFile) -> None:
    cellar.path.write_bytes(b"Bonjour, " * 1000)


def _damaged(cellar: CellarFile) -> None:
    content = cellar.path.read_bytes()
    cellar.path.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))


def _cut_short(cellar: CellarFile) -> None:
    content = cellar.path.read_bytes()
    cellar.path.write_bytes(content[: len(content) // 2])


def _unreadable(cellar: CellarFile) -> None:
    cellar.path.chmod(0)


_WHAT_IS_THERE = [
    (_missing, "base introuvable : {path} ; le volume est-il monté ? (DATABASE_URL)"),
    (_empty, f"{{path}} n'a aucune table de Cave à Vin : {_START}, ou corriger DATABASE_URL"),
    (_folder, "{path} est un dossier : DATABASE_URL doit nommer le fichier de la base"),
    (_no_database, "{path} n'est pas une base SQLite : vérifier DATABASE_URL"),
    (_damaged, "{path} est abîmée : arrêter l'application et restaurer une sauvegarde"),
    (_cut_short, "{path} est abîmée : arrêter l'application et restaurer une sauvegarde"),
    (_unreadable, f"{{path}} ne peut être ouverte en écriture : {_RIGHTS}{os.geteuid()} ?"),
]


@pytest.mark.parametrize(
    ("command", "spoil", "said"),
    [
        *(("weekly_reports", spoil, said) for spoil, said in _WHAT_IS_THERE),
        *((command, *_WHAT_IS_THERE[1]) for command in COMMANDS if command != "weekly_reports"),
    ],
)
def test_a_file_that_is_none_is_told(
    *,
    household: CellarFile,
    server: HostileServer,
    command: str,
    spoil: Callable[[CellarFile], None],
    said: str,
) -> None:
    """In one line that says what to do, exit code 1; and no mail server is bothered."""
    household.close()
    spoil(household)
    before = household.path.read_bytes() if household.path.is_file() else b""
    # Even root reads what nobody may read.
    run = _run_unprivileged if spoil is _unreadable else _run
    _refused(run(household, command), said.format(path=household.path))
    assert server.connections == 0
    assert not household.path.is_file() or household.path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "lacking", "command"),
    [
        ('DROP TABLE "user"', "user", "preview"),
        ("DROP TABLE wine", "wine", "rehearsal"),
        ("DROP TABLE smtp_config", "smtp_config", "weekly_reports"),
        ("DROP TABLE email_log", "email_log", "weekly_reports"),
        ("DROP TABLE activity_log", "activity_log", "cleanup"),
        ("ALTER TABLE wine_consumption DROP COLUMN comment", "wine_consumption.comment", "weekly_reports"),
        ("ALTER TABLE wine_consumption DROP COLUMN comment", "wine_consumption.comment", "preview"),
        ('ALTER TABLE "user" RENAME COLUMN parent_id TO p', "user.parent_id", "weekly_reports"),
        ('ALTER TABLE "user" RENAME COLUMN email TO e', "user.email", "weekly_reports"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_what_is_missing_is_told_before_anything_is_sent(
    *, household: CellarFile, server: HostileServer, change: str, lacking: str, command: str
) -> None:
    """By its name, and that the application has to be started once."""
    household.execute(change)
    _refused(_run(household, command), f"{lacking} : absent de {household.path} ; {_START}")
    assert server.connections == 0


@pytest.mark.parametrize("column", ["default_cellar_id", "created_at"])
def test_a_late_column_that_nobody_reads_may_be_missing(household: CellarFile, column: str) -> None:
    """A report needs neither when somebody signed up, nor which cellar the application shows first."""
    household.execute(f'ALTER TABLE "user" RENAME COLUMN {column} TO gone')
    for name in COMMANDS:
        assert _run(household, name).code == 0


@pytest.mark.parametrize("place", ["file", "folder"])
@pytest.mark.parametrize("command", ["weekly_reports", "cleanup"])
def test_a_database_that_cannot_be_written_is_told_before_anything_is_sent(
    *, household: CellarFile, server: HostileServer, command: str, place: str
) -> None:
    """A mail that is sent and not recorded would be sent again; who only reads goes on."""
    path = household.path if place == "file" else household.path.parent
    path.chmod(0o444 if place == "file" else 0o555)
    rights = f"{household.path} ne peut être ouverte en écriture : {_RIGHTS}{os.geteuid()} ?"
    _refused(_run_unprivileged(household, command), rights)
    assert server.connections == 0
    reader = "rehearsal" if command == "weekly_reports" else "preview"
    assert _run_unprivileged(household, reader).code == 0
    path.chmod(0o755)


def _run(cellar: CellarFile, name: str) -> Result:
    return command(*COMMANDS[name], DATABASE_URL=f"sqlite:///{cellar.path}")


def _run_unprivileged(cellar: CellarFile, command: str) -> Result:
    return cavecron(*COMMANDS[command], prefix=unprivileged(), DATABASE_URL=f"sqlite:///{cellar.path}")


def _refused(result: Result, said: str) -> None:
    assert result.code == 1
    lines = [line for line in (result.out + result.err).splitlines() if "Démarrage du job" not in line]
    assert len(lines) == 1, lines
    assert said in lines[0]
