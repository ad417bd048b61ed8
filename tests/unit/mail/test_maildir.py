"""The Maildir transport: a folder of mails that any mail program opens."""

from email import message_from_bytes
from email.message import EmailMessage
from mailbox import Maildir
from pathlib import Path

import pytest

from cavecron.mail.errors import PermanentServerError
from cavecron.mail.maildir import MaildirTransport


def _message(identity: str, subject: str = "Bonjour") -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"] = identity
    message["Subject"] = subject
    return message


def test_a_mail_program_finds_the_messages(tmp_path: Path) -> None:
    """Python's own Maildir reader returns all messages, and no temporary file remains."""
    transport = MaildirTransport(tmp_path / "outbox")
    transport.open()
    transport.send(_message("<1@x>", "Un"), "a@example.org")
    transport.send(_message("<2@x>", "Deux"), "b@example.org")
    transport.close()
    maildir = Maildir(tmp_path / "outbox", factory=None)
    assert sorted(message["Subject"] for message in maildir) == ["Deux", "Un"]
    assert not list((tmp_path / "outbox" / "tmp").iterdir())


def test_a_message_with_the_same_id_replaces_the_first(tmp_path: Path) -> None:
    """A run that is resumed leaves one copy of a mail in the folder."""
    transport = MaildirTransport(tmp_path)
    transport.open()
    transport.send(_message("<1@x>", "First"), "a@example.org")
    transport.send(_message("<1@x>", "Second"), "a@example.org")
    (only,) = (tmp_path / "new").iterdir()
    assert message_from_bytes(only.read_bytes())["Subject"] == "Second"


def test_a_message_that_cannot_be_written_leaves_no_temporary_file(tmp_path: Path) -> None:
    """Otherwise each attempt would use more space of a full disk."""
    transport = MaildirTransport(tmp_path)
    transport.open()
    (tmp_path / "new").rmdir()
    with pytest.raises(PermanentServerError):
        transport.send(_message("<1@x>"), "a@example.org")
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("step", ["open", "send"])
def test_an_outbox_that_cannot_be_written_names_the_setting(tmp_path: Path, step: str) -> None:
    """If there is a file instead of the folder, or a folder is gone, the error names CAVECRON_MAIL."""
    transport = MaildirTransport(tmp_path / "outbox")
    if step == "send":
        transport.open()
        (tmp_path / "outbox" / "tmp").rmdir()
    else:
        (tmp_path / "outbox").write_text("")
    with pytest.raises(PermanentServerError, match="CAVECRON_MAIL=maildir:"):
        transport.open() if step == "open" else transport.send(_message("<1@x>"), "a@example.org")
