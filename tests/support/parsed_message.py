"""Parsing a message as a mail program does."""

from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from typing import cast

from cavecron.mail.message import Mail


def parsed_message(message: Message | Mail) -> EmailMessage:
    """Return the parsed message, which has to be without a defect."""
    parsed = message_from_bytes(bytes(message), policy=default)
    assert not parsed.defects
    return parsed


def content(part: Message) -> str:
    """Return the text of a part, its transfer encoding undone, with plain line ends."""
    return cast(str, cast(EmailMessage, part).get_content()).replace("\r\n", "\n")
