"""Running `cavecron check` on a database with the configuration of a mail server."""

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


def encrypted(password: str) -> str:
    """Return the password as the application stores it."""
    return Fernet(KEY.encode()).encrypt(password.encode()).decode()


def check_server(
    cellar: CellarFile, port: int, *arguments: str, ca_file: object = "", **columns: object
) -> Result:
    """Return the output of `cavecron check` for a server; a step of the session may last half a second."""
    cellar.user("marie")
    cellar.smtp(port, **{"timeout": 0.5, **columns})
    environ = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "SMTP_ENCRYPTION_KEY": KEY,
        "SMTP_CA_FILE": str(ca_file),
    }
    with redirect_stdout(io.StringIO()) as out:
        code = cli.main(["check", *arguments], environ)
    output = out.getvalue()
    assert [word for word in _ENGLISH if word in output] == []
    return Result(code=code, out=output, err="")


def line(result: Result, subject: str = "Envoi") -> str:
    """Return the line of one subject, with its mark."""
    (only,) = [line for line in result.out.splitlines() if line[2:].startswith(f"{subject} : ")]
    return only


def problem_of(result: Result) -> str:
    """Return the problem of the mail server, without its name; no other check may fail."""
    assert result.code == 1
    assert result.out.count("✗") == 1
    mark, _, text = line(result).partition(" Envoi : serveur SMTP ")
    assert mark == "✗"
    return text.partition(" : ")[2]


def settings_of(cellar: CellarFile, **variables: str) -> Settings:
    """Return settings for a database, with a Maildir in the same folder."""
    outbox = f"maildir:{cellar.path.parent / 'outbox'}"
    environ = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_MAIL": outbox, **variables}
    return load(environ, lambda path: Path(path).read_text())


def findings(cellar: CellarFile, *, mounts: str = "", **variables: str) -> Mapping[str, CheckResult]:
    """Return the results of the checks by subject."""
    settings = settings_of(cellar, **variables)
    results = list(run_checks(settings, clock=SystemClock(), mounts=mounts, send_to=None))
    assert [finding.subject for finding in results] == SUBJECTS
    return {finding.subject: finding for finding in results}


def bad(results: Mapping[str, CheckResult]) -> str:
    """Return the message of the only check that failed."""
    (only,) = [finding for finding in results.values() if finding.ok is False]
    return only.message
