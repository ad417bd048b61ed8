"""`cavecron check`: it tells whether the jobs would work, with one line for each check."""

from collections.abc import Mapping

import pytest
from cryptography.fernet import Fernet

from cavecron.cli import main as cli
from tests.support.app_database import CellarFile
from tests.support.check_helpers import KEY, SUBJECTS, bad, encrypted, findings
from tests.support.commands import cavecron, unprivileged
from tests.support.fake_smtp.server import FakeSmtpServer


@pytest.fixture
def ready(cellar: CellarFile) -> CellarFile:
    """Return a database with a user to write to; mails go to a folder beside it."""
    cellar.user("marie")
    return cellar


def test_all_is_well(ready: CellarFile) -> None:
    """Each check has a line with a check mark, the exit code is 0, and nothing is written or sent."""
    ready.user("paul", None)
    before = ready.path.read_bytes()
    outbox = ready.path.parent / "outbox"
    result = cavecron("check", DATABASE_URL=f"sqlite:///{ready.path}", CAVECRON_MAIL=f"maildir:{outbox}")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert [line.partition(" : ")[0] for line in lines] == [f"✓ {subject}" for subject in SUBJECTS]
    assert lines[0] == f"✓ Configuration : fuseau Europe/Paris, mails vers le dossier {outbox}"
    assert lines[2] == f"✓ Base : {ready.path} est lisible"
    assert lines[-2] == "✓ Destinataires : 1 rapport à envoyer, 1 sans adresse"
    assert ready.path.read_bytes() == before
    assert not list((outbox / "new").iterdir())


def test_the_mail_server_is_named(ready: CellarFile) -> None:
    """The configuration's line says that mails go to the application's SMTP server."""
    results = findings(ready, CAVECRON_MAIL="")
    assert results["Configuration"].message == "fuseau Europe/Paris, mails vers le serveur SMTP de Cave à Vin"


def test_a_job_that_is_disabled_is_named(ready: CellarFile) -> None:
    """Disabled jobs are listed, because they may be the reason why no mail comes."""
    results = findings(ready, SCHEDULER_WEEKLY_REPORT_ENABLED="off", SCHEDULER_CLEANUP_ENABLED="0")
    assert results["Configuration"].message.endswith(", désactivés : weekly_reports, cleanup")


def test_all_problems_of_a_configuration_are_listed() -> None:
    """Each problem has its own line, the exit code is 2, and no other check is made."""
    result = cavecron("check", DATABASE_URL="mysql://x", SCHEDULER_TIMEZONE="Paris", CAVECRON_MAIL="pigeon")
    assert result.code == 2
    lines = result.out.splitlines()
    assert [line.partition(" : ")[0] for line in lines] == ["✗ Configuration"] * 3
    assert "SCHEDULER_TIMEZONE='Paris' : un fuseau IANA est attendu" in lines[0] + lines[1] + lines[2]


def test_a_misspelt_variable_is_a_warning(ready: CellarFile) -> None:
    """An unknown variable is reported with the nearest right name, because it has no effect."""
    message = bad(findings(ready, SCHEDULER_CLEANUP_HUOR="4"))
    assert (
        message
        == "Variable inconnue, ignorée : SCHEDULER_CLEANUP_HUOR (vouliez-vous dire SCHEDULER_CLEANUP_HOUR ?)"
    )


