"""The authentication mechanisms that cavecron knows, and the responses in each (RFC 4954). Pure."""

import hmac
from base64 import b64decode
from collections.abc import Callable, Collection, Sequence

#: The most common first: if all fail, the error of the first one is reported.
WAYS = ("PLAIN", "LOGIN", "CRAM-MD5")

#: Takes the server's challenge, still in base64; raises ValueError if it is malformed.
Response = Callable[[bytes], bytes]


def usable_ways(offered: Collection[str], *, encrypted: bool) -> list[str]:
    """Return the `offered` mechanisms that cavecron can use, in the order in which to try them.

    On an encrypted connection CRAM-MD5 comes last, because many servers offer it and cannot do it.
    """
    order = WAYS if encrypted else ("CRAM-MD5", "PLAIN", "LOGIN")
    return [way for way in order if way in offered and (way != "CRAM-MD5" or _has_md5())]


def responses(way: str, username: str, password: str) -> Sequence[Response]:
    """Return the responses to the server's challenges, in their order; UTF-8 is used as in RFC 4616."""
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
    """Return whether MD5 is allowed on this machine; in FIPS mode it is not."""
    try:
        hmac.new(b"", b"", "md5")
    except ValueError:
        return False
    return True
