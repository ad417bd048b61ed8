"""What `cavecron check` looks at: everything that has to be right before a job can work.

Each look is one Finding, in French. Nothing is sent, save the test message that is asked for, and what
is written into the database is undone at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cavecron.appdb.reports import build_reports, recipients
from cavecron.appdb.smtp_settings import MailKeyError
from cavecron.appdb.tables import require
from cavecron.clock import Clock
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.mail_backend import Post, post_of
from cavecron.ledger.store import Ledger
from cavecron.mail.message import check_address, check_sender, trial_message
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.transport import Transport
from cavecron.text import plain

#: How mountinfo's names of file systems begin that lie on another machine.
_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph", "afs", "davfs")
_SECURITIES = {"tls": "SSL/TLS", "starttls": "STARTTLS", "plain": "sans chiffrement"}
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `ok` is None where there was no point in looking.

    `said` is what was found, or what is wrong and what to do.
    """

    subject: str
    ok: bool | None
    said: str


def examine(
    settings: Settings, *, clock: Clock, mounts: str, send_to: str | None, patience: float = 30.0
) -> Iterator[Finding]:
    """Look at everything in turn; `mounts` is the text of Linux' /proc/self/mountinfo, or blank.

    With `send_to`, one test message goes to that address. `patience` is how many seconds a lock of the
    database is waited for.
    """
    database = Database(settings.database, busy_timeout=patience)
    yield _configuration(settings)
    readable = _look("Base", lambda: _readable(database))
    yield readable
    if not readable.ok:
        for subject in ("Écriture", "Tables", "Disque", "Clé", "Envoi", "Destinataires"):
            yield _skipped(subject, "la base n'a pu être lue")
        return
    yield _look("Écriture", lambda: _writable(database))
    complete = _look("Tables", lambda: _complete(database))
    yield complete
    yield _look("Disque", lambda: _local(database, mounts))
    if not complete.ok:
        for subject in ("Clé", "Envoi", "Destinataires"):
            yield _skipped(subject, "les tables ne sont pas là")
        return
    yield from _post(settings, database, clock, send_to)
    yield _look("Destinataires", lambda: _recipients(database, settings, clock))


def _look(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject=subject, ok=True, said=look())
    except CavecronError as error:
        return Finding(subject=subject, ok=False, said=str(error))


def _skipped(subject: str, why: str) -> Finding:
    return Finding(subject=subject, ok=None, said=f"pas vérifié : {why}")


def _configuration(settings: Settings) -> Finding:
    # What is wrong with the key is told by the look at the key, in more words.
    warnings = [warning for warning in settings.warnings if not warning.startswith("SMTP_ENCRYPTION_KEY")]
    if warnings:
        return Finding(subject="Configuration", ok=False, said=" ; ".join(warnings))
    where = f"le dossier {settings.outbox}" if settings.outbox else "le serveur SMTP de Cave à Vin"
    disabled = [name for name, job in settings.jobs.items() if not job.enabled]
    off = f", désactivés : {', '.join(disabled)}" if disabled else ""
    said = f"fuseau {settings.zone.key}, mails vers {where}{off}"
    return Finding(subject="Configuration", ok=True, said=said)


def _readable(database: Database) -> str:
    with database.reading() as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return f"{database.path} est lisible"


def _writable(database: Database) -> str:
    with database.session() as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE cavecron_check (tried)")  # writes the journal, and then nothing else
        connection.execute("ROLLBACK")
    return "la base et son dossier sont accessibles en écriture"


def _complete(database: Database) -> str:
    with Ledger(database=database).reading():
        pass  # a ledger of a later version, or one that somebody changed, is refused
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
    """Return the type of the file system that holds `path` (proc_pid_mountinfo(5)), '' if not known."""
    found = (Path(), "")
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        point = Path(fields[4].replace("\\040", " ")) if len(fields) > 4 else Path()
        if path.is_relative_to(point) and len(point.parts) >= len(found[0].parts):
            found = (point, right.partition(" ")[0])
    return found[1]


def _post(settings: Settings, database: Database, clock: Clock, send_to: str | None) -> Iterator[Finding]:
    try:
        post = post_of(settings, database)
    except MailKeyError as error:
        yield Finding(subject="Clé", ok=False, said=str(error))
        yield _skipped("Envoi", "le mot de passe SMTP n'a pu être lu")
        return
    except CavecronError as error:
        yield _skipped("Clé", "aucune configuration SMTP utilisable")
        yield Finding(subject="Envoi", ok=False, said=str(error))
        return
    yield Finding(subject="Clé", ok=True, said=_key(post))
    transport = post.connect()
    yield _look("Envoi", lambda: _connected(post, transport))
    if send_to is not None:
        yield _look("Essai", lambda: _sent(post, transport, send_to, clock.now().astimezone(settings.zone)))
    transport.close()


def _key(post: Post) -> str:
    if post.config is None or post.config.password is None:
        return "pas nécessaire, aucun mot de passe à ouvrir"
    return "SMTP_ENCRYPTION_KEY ouvre le mot de passe enregistré"


def _connected(post: Post, transport: Transport) -> str:
    check_sender(post.sender)
    transport.open()
    if post.config is None:
        return "le dossier des mails est accessible en écriture"
    config = post.config
    way = _SECURITIES[config.security]
    return f"{config.host}:{config.port} répond ({way}, {_login(config)}), rien n'a été envoyé"


def _login(config: SmtpConfig) -> str:
    if config.username is None:
        return "sans identification"
    if config.password is None:
        return f"sans identification, car {config.username} est sans mot de passe"
    return f"identifié comme {config.username}"


def _sent(post: Post, transport: Transport, address: str, at: datetime) -> str:
    recipient = check_address(address)
    message = trial_message(recipient, post.sender, at)
    transport.send(message, recipient)
    return f"un message d'essai est parti vers {recipient}"


def _recipients(database: Database, settings: Settings, clock: Clock) -> str:
    """Build every report as a run would, and check every address."""
    audience = recipients(database)
    missing = f"{audience.without_address} sans adresse" if audience.without_address else ""
    if not audience.recipients:
        raise CavecronError(
            f"personne à qui écrire ({missing or 'aucun compte'}) ; saisir une adresse e-mail dans Cave à Vin"
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
    count = len(audience.recipients)
    return f"{count} rapport{'s' if count > 1 else ''} à envoyer" + (missing and f", {missing}")
