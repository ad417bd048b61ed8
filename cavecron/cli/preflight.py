"""The checks of `cavecron check`: everything that a job needs.

Each has one CheckResult, in French. Nothing is sent except the test message of `--send-to`, and only the
record of that message is written into the database; the test of writing is rolled back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cavecron.appdb.recipients import RecipientList, recipients
from cavecron.appdb.reports import build_reports
from cavecron.appdb.smtp_settings import MailKeyError
from cavecron.appdb.tables import require
from cavecron.cli.backup_check import check_backups
from cavecron.cli.migration import changed_hour
from cavecron.cli.trial_mail import TrialMail
from cavecron.clock import Clock
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs import zone_files
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.jobs.mail_backend import MailBackend, mail_backend
from cavecron.ledger.store import Ledger
from cavecron.mail.message import check_address, check_sender
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.text import plain

#: The names of network file systems in mountinfo begin like this.
_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph", "afs", "davfs")
_SECURITIES = {"tls": "SSL/TLS", "starttls": "STARTTLS", "plain": "sans chiffrement"}
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check in French, with what to do if it failed; `ok` is None if it was skipped."""

    subject: str
    ok: bool | None
    message: str


def run_checks(
    settings: Settings, *, clock: Clock, mounts: str, send_to: str | None, patience: float = 30.0
) -> Iterator[CheckResult]:
    """Yield the results of all checks; `mounts` is the text of Linux' /proc/self/mountinfo, or ''.

    With `send_to`, a test message is sent to that address. `patience` is the seconds to wait for a lock of
    the database.
    """
    database = Database(settings.database, busy_timeout=patience)
    readable = None
    for result in _checks(settings, database, clock=clock, mounts=mounts, send_to=send_to):
        readable = result.ok if result.subject == "Base" else readable
        yield result
    yield _checked(
        "Sauvegarde", lambda: check_backups(settings, database, clock.now(), readable=readable is True)
    )


def _checks(
    settings: Settings, database: Database, *, clock: Clock, mounts: str, send_to: str | None
) -> Iterator[CheckResult]:
    """Yield the results of all checks except that of backups."""
    yield _configuration(settings)
    yield CheckResult(subject="Fuseaux", ok=True, message=str(zone_files.installed()))
    readable = _checked("Base", lambda: _readable(database))
    yield readable
    if not readable.ok:
        for subject in ("Écriture", "Tables", "Disque", "Clé", "Envoi", "Destinataires"):
            yield _skipped(subject, "la base n'a pu être lue")
        yield from _no_trial(send_to)
        return
    yield _checked("Écriture", lambda: _writable(database))
    complete = _checked("Tables", lambda: _complete(database))
    yield complete
    yield _checked("Disque", lambda: _local(database, mounts))
    if not complete.ok:
        for subject in ("Clé", "Envoi", "Destinataires"):
            yield _skipped(subject, "les tables ne sont pas là")
        yield from _no_trial(send_to)
        return
    yield from _mail(settings, database, clock, send_to)
    yield _checked("Destinataires", lambda: _recipients(database, settings, clock))
    if changed := changed_hour(database, settings.jobs[WEEKLY_REPORTS.name]):
        yield CheckResult(subject="Horaire", ok=True, message=changed)


