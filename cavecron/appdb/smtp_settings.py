"""The mail server from the application's admin pages, with its decrypted password.

The rules are in appdb/README.md, SMTP. It opens no connection to that server, and no error message contains a
key or a password.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cavecron.database.sqlite import Database
from cavecron.database.timestamps import utc_text
from cavecron.errors import CavecronError
from cavecron.lazy import lazy_module
from cavecron.mail.smtp.config import Security, SmtpConfig

if TYPE_CHECKING:
    from cryptography import fernet
else:
    fernet = lazy_module("cryptography.fernet")  # slow to load, and only for a password

#: Seconds for each step, if the stored time limit is not a positive number.
_DEFAULT_TIMEOUT = 30.0
_WHERE = "Cave à Vin, Administration, Configuration SMTP"

# The active default, else the first active one by id.
_ACTIVE = """
    SELECT id, name, host, port, username, password_encrypted, use_tls, use_ssl,
           sender_email, sender_name, timeout
    FROM smtp_config WHERE is_active = 1 ORDER BY is_default = 1 DESC, id LIMIT 1"""


class MailKeyError(CavecronError):
    """The key is missing or malformed, or the password was encrypted with another one."""


def active(database: Database, keys: Sequence[str]) -> SmtpConfig:
    """Return the configuration for sending mails; each of `keys`, which are Fernet keys, is tried.

    Raises:
        MailKeyError: its password cannot be decrypted.
        CavecronError: no configuration is active, or it has an invalid value.

    """
    with database.reading() as connection:
        cursor = connection.execute(_ACTIVE)
        names = [column[0] for column in cursor.description]
        values = cursor.fetchone()
    if values is None:
        raise CavecronError(
            f"aucune configuration SMTP active : en créer une, ou en activer une, dans {_WHERE}"
        )
    row = dict(zip(names, values, strict=True))
    return SmtpConfig(
        id=row["id"],
        name=str(row["name"]),
        host=_required_text(row, "host", "le nom du serveur"),
        port=_port(row),
        username=str(row["username"] or "") or None,
        password=_password(row, keys),
        security=_security(row),
        sender_email=_required_text(row, "sender_email", "l'adresse de l'expéditeur"),
        sender_name=str(row["sender_name"] or ""),
        timeout=_timeout(row["timeout"]),
    )


def active_id(database: Database) -> int | None:
    """Return the id of the configuration that `active` reads, valid or not; None if none is active."""
    with database.reading() as connection:
        row = connection.execute(_ACTIVE).fetchone()
    return row[0] if row else None


def record_test(connection: sqlite3.Connection, config: int, *, at: datetime, error: str | None) -> None:
    """Store the result of a test message at `at` (aware), as the application's own test does.

    `error` is None for success. Columns that an older release of the application lacks are not written.
    """
    test = {
        "last_test_at": utc_text(at),
        "last_test_success": int(error is None),
        "last_test_error": error,
    }
    stored = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info('smtp_config')")}
    columns = [f"{name} = :{name}" for name in test if name in stored]
    if columns:
        statement = f"UPDATE smtp_config SET {', '.join(columns)} WHERE id = :id"  # noqa: S608 - constants
        connection.execute(statement, {**test, "id": config})


def _required_text(row: Mapping[str, object], column: str, label: str) -> str:
    stored = row[column]
    if not isinstance(stored, str) or not stored.strip():
        raise CavecronError(
            f"configuration SMTP {row['name']!r} : il manque {label} ; l'enregistrer dans {_WHERE}"
        )
    return stored.strip()


def _security(row: Mapping[str, object]) -> Security:
    if row["use_ssl"]:
        return "tls"
    return "starttls" if row["use_tls"] else "plain"


def _port(row: Mapping[str, object]) -> int:
    port = row["port"]
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise CavecronError(
            f"configuration SMTP {row['name']!r} : port {port!r}, un nombre de 1 à 65535 est attendu"
            f" ; le corriger dans {_WHERE}"
        )
    return port


def _timeout(seconds: object) -> float:
    # The column can contain any type; a limit of zero would make every socket non-blocking.
    if isinstance(seconds, int | float) and seconds > 0:
        return float(seconds)
    return _DEFAULT_TIMEOUT


def _password(row: Mapping[str, object], keys: Sequence[str]) -> str | None:
    """Return the decrypted password, None if none is stored."""
    token, name = row["password_encrypted"], row["name"]
    if not token:
        return None
    if not keys:
        raise MailKeyError(
            f"configuration SMTP {name!r} : son mot de passe est chiffré et SMTP_ENCRYPTION_KEY n'est pas"
            " définie ; lui donner la même valeur que dans Cave à Vin"
        )
    return _decrypt(str(token), str(name), keys) or None


def _decrypt(token: str, name: str, keys: Sequence[str]) -> str:
    fernets = []
    for position, key in enumerate(keys, start=1):
        try:
            fernets.append(fernet.Fernet(key.encode()))
        except ValueError:
            raise MailKeyError(_malformed(position, len(keys))) from None
    try:
        return fernet.MultiFernet(fernets).decrypt(token.encode()).decode()
    except (fernet.InvalidToken, ValueError):
        raise MailKeyError(
            f"configuration SMTP {name!r} : SMTP_ENCRYPTION_KEY n'ouvre pas le mot de passe enregistré"
            " ; donner la clé avec laquelle Cave à Vin l'a chiffré (plusieurs : séparées par des virgules),"
            f" ou saisir à nouveau le mot de passe dans {_WHERE}"
        ) from None


def _malformed(position: int, count: int) -> str:
    which = "" if count == 1 else f" (clé n° {position} sur {count})"
    return (
        f"SMTP_ENCRYPTION_KEY{which} : ce n'est pas une clé Fernet, 32 octets en base64 url-safe"
        " (44 caractères) sont attendus ; recopier celle de Cave à Vin sans guillemets ni coupure"
    )
