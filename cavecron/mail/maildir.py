"""The outbox: a Maildir that mails are written to instead of being sent.

It offers what a mail server's transport offers, so that a job cannot tell them apart. A Maildir needs no
lock: a message is written under `tmp`, then moved to `new` (https://cr.yp.to/proto/maildir.html).
"""

from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile

from cavecron.atomic_file import PRIVATE, PRIVATE_FOLDER, make_folder, replacement
from cavecron.errors import reason
from cavecron.mail.errors import PermanentServerError
from cavecron.mail.models import Message


class MaildirTransport:
    """Writes messages into the Maildir at `path`, which `open` makes where it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        """Make the folders.

        Raises:
            PermanentServerError: they cannot be made, or nothing can be put into them.

        """
        try:
            for folder in ("tmp", "new", "cur"):
                make_folder(self._path / folder, mode=PRIVATE_FOLDER)
            with TemporaryFile(dir=self._path / "tmp"), TemporaryFile(dir=self._path / "new"):
                pass
        except OSError as error:
            raise self._trouble(error) from error

    def send(self, message: Message, address: str) -> None:
        """Write `message`; the same Message-ID for the same address takes the place of what was there.

        Raises:
            PermanentServerError: it cannot be written.

        """
        name = sha256(f"{message['Message-ID']}\0{address}".encode()).hexdigest()[:32] + ".cavecron"
        try:
            path, drafts = self._path / "new" / name, self._path / "tmp"
            with replacement(path, mode=PRIVATE, draft_folder=drafts) as file:
                file.write(bytes(message))
        except OSError as error:
            raise self._trouble(error) from error

    def close(self) -> None:
        """Do nothing: each message is complete once it is in `new`."""

    def _trouble(self, error: OSError) -> PermanentServerError:
        return PermanentServerError(
            f"CAVECRON_MAIL=maildir:{self._path} : impossible d'y écrire ({reason(error)})"
            " ; choisir un dossier où cavecron a le droit d'écrire"
        )