def test_a_terminal_without_check_marks_gets_ascii_ones() -> None:
    """Where the terminal's encoding lacks ✓ and ✗, ASCII marks still tell good from bad."""
    result = cavecron(
        "check", encoding="latin-1", DATABASE_URL="sqlite:////absent.db", PYTHONIOENCODING="latin-1"
    )
    assert "[ok] Configuration : " in result.out
    assert "[!!] Base : base introuvable : /absent.db" in result.out
    assert "[--] Écriture : pas vérifié" in result.out


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("", "SMTP_ENCRYPTION_KEY n'est pas définie ; lui donner la même valeur que dans Cave à Vin"),
        ("abc", "SMTP_ENCRYPTION_KEY : ce n'est pas une clé Fernet"),
        (Fernet.generate_key().decode(), "SMTP_ENCRYPTION_KEY n'ouvre pas le mot de passe enregistré"),
    ],
    ids=["none", "malformed", "another"],
)
def test_a_wrong_key_fails_the_check(ready: CellarFile, keys: str, message: str) -> None:
    """The problem of the key is named, and no connection without a login is attempted."""
    with FakeSmtpServer() as server:
        ready.smtp(server.port, username="marie", password_encrypted=encrypted("sésame"))
        results = findings(ready, CAVECRON_MAIL="smtp", SMTP_ENCRYPTION_KEY=keys)
    assert message in bad(results)
    assert results["Envoi"].message == "pas vérifié : le mot de passe SMTP n'a pu être lu"
    assert server.connections == 0


def test_the_right_key_passes_the_check(ready: CellarFile) -> None:
    """It is enough that one of several comma-separated keys opens the password."""
    with FakeSmtpServer(login=("marie", "sésame")) as server:
        ready.smtp(server.port, username="marie", password_encrypted=encrypted("sésame"))
        keys = f"{Fernet.generate_key().decode()},{KEY}"
        results = findings(ready, CAVECRON_MAIL="smtp", SMTP_ENCRYPTION_KEY=keys)
    assert results["Clé"].message == "SMTP_ENCRYPTION_KEY ouvre le mot de passe enregistré"
    assert results["Envoi"].ok


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"is_active": 0},
            "aucune configuration SMTP active : en créer une, ou en activer une, dans",
        ),
        ({"port": 0}, "configuration SMTP 'maison' : port 0, un nombre de 1 à 65535 est attendu"),
        ({"host": " "}, "configuration SMTP 'maison' : il manque le nom du serveur"),
        (
            {"sender_email": "ma cave"},
            "Adresse 'ma cave' : une seule adresse de la forme nom@domaine est",
        ),
        ({"sender_name": "a\nb"}, "Nom d'expéditeur 'a\\nb' : une seule ligne de 200 caractères au plus"),
    ],
    ids=["inactive", "port", "host", "sender", "sender's name"],
)
def test_an_unusable_mail_configuration_fails_the_check(
    ready: CellarFile, columns: Mapping[str, object], message: str
) -> None:
    """The message names the wrong setting, or the page on which to enter one."""
    with FakeSmtpServer() as server:
        ready.smtp(**{"port": server.port, **columns})
        assert message in bad(findings(ready, CAVECRON_MAIL="smtp"))


@pytest.mark.parametrize("place", ["", "tmp", "new"])
def test_a_maildir_that_cannot_be_written_fails_the_check(ready: CellarFile, place: str) -> None:
    """The Maildir itself, or a folder in it, is read-only."""
    outbox = ready.path.parent / "outbox"
    for folder in ("tmp", "new", "cur") if place else ():
        (outbox / folder).mkdir(parents=True)
    outbox.mkdir(exist_ok=True)
    (outbox / place).chmod(0o555)
    result = cavecron(
        *("check", "--send-to", "moi@example.org"),
        prefix=unprivileged(),
        DATABASE_URL=f"sqlite:///{ready.path}",
        CAVECRON_MAIL=f"maildir:{outbox}",
    )
    assert result.code == 1
    reason = "impossible d'y écrire (accès refusé) ; choisir un dossier où cavecron a le droit d'écrire"
    assert f"✗ Envoi : CAVECRON_MAIL=maildir:{outbox} : {reason}\n" in result.out


def test_the_test_message_goes_to_the_outbox_too(ready: CellarFile) -> None:
    """With a Maildir, `--send-to` writes its message there, as reports are."""
    outbox = ready.path.parent / "outbox"
    environ = {"DATABASE_URL": f"sqlite:///{ready.path}", "CAVECRON_MAIL": f"maildir:{outbox}"}
    assert cli.main(["check", "--send-to", "moi@example.org"], environ) == 0
    (mail,) = (outbox / "new").iterdir()
    assert "To: moi@example.org" in mail.read_text().splitlines()


