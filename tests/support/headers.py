"""Reading headers of a mail as the standards define them, without the package `email`."""

import re
from base64 import b64decode
from quopri import decodestring

_WORD = r"=\?([^?\s]+)\?([bqBQ])\?([^?\s]*)\?="


def header_lines(octets: bytes) -> list[tuple[str, str]]:
    """Return the headers before the first empty line, unfolded (RFC 5322, 2.2.3): names and values."""
    head, blank, _body = octets.partition(b"\r\n\r\n")
    assert blank
    lines = head.split(b"\r\n")
    assert not any(re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line) for line in lines)
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head).decode()
    pairs = [line.partition(":") for line in unfolded.split("\r\n")]
    assert all(colon and re.fullmatch(r"[A-Za-z-]+", name) for name, colon, _value in pairs)
    return [(name, value.strip()) for name, _colon, value in pairs]


def displayed(text: str) -> str:
    """Return the displayed text of a header (RFC 2047, 6.2), without the blanks between encoded words."""
    joined = re.sub(rf"({_WORD})\s+(?={_WORD})", r"\1", text)
    return re.sub(_WORD, lambda match: _decoded(match[1], match[2], match[3]), joined)


def mailbox(text: str) -> tuple[str, str]:
    """Return the displayed name of one mailbox, and its address (RFC 5322, 3.4)."""
    if "<" not in text:
        return "", text
    match = re.fullmatch(r'(?:"((?:[^"\\]|\\.)*)"|([^"<>@,;:\\()\[\]]*)) <([^<>\s]+)>', text)
    assert match
    quoted, phrase, address = match.groups()
    return displayed(phrase) if quoted is None else re.sub(r"\\(.)", r"\1", quoted), address


def _decoded(charset: str, encoding: str, text: str) -> str:
    octets = b64decode(text, validate=True) if encoding in "bB" else decodestring(text, header=True)
    return octets.decode(charset)
