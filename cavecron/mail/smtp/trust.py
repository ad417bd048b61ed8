"""Whom a mail server's certificate is trusted by: the system's authorities, and those in one file.

Its errors are about that file. What is wrong with a certificate is told by `diagnosis`.
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

#: Octets; a system's bundle of certificates has a quarter of that.
_MOST = 1_000_000


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return how to encrypt, and to check a certificate; `ca_file` adds the authorities in a PEM file.

    An authority that the owner of this machine named is taken as every Python before 3.13 takes it, without
    the extensions that RFC 5280 wants of one: home-made ones often lack them. It may be an intermediate one,
    or the server's own certificate.

    Raises:
        PermanentServerError: the file cannot be used.

    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cadata=_certificates(ca_file))
        except ssl.SSLError as error:  # what stands between the lines is no certificate
            raise _problem(ca_file, CERTIFICATE_DAMAGED) from error
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _certificates(path: Path) -> str:
    """Return the text of the file without what is not ASCII: names that somebody noted beside."""
    try:
        status = os.stat(path)  # before it is opened: a pipe would have us wait, a device could do anything
        if not S_ISREG(status.st_mode) or status.st_size > _MOST:
            raise _problem(path, REGULAR_FILE_WANTED)
        text = path.read_bytes().decode("ascii", "ignore")
    except OSError as error:
        raise _problem(path, unreadable(reason(error))) from error
    if PEM_CERTIFICATE not in text:
        raise _problem(path, CERTIFICATES_WANTED)
    return text


def _problem(path: Path, why: str) -> PermanentServerError:
    return PermanentServerError(ca_file_problem(path, why))
