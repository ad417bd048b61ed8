"""Databases that cannot be used: the message, the exit code, and that no mail is sent."""

import os
from collections.abc import Callable, Iterator

import pytest

from tests.support.app_database import CellarFile
from tests.support.commands import Result, cavecron, unprivileged
from tests.support.fake_smtp.server import FakeSmtpServer
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
def server() -> Iterator[FakeSmtpServer]:
    """Yield a mail server without faults."""
    with FakeSmtpServer() as smtp_server:
        yield smtp_server


@pytest.fixture
def household(cellar: CellarFile, server: FakeSmtpServer) -> CellarFile:
    """Return a database with a report to send and rows to delete."""
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


_FAULTS = [
    (_missing, "base introuvable : {path} ; le volume est-il monté ? (DATABASE_URL)"),
    (_empty, f"{{path}} n'a aucune table de Cave à Vin : {_START}, ou corriger DATABASE_URL"),
    (_folder, "{path} est un dossier : DATABASE_URL doit nommer le fichier de la base"),
    (_no_database, "{path} n'est pas une base SQLite : vérifier DATABASE_URL"),
    (_damaged, "{path} est abîmée : arrêter l'application et restaurer une sauvegarde"),
    (_cut_short, "{path} est abîmée : arrêter l'application et restaurer une sauvegarde"),
    (_unreadable, f"{{path}} ne peut être ouverte en écriture : {_RIGHTS}{os.geteuid()} ?"),
]


@pytest.mark.parametrize(
    ("command", "spoil", "message"),
    [
        *(("weekly_reports", spoil, message) for spoil, message in _FAULTS),
        *((command, *_FAULTS[1]) for command in COMMANDS if command != "weekly_reports"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(
    *,
    household: CellarFile,
    server: FakeSmtpServer,
    command: str,
    spoil: Callable[[CellarFile], None],
    message: str,
) -> None:
    """The error is one line that says what to do, the exit code is 1, and no connection is opened."""
    household.close()
    spoil(household)
    before = household.path.read_bytes() if household.path.is_file() else b""
    # Without root's privileges, because root can read every file.
    run = _run_unprivileged if spoil is _unreadable else _run
    _check_error(run(household, command), message.format(path=household.path))
    assert server.connections == 0
    assert not household.path.is_file() or household.path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "name", "command"),
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
def test_a_missing_table_or_column_is_an_error_before_anything_is_sent(
    *, household: CellarFile, server: FakeSmtpServer, change: str, name: str, command: str
) -> None:
    """The error names the missing table or column and asks to start the application once."""
    household.execute(change)
    _check_error(_run(household, command), f"{name} : absent de {household.path} ; {_START}")
    assert server.connections == 0


@pytest.mark.parametrize("column", ["default_cellar_id", "created_at"])
def test_a_column_that_no_job_reads_may_be_missing(household: CellarFile, column: str) -> None:
    """Columns that no job reads may be missing in the database of an older release."""
    household.execute(f'ALTER TABLE "user" RENAME COLUMN {column} TO gone')
    for command_name in COMMANDS:
        assert _run(household, command_name).code == 0


@pytest.mark.parametrize("place", ["file", "folder"])
@pytest.mark.parametrize("command", ["weekly_reports", "cleanup"])
def test_a_read_only_database_is_an_error_before_anything_is_sent(
    *, household: CellarFile, server: FakeSmtpServer, command: str, place: str
) -> None:
    """A mail that is not recorded would be sent again, so none is sent; a command that only reads works."""
    path = household.path if place == "file" else household.path.parent
    path.chmod(0o444 if place == "file" else 0o555)
    rights = f"{household.path} ne peut être ouverte en écriture : {_RIGHTS}{os.geteuid()} ?"
    _check_error(_run_unprivileged(household, command), rights)
    assert server.connections == 0
    for reader in ("rehearsal", "preview"):
        assert _run_unprivileged(household, reader).code == 0
    path.chmod(0o755)


def _run(cellar: CellarFile, name: str) -> Result:
    return command(*COMMANDS[name], DATABASE_URL=f"sqlite:///{cellar.path}")


def _run_unprivileged(cellar: CellarFile, command: str) -> Result:
    return cavecron(*COMMANDS[command], prefix=unprivileged(), DATABASE_URL=f"sqlite:///{cellar.path}")


def _check_error(result: Result, message: str) -> None:
    assert result.code == 1
    lines = [line for line in (result.out + result.err).splitlines() if "Démarrage du job" not in line]
    assert len(lines) == 1, lines
    assert message in lines[0]
