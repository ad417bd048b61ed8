"""The certificate authorities that are trusted: the system's, and those in the file SMTP_CA_FILE.

Its errors are about that file; `diagnosis` explains those of a certificate.
"""

import os
import ssl
from pathlib import Path
from stat import S_ISREG

from cavecron.errors import reason
from cavecron.mail.errors import PermanentServerError
from cavecron.mail.smtp.config import (
    CERTIFICATE_DAMAGED,
    CERTIFICATES_WANTED,
    PEM_CERTIFICATE,
    REGULAR_FILE_WANTED,
    ca_file_problem,
    unreadable,
)

#: Bytes; a system's bundle of certificates is a quarter of that.
_MOST_BYTES = 1_000_000


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a TLS context for clients; `ca_file` is a PEM file with additional authorities.

    With it, certificates are checked as by every Python before 3.13, without requiring all extensions of
    RFC 5280, which home-made authorities often lack. An authority in the file can be an intermediate one, or
    the server's own certificate.

    Raises:
        PermanentServerError: the file cannot be used.

    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cadata=_certificates(ca_file))
        except ssl.SSLError as error:  # what is between BEGIN and END is not a certificate
            raise _problem(ca_file, CERTIFICATE_DAMAGED) from error
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _certificates(path: Path) -> str:
    """Return the ASCII text of the file; other letters are in comments only, and are left out."""
    try:
        status = os.stat(path)  # before it is opened: a pipe would block, a device could do anything
        if not S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            raise _problem(path, REGULAR_FILE_WANTED)
        text = path.read_bytes().decode("ascii", "ignore")
    except OSError as error:
        raise _problem(path, unreadable(reason(error))) from error
    if PEM_CERTIFICATE not in text:
        raise _problem(path, CERTIFICATES_WANTED)
    return text


def _problem(path: Path, why: str) -> PermanentServerError:
    return PermanentServerError(ca_file_problem(path, why))
