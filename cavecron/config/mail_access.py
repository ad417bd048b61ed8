"""What a mail server may need and that cannot work as it is: keys, and a file of certificates. Pure."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cavecron.config.parsing import InvalidValueError, is_fernet_key
from cavecron.errors import reason
from cavecron.mail.smtp.config import (
    CERTIFICATES_WANTED,
    PEM_CERTIFICATE,
    REGULAR_FILE_WANTED,
    ca_file_problem,
    unreadable,
)


def mail_access_problems(
    keys: Sequence[str], ca_file: Path | None, read_file: Callable[[str], str]
) -> Iterator[str]:
    """Yield a sentence for each Fernet key that is none, and one for a file of no certificates.

    `read_file` is EnvReader's. They are no errors: the mail server may need neither.
    """
    for position, key in enumerate(keys, start=1):
        if not is_fernet_key(key):
            which = f" (clé n° {position} sur {len(keys)})" if len(keys) > 1 else ""
            yield f"SMTP_ENCRYPTION_KEY{which} : une clé Fernet, 32 octets en base64 url-safe, est attendue"
    if ca_file is not None and (problem := _problem_of(ca_file, read_file)):
        yield ca_file_problem(ca_file, problem)


def _problem_of(ca_file: Path, read_file: Callable[[str], str]) -> str:
    """Return what is wrong with a file of certificates, '' for nothing."""
    try:
        text = read_file(str(ca_file))
    except OSError as error:
        return unreadable(reason(error))
    except InvalidValueError:
        return REGULAR_FILE_WANTED
    except (
        ValueError
    ):  # another encoding than UTF-8: DER, or notes beside the certificates, which do not matter
        return ""
    return "" if PEM_CERTIFICATE in text else CERTIFICATES_WANTED
