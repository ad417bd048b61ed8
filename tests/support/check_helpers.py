"""Mail servers as `cavecron check` is shown them: a configuration in a cellar, and what is said of it."""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

from cryptography.fernet import Fernet

from cavecron.cli import main as cli
from cavecron.cli.preflight import CheckResult, run_checks
from cavecron.clock import SystemClock
from cavecron.config.settings import Settings, load
from tests.support.app_database import CellarFile
from tests.support.commands import Result

KEY = Fernet.generate_key().decode()
WHERE = "dans Cave à Vin, Administration, Configuration SMTP"
#: What `cavecron check` looks at, in this order.
SUBJECTS = [
    "Configuration",
    "Fuseaux",
    "Base",
    "Écriture",
    "Tables",
    "Disque",
    "Clé",
    "Envoi",
    "Destinataires",
    "Sauvegarde",
]
#: The columns of a configuration that make its security.
SECURITY = {"plain": {}, "starttls": {"use_tls": 1}, "tls": {"use_ssl": 1}}
#: What Python and OpenSSL say, and a person never ought to read.
_ENGLISH = ("WRONG_VERSION", "SSL:", "_ssl.c", "verify", "Errno", "timed out", "Traceback", "None")


def locked(password: str) -> str:
    """Return the password as the application stores it."""
    return Fernet(KEY.encode()).encrypt(password.encode()).decode()


def examined(
    cellar: CellarFile, port: int, *arguments: str, ca_file: object = "", **columns: object
) -> Result:
    """Return what `cavecron check` says of a server; a step of the dialogue may last half a second."""
    cellar.user("marie")
    cellar.smtp(port, **{"timeout": 0.5, **columns})
    environ = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "SMTP_ENCRYPTION_KEY": KEY,
        "SMTP_CA_FILE": str(ca_file),
    }
    with redirect_stdout(io.StringIO()) as out:
        code = cli.main(["check", *arguments], environ)
    said = out.getvalue()
    assert [word for word in _ENGLISH if word in said] == []
    return Result(code=code, out=said, err="")


def line(result: Result, subject: str = "Envoi") -> str:
    """Return the one line on a subject, with its mark."""
    (found,) = [line for line in result.out.splitlines() if line[2:].startswith(f"{subject} : ")]
    return found


def sick(result: Result) -> str:
    """Return what is wrong with the mail server, after the name of it; exactly that line is bad."""
    assert result.code == 1
    assert result.out.count("✗") == 1
    mark, _, said = line(result).partition(" Envoi : serveur SMTP ")
    assert mark == "✗"
    return said.partition(" : ")[2]


def settings_of(cellar: CellarFile, **variables: str) -> Settings:
    """Return settings for a cellar, with the outbox beside it."""
    outbox = f"maildir:{cellar.path.parent / 'outbox'}"
    environ = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_MAIL": outbox, **variables}
    return load(environ, lambda path: Path(path).read_text())


def findings(cellar: CellarFile, *, mounts: str = "", **variables: str) -> Mapping[str, CheckResult]:
    """Return what is found, by its subject."""
    settings = settings_of(cellar, **variables)
    found = list(run_checks(settings, clock=SystemClock(), mounts=mounts, send_to=None))
    assert [finding.subject for finding in found] == SUBJECTS
    return {finding.subject: finding for finding in found}


def bad(found: Mapping[str, CheckResult]) -> str:
    """Return what the only bad finding says."""
    (only,) = [finding for finding in found.values() if finding.ok is False]
    return only.message
