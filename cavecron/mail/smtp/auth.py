"""The ways to log in that cavecron knows, and what is answered in each (RFC 4954). Pure."""

import hmac
from base64 import b64decode
from collections.abc import Callable, Collection, Sequence

#: With the most common first: where one fails, the error of the first says most.
WAYS = ("PLAIN", "LOGIN", "CRAM-MD5")

#: Takes the server's challenge as it came, in base64; raises ValueError where it makes no sense.
Response = Callable[[bytes], bytes]


def usable_ways(offered: Collection[str], *, encrypted: bool) -> list[str]:
    """Return those of the `offered` ways that can be tried, in order.

    PLAIN comes first on an encrypted connection: many servers offer CRAM-MD5 and cannot do it.
    """
    order = WAYS if encrypted else ("CRAM-MD5", "PLAIN", "LOGIN")
    return [way for way in order if way in offered and (way != "CRAM-MD5" or _has_md5())]


def responses(way: str, username: str, password: str) -> Sequence[Response]:
    """Return what is answered to each challenge of the server; UTF-8 as RFC 4616 has it."""
    name, secret = username.encode(), password.encode()
    if way == "PLAIN":
        return (lambda _: b"\0" + name + b"\0" + secret,)
    if way == "LOGIN":
        return (lambda _: name, lambda _: secret)
    return (
        lambda challenge: name + b" " + hmac.new(secret, _decoded(challenge), "md5").hexdigest().encode(),
    )


def _decoded(challenge: bytes) -> bytes:
    decoded = b64decode(challenge, validate=True)
    if not decoded:
        raise ValueError
    return decoded


def _has_md5() -> bool:
    """Return whether this machine lets MD5 be used: not in FIPS mode."""
    try:
        hmac.new(b"", b"", "md5")
    except ValueError:
        return False
    return True
