"""Removing our secrets from a mail server's replies, because some servers repeat what they receive. Pure.

Words that only look like a secret stay: they are often the reason of a refusal.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from html import escape
from urllib.parse import quote, quote_plus

#: A shorter secret is searched only as a whole word.
_SHORT = 4
_REMOVED = b" "


def redacted(reply: bytes, username: str | None, password: str | None) -> bytes:
    """Return `reply` without the password, also in base64, with escapes, or only a large part of it."""
    if not password:
        return reply
    for secret in sorted(_shapes(username or "", password), key=len, reverse=True):
        # The reply may have line breaks inside the secret.
        pattern = rb"\s*".join(re.escape(secret[place : place + 1]) for place in range(len(secret)))
        if len(secret) < _SHORT:
            pattern = rb"(?<![^\s'\"<>()\[\]:;,])" + pattern + rb"(?![^\s'\"<>()\[\]:;,.])"
        reply = re.sub(pattern, _REMOVED, reply, flags=re.IGNORECASE)
    words = re.split(rb"(\s+)", reply)
    return b"".join(_REMOVED if _gives_away(word, username or "", password) else word for word in words)


def _shapes(username: str, password: str) -> Iterator[bytes]:
    """Yield the password in all the encodings in which a reply may contain it."""
    for encoding in ("utf-8", "latin-1"):
        secret, name = password.encode(encoding, "replace"), username.encode(encoding, "replace")
        yield from (
            text.encode(encoding, "replace") for text in (password, password.upper(), password.lower())
        )
        for sent in (secret, b"\0" + name + b"\0" + secret, name + b"\0" + name + b"\0" + secret):
            yield b64encode(sent).rstrip(b"=")
    yield quote(password).encode()
    yield quote(password, safe="").encode()
    yield quote_plus(password).encode()
    yield escape(password).encode("utf-8", "replace")
    yield json.dumps(password)[1:-1].encode()
    # xtext (RFC 3461, 4), and the escapes and hexadecimal digits of logs
    yield "".join(c if c.isalnum() else f"+{ord(c):02X}" for c in password).encode("utf-8", "replace")
    yield password.encode("unicode_escape")
    yield password.encode("utf-8", "replace").hex().encode()


def _gives_away(word: bytes, username: str, password: str) -> bool:
    """Return whether a word is at least half of the password, or base64 of a text that contains it."""
    bare = word.strip(b"'\"<>()[]:;,.")
    secret = password.encode("utf-8", "replace")
    if len(bare) >= _SHORT and 2 * len(bare) >= len(secret) and bare.lower() in secret.lower():
        return True
    octets = bare.rstrip(b"=")
    if len(octets) < 12 or len(octets) % 4 == 1 or not re.fullmatch(rb"[A-Za-z0-9+/]+", octets):
        return False
    decoded = b64decode(octets + b"=" * (-len(octets) % 4))
    # `answer` is that to a CRAM-MD5 challenge (RFC 2195), from which a password can be guessed.
    answer = rb"\S+ [0-9a-f]{16,}"
    return (len(secret) >= _SHORT and secret in decoded) or bool(re.fullmatch(answer, decoded))
