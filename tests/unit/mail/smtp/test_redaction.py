"""Replies that repeat our secrets are quoted without them, at every step; other words are kept."""

from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest

from cavecron.mail.smtp.diagnosis import explain, quoted_reply
from cavecron.mail.smtp.errors import RefusedError, Step
from cavecron.mail.smtp.probe import Protocol
from tests.support.smtp_configs import remote_config

_PLAIN = b64encode(b"\0marie@example.org\0hunter22")


@pytest.mark.parametrize(
    ("reply_text", "expected"),
    [
        (b"5.7.8 bad password hunter22 for marie", "535 5.7.8 bad password for marie"),
        (b"5.7.8 you sent <" + _PLAIN + b">", "535 5.7.8 you sent < >"),
        (b"5.7.8 hunter22hunter22", "535 5.7.8"),
        (b"5.7.8 'hunter' is short", "535 5.7.8 is short"),
        (b"5.7.8 no hun", "535 5.7.8 no hun"),
        (b"5.7.8 bWFyaWUgZDQxZDhjZDk4ZjAwYjIwNA== no", "535 5.7.8 no"),
        (b"5.7.8 " + b"x " * 300, "535 5.7.8 " + "x " * 94 + "x…"),
        (b"", "535"),
    ],
    ids=["password", "PLAIN", "twice", "part of the password", "a short word", "CRAM-MD5", "long", "nothing"],
)
def test_a_server_that_repeats_secrets_is_not_quoted_with_them(reply_text: bytes, expected: str) -> None:
    """Some servers answer a failed login with the password that they received."""
    assert (
        quoted_reply(RefusedError(Step.LOGIN, 535, reply_text), remote_config(password="hunter22"))
        == expected
    )


def test_without_a_password_words_are_quoted_as_they_are() -> None:
    """No secret was sent, so nothing is removed."""
    assert quoted_reply(RefusedError(Step.LOGIN, 535, b"no way"), remote_config()) == "535 no way"


@pytest.mark.parametrize(
    "password",
    ["hunter22", "correct horse battery", "sésame ☂", 'a"b\\c&<d>', "x/+=y?z%20", "été", "un deux"],
)
@pytest.mark.parametrize(
    "repeat",
    [
        lambda secret: secret.encode(),
        lambda secret: f"<{secret}>".encode(),
        lambda secret: f"'{secret}',".encode(),
        lambda secret: secret.upper().encode(),
        lambda secret: b64encode(secret.encode()),
        lambda secret: b64encode(secret.encode()).rstrip(b"="),
        lambda secret: b64encode(f"\0marie@example.org\0{secret}".encode()),
        lambda secret: b64encode(f"marie@example.org\0marie@example.org\0{secret}".encode()),
        lambda secret: quote(secret).encode(),
        lambda secret: secret.encode().hex().encode(),
    ],
    ids=["clear", "brackets", "quotes", "upper", "base64", "unpadded", "PLAIN", "authzid", "URL", "hex"],
)
def test_the_password_is_never_quoted(password: str, repeat: Callable[[str], bytes]) -> None:
    """No encoding of the password is quoted, whatever the step at which the server repeats it."""
    reply_text = b"5.7.8 login with " + repeat(password) + b" denied"
    config = remote_config(password=password)
    for step in Step:
        error = RefusedError(step, 550, reply_text)
        for text in (quoted_reply(error, config), explain(error, config, _unexpected_probe).text):
            assert "login with" in text, step
            assert "denied" in text, step
            for word in (repeat(password).decode(), password, password[: len(password) // 2 + 2]):
                assert word.lower() not in text.lower(), step


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "secret", [b"hunter22hunter33", b64encode(b"\0marie@example.org\0hunter22hunter33").rstrip(b"=")]
)
def test_a_password_in_pieces_is_not_quoted(secret: bytes, size: int) -> None:
    """Reply lines are joined with blanks, so a reader could put small pieces together again."""
    pieces = b" ".join(secret[start : start + size] for start in range(0, len(secret), size))
    error = RefusedError(Step.LOGIN, 535, b"5.7.8 you sent " + pieces + b" : no")
    assert quoted_reply(error, remote_config(password="hunter22hunter33")) == "535 5.7.8 you sent : no"


def _unexpected_probe() -> Protocol:
    raise AssertionError


@pytest.mark.parametrize(
    "reply_text",
    [
        "5.7.57 SmtpClientAuthentication is disabled for the Tenant",
        "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled",
        "5.7.8 Username and Password not accepted",
        "5.7.9 Application-specific password required",
    ],
)
def test_long_words_that_are_no_secret_are_quoted(reply_text: str) -> None:
    """They look like base64, but they say most about the problem."""
    assert (
        quoted_reply(RefusedError(Step.LOGIN, 535, reply_text.encode()), remote_config(password="hunter22"))
        == f"535 {reply_text}"
    )
