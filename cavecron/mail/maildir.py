"""A transport that writes mails into a Maildir instead of sending them.

A Maildir needs no lock: a message is written into `tmp`, then moved to `new`
(https://cr.yp.to/proto/maildir.html).
"""

from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile

from cavecron.atomic_file import PRIVATE, PRIVATE_FOLDER, make_folder, replacement
from cavecron.errors import reason
from cavecron.mail.errors import PermanentServerError
from cavecron.mail.models import Message


class MaildirTransport:
    """Writes messages into the Maildir at `path`, which `open` creates if it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        """Create the folders that are missing.

        Raises:
            PermanentServerError: they cannot be created, or not be written to.

        """
        try:
            for folder in ("tmp", "new", "cur"):
                make_folder(self._path / folder, mode=PRIVATE_FOLDER)
            with TemporaryFile(dir=self._path / "tmp"), TemporaryFile(dir=self._path / "new"):
                pass
        except OSError as error:
            raise self._as_server_error(error) from error

    def send(self, message: Message, address: str) -> None:
        """Write `message`; it replaces a message with the same Message-ID for the same address.

        Raises:
            PermanentServerError: it cannot be written.

        """
        name = sha256(f"{message['Message-ID']}\0{address}".encode()).hexdigest()[:32] + ".cavecron"
        try:
            path, drafts = self._path / "new" / name, self._path / "tmp"
            with replacement(path, mode=PRIVATE, draft_folder=drafts) as file:
                file.write(bytes(message))
        except OSError as error:
            raise self._as_server_error(error) from error

    def close(self) -> None:
        """Do nothing: each message is complete once it is in `new`."""

    def _as_server_error(self, error: OSError) -> PermanentServerError:
        return PermanentServerError(
            f"CAVECRON_MAIL=maildir:{self._path} : impossible d'y écrire ({reason(error)})"
            " ; choisir un dossier où cavecron a le droit d'écrire"
        )
