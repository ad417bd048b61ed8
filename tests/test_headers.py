"""Headers that are kept are those that Python's `email` makes."""

from email import policy
from email.headerregistry import Address
from email.message import EmailMessage

import pytest

from cavecron.mail.headers import SMTP, SMTPUTF8

_NAMES = (
    "",
    "Cave à Vin",
    "Vin, Cave & Cie",
    'dite "la cave"',
    "Très long " * 15,
    "=?utf-8?q?cave?=",
    "🍷",
    " a ",
)


def _mail(chosen: policy.EmailPolicy, name: str, address: str) -> bytes:
    message = EmailMessage(policy=chosen)
    local, _, domain = address.rpartition("@")
    message["From"] = Address(display_name=name, username=local, domain=domain)
    message["To"] = address
    message["Subject"] = f"🍷 {name}"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content("texte\n")
    message.add_alternative("<p>page</p>\n", subtype="html")
    message.set_boundary("----")
    return message.as_bytes()


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize(
    ("ours", "theirs", "address"),
    [(SMTP, policy.SMTP, "marie@example.org"), (SMTPUTF8, policy.SMTPUTF8, "zoé@exämple.org")],
    ids=["SMTP", "SMTPUTF8"],
)
def test_a_mail_is_the_same_as_without(
    ours: policy.EmailPolicy, theirs: policy.EmailPolicy, address: str, name: str
) -> None:
    """The first time, when everything is made, and the second, when it is there."""
    expected = _mail(theirs, name, address)
    assert [_mail(ours, name, address) for _ in range(2)] == [expected] * 2


def test_what_mails_share_is_made_once() -> None:
    """That is what they are kept for."""
    first, second = EmailMessage(policy=SMTP), EmailMessage(policy=SMTP)
    for message in (first, second):
        message["Subject"] = "Rapport"
    assert first["Subject"] is second["Subject"]