def _checked(subject: str, check: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(subject=subject, ok=True, message=check())
    except CavecronError as error:
        return CheckResult(subject=subject, ok=False, message=str(error))


def _skipped(subject: str, why: str) -> CheckResult:
    return CheckResult(subject=subject, ok=None, message=f"pas vérifié : {why}")


def _no_trial(send_to: str | None) -> Iterator[CheckResult]:
    """Yield that the test message of `--send-to` was not sent; a result before gives the reason."""
    if send_to is not None:
        yield CheckResult(subject="Essai", ok=None, message="pas envoyé")


def _configuration(settings: Settings) -> CheckResult:
    # Problems of the key are reported in more detail by the check of the key.
    warnings = [warning for warning in settings.warnings if not warning.startswith("SMTP_ENCRYPTION_KEY")]
    if warnings:
        return CheckResult(subject="Configuration", ok=False, message=" ; ".join(warnings))
    where = f"le dossier {settings.maildir}" if settings.maildir else "le serveur SMTP de Cave à Vin"
    off = f", désactivés : {', '.join(settings.disabled)}" if settings.disabled else ""
    message = f"fuseau {settings.zone.key}, mails vers {where}{off}"
    return CheckResult(subject="Configuration", ok=True, message=message)


def _readable(database: Database) -> str:
    with database.reading() as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return f"{database.path} est lisible"


def _writable(database: Database) -> str:
    with database.session() as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE cavecron_check (tried)")  # the journal is written, and rolled back
        connection.execute("ROLLBACK")
    return "la base et son dossier sont accessibles en écriture"


def _complete(database: Database) -> str:
    with Ledger(database=database).reading():
        pass  # raises an error for a ledger of a later version, or one that somebody changed
    require(database)
    return "toutes les tables et colonnes sont là"


def _local(database: Database, mounts: str) -> str:
    kind = _file_system(database.path.resolve(), mounts)
    if not kind.startswith(_NETWORK):
        return f"local ({kind})" if kind else "système de fichiers inconnu"
    with database.reading() as connection:
        journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if journal == "wal":
        raise CavecronError(
            f"partage réseau ({kind}) et journal WAL : SQLite peut y perdre des données ; déplacer la base"
            " sur un disque local, ou remettre dans l'application PRAGMA journal_mode=DELETE"
        )
    return f"partage réseau ({kind}) : possible, si le serveur tient les verrous de fichiers"


def _file_system(path: Path, mounts: str) -> str:
    """Return the type of the file system of `path` (proc_pid_mountinfo(5)), '' if it is not known."""
    mount_point, kind = Path(), ""
    for line in mounts.splitlines():
        mount, _, file_system = line.partition(" - ")
        fields = mount.split()
        point = Path(fields[4].replace("\\040", " ")) if len(fields) > 4 else Path()
        if path.is_relative_to(point) and len(point.parts) >= len(mount_point.parts):
            mount_point, kind = point, file_system.partition(" ")[0]
    return kind


def _mail(settings: Settings, database: Database, clock: Clock, send_to: str | None) -> Iterator[CheckResult]:
    """Yield the results of the checks of mail; send the test message if they succeed."""
    backend, obstacle = None, ""
    try:
        backend = mail_backend(settings, database)
    except MailKeyError as error:
        obstacle = str(error)
        yield CheckResult(subject="Clé", ok=False, message=obstacle)
        yield _skipped("Envoi", "le mot de passe SMTP n'a pu être lu")
    except CavecronError as error:
        obstacle = str(error)
        yield _skipped("Clé", "aucune configuration SMTP utilisable")
        yield CheckResult(subject="Envoi", ok=False, message=obstacle)
    else:
        yield CheckResult(subject="Clé", ok=True, message=_key(backend))
        connected = _checked("Envoi", partial(_connected, backend))
        obstacle = "" if connected.ok else connected.message
        yield connected
    if send_to is not None:
        trial = TrialMail(backend=backend, database=database, clock=clock, zone=settings.zone)
        yield _trial(trial, send_to, obstacle)


def _key(backend: MailBackend) -> str:
    if backend.config is None or backend.config.password is None:
        return "pas nécessaire, aucun mot de passe à ouvrir"
    return "SMTP_ENCRYPTION_KEY ouvre le mot de passe enregistré"


def _connected(backend: MailBackend) -> str:
    check_sender(backend.sender)
    backend.probe()
    if backend.config is None:
        return "le dossier des mails est accessible en écriture"
    config = backend.config
    way = _SECURITIES[config.security]
    return f"{config.host}:{config.port} répond ({way}, {_login(config)}), rien n'a été envoyé"


def _login(config: SmtpConfig) -> str:
    if config.username is None:
        return "sans identification"
    if config.password is None:
        return f"sans identification, car {config.username} est sans mot de passe"
    return f"identifié comme {config.username}"


def _trial(trial: TrialMail, send_to: str, obstacle: str) -> CheckResult:
    """Send the test message unless there is an `obstacle`, and record its result in the database."""
    try:
        recipient = check_address(send_to)
    except CavecronError as error:  # nothing is recorded: the server is not concerned
        return CheckResult(subject="Essai", ok=False, message=str(error))
    if obstacle:
        result = CheckResult(subject="Essai", ok=None, message="pas envoyé")
    else:
        result = _checked("Essai", lambda: trial.send(recipient))
    failure = None if result.ok else obstacle or result.message
    try:
        trial.record(recipient, failure)
    except CavecronError as error:
        message = f"{result.message} ; mais la liste des mails de Cave à Vin n'a pu le noter : {error}"
        return CheckResult(subject="Essai", ok=False, message=message)
    return result


def _recipients(database: Database, settings: Settings, clock: Clock) -> str:
    """Build every report as a run does, check every address, and the list of excluded users."""
    audience = recipients(database, exclude=settings.report_exclude)
    counts = _counts(audience)
    if not audience.recipients and not audience.excluded:
        raise CavecronError(
            f"personne à qui écrire ({', '.join(counts[1:]) or 'aucun compte'}) ; saisir une adresse e-mail"
            " dans Cave à Vin"
        )
    refused = []
    for report in build_reports(database, audience.recipients, at=clock.now(), zone=settings.zone):
        try:
            check_address(report.user.email)
        except CavecronError as error:
            refused.append(f"{plain(report.user.username)} ({error})")
    if refused:
        more = f" ; et {len(refused) - _MOST_NAMED} autres" if len(refused) > _MOST_NAMED else ""
        raise CavecronError(" ; ".join(refused[:_MOST_NAMED]) + more)
    exclusions = audience.exclusions
    message = " ; ".join((", ".join(counts), *exclusions.warnings, *exclusions.notices))
    if exclusions.warnings:  # a user who is to be excluded gets a report
        raise CavecronError(message)
    return message


def _counts(audience: RecipientList) -> list[str]:
    """Return in French how many users get a report, and how many do not, and why."""
    count, excluded = len(audience.recipients), audience.excluded
    counts = [f"{count} rapport{'s' if count > 1 else ''} à envoyer"]
    if audience.without_address:
        counts.append(f"{audience.without_address} sans adresse")
    if excluded:
        counts.append(f"{excluded} exclu{'s' if excluded > 1 else ''}")
    return counts