@pytest.mark.parametrize("path", ["absente.db", "vide.db"], ids=["no database", "no tables"])
def test_a_test_message_that_is_not_sent_has_a_line(
    ready: CellarFile, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    """If an earlier check fails, a line says that the test message was not sent."""
    ready.path.with_name("vide.db").touch()
    environ = {"DATABASE_URL": f"sqlite:///{ready.path.with_name(path)}"}
    assert cli.main(["check", "--send-to", "moi@example.org"], environ) == 1
    assert "\n– Essai : pas envoyé\n" in capsys.readouterr().out


def test_an_invalid_address_is_refused_for_the_outbox_too(
    ready: CellarFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid address of `--send-to` is refused, although no server is there to do it."""
    outbox = ready.path.parent / "outbox"
    environ = {"DATABASE_URL": f"sqlite:///{ready.path}", "CAVECRON_MAIL": f"maildir:{outbox}"}
    assert cli.main(["check", "--send-to", "moi, toi@example.org"], environ) == 1
    assert "✗ Essai : " in capsys.readouterr().out
    assert not list((outbox / "new").iterdir())


def test_invalid_addresses_are_listed_with_their_users(ready: CellarFile) -> None:
    """The first five are listed, then a count; control characters of a user name are removed."""
    for number in range(7):
        ready.user(f"user{number}\x1b[2J", f"a{number}@b, c@d")
    message = bad(findings(ready))
    assert message.startswith(
        "user0 [2J (Adresse 'a0@b, c@d' : une seule adresse de la forme nom@domaine est attendue"
    )
    assert message.count("Adresse") == 5
    assert message.endswith(" ; et 2 autres")
    assert "\x1b" not in message


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ((), "personne à qui écrire (aucun compte) ; saisir une adresse e-mail dans Cave à Vin"),
        (("paul",), "personne à qui écrire (1 sans adresse) ; saisir une adresse e-mail dans Cave à Vin"),
    ],
)
def test_no_recipient_at_all_fails_the_check(
    cellar: CellarFile, users: tuple[str, ...], message: str
) -> None:
    """It is a failed check, because a run would succeed although nobody gets a report."""
    for name in users:
        cellar.user(name, None)
    assert bad(findings(cellar)) == message


@pytest.mark.parametrize(
    ("exclude", "ok", "message"),
    [
        ("marie", True, "2 rapports à envoyer, 1 sans adresse, 1 exclu"),
        ("marie, 2", True, "1 rapport à envoyer, 1 sans adresse, 2 exclus"),
        ("marie,luc,zoé,robert", True, "0 rapport à envoyer, 4 exclus"),
        (
            "lucas",
            True,
            "3 rapports à envoyer, 1 sans adresse ; SCHEDULER_WEEKLY_REPORT_EXCLUDE : 'lucas' est un"
            " sous-compte, sans rapport de toute façon",
        ),
        (
            "mraie",
            False,
            "3 rapports à envoyer, 1 sans adresse ; SCHEDULER_WEEKLY_REPORT_EXCLUDE : utilisateur inconnu"
            " 'mraie' (vouliez-vous dire 'marie' ?)",
        ),
    ],
    ids=["one", "two", "everybody", "a sub-account", "a misspelt one"],
)
def test_whoever_is_excluded_is_counted(ready: CellarFile, exclude: str, message: str, *, ok: bool) -> None:
    """Excluded users are counted; an unknown name is a failed check, because that user would get a report."""
    for name in ("luc", "zoé"):
        ready.user(name)
    ready.user("robert", None)
    ready.user("lucas", parent=1)
    check = findings(ready, SCHEDULER_WEEKLY_REPORT_EXCLUDE=exclude)["Destinataires"]
    assert (check.ok, check.message) == (ok, message)
