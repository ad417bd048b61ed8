"""Problems of settings that only some mail servers need: Fernet keys, and a file of certificates. Pure."""

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


def problems(keys: Sequence[str], ca_file: Path | None, read_file: Callable[[str], str]) -> Iterator[str]:
    """Yield a sentence for each malformed Fernet key, and one if `ca_file` cannot be used.

    They are warnings, because the mail server may need neither. `read_file` is that of EnvReader.
    """
    for position, key in enumerate(keys, start=1):
        if not is_fernet_key(key):
            which = f" (clé n° {position} sur {len(keys)})" if len(keys) > 1 else ""
            yield f"SMTP_ENCRYPTION_KEY{which} : une clé Fernet, 32 octets en base64 url-safe, est attendue"
    if ca_file is not None and (problem := _problem_of(ca_file, read_file)):
        yield ca_file_problem(ca_file, problem)


def _problem_of(ca_file: Path, read_file: Callable[[str], str]) -> str:
    """Return the problem of a file of certificates, '' for none."""
    try:
        text = read_file(str(ca_file))
    except OSError as error:
        return unreadable(reason(error))
    except InvalidValueError:
        return REGULAR_FILE_WANTED
    except ValueError:  # not UTF-8: DER, which the mail server's connection reports, or a comment
        return ""
    return "" if PEM_CERTIFICATE in text else CERTIFICATES_WANTED
