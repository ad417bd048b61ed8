"""The configuration of a mail server. Pure: it does not know where that is stored."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Security = Literal["tls", "starttls", "plain"]

#: The first line of a certificate in PEM (RFC 7468, 2).
PEM_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
#: What the file that SMTP_CA_FILE names has to be.
CERTIFICATES_WANTED = (
    f"un fichier de certificats PEM ({PEM_CERTIFICATE}) est attendu ; convertir un certificat DER par"
    " « openssl x509 -inform der »"
)
CERTIFICATE_DAMAGED = (
    "un de ses certificats est abîmé ou coupé ; copier à nouveau chacun en entier, de BEGIN à END"
)
REGULAR_FILE_WANTED = "un fichier ordinaire de 1 Mo au plus est attendu"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """How to reach the mail server; `timeout` in seconds for each step.

    `security` is "tls" from the first byte, "starttls" (which must succeed) or "plain". There is a
    login exactly when neither `username` nor `password` is None.
    """

    id: int
    name: str
    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    security: Security
    sender_email: str
    sender_name: str
    timeout: float


def ca_file_problem(path: Path, why: str) -> str:
    """Return the sentence that `path`, the value of SMTP_CA_FILE, cannot be used, and why."""
    return f"SMTP_CA_FILE={str(path)!r} : {why}"


def unreadable(why: str) -> str:
    """Return in French that a file of certificates cannot be read, and why."""
    return f"fichier illisible ({why}) ; est-il monté dans le conteneur ?"
