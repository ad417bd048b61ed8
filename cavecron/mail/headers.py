"""Writing headers of a mail so that any text is read back as it was, and can never add a header. Pure.

The standard library's `email` is not used: it decodes `=?utf-8?q?X=0D=0ABcc:_…?=` in a text, and some of its
versions then write a line break into the headers.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import AnyStr

#: The longest line with encoded words (RFC 2047, 2), and the recommended one of others (RFC 5322, 2.1.1).
_LINE = 76
_FRAME = len("=?utf-8?q??=")
#: Characters that need no encoding in an encoded word, even in a display name (RFC 2047, 5 (3)).
_PLAIN = re.compile(r"[A-Za-z0-9]")
_ATOM = re.compile(r"[A-Za-z0-9-]+")


def text_header(name: str, text: str) -> str:
    """Return a folded header of free text (RFC 5322, 2.2.1); blanks in a row become one space."""
    return _folded(name, _words(text.split(), _most(name), _is_plain_word))


def mailbox_header(name: str, display_name: str, address: str) -> str:
    """Return a header with one mailbox (RFC 5322, 3.4); the display name can be any text, or blank.

    `address` was checked by `check_address`; letters outside ASCII are not encoded in it (RFC 6532).
    """
    words = display_name.split()
    if not words:
        return _folded(name, [address])
    if all(_is_readable(word) for word in words) and not all(_ATOM.fullmatch(word) for word in words):
        # A quoted string (RFC 5322, 3.2.4); it may be folded at its blanks.
        quoted = re.sub(r'(["\\])', r"\\\1", " ".join(words))
        return _folded(name, [*f'"{quoted}"'.split(" "), f"<{address}>"])
    phrase = _words(words, _most(name), lambda word: bool(_ATOM.fullmatch(word)))
    return _folded(name, [*phrase, f"<{address}>"])


def _most(name: str) -> int:
    """Return the longest encoded word that fits on the line with the header's name."""
    return _LINE - len(f"{name}: ")


def _is_readable(word: str) -> bool:
    """Return whether a word needs no encoding: it is printable ASCII, and no encoded word itself."""
    return word.isascii() and word.isprintable() and "=?" not in word


def _is_plain_word(word: str) -> bool:
    return len(word) < _LINE // 2 and _is_readable(word)


def _words(words: Iterable[str], most: int, is_plain: Callable[[str], bool]) -> Iterator[str]:
    """Yield the words of a header; those that are not plain are encoded, together with the blanks between."""
    for plain, group in groupby(words, is_plain):
        run = list(group)
        yield from run if plain else _encoded_words(" ".join(run), most)


def _encoded_words(text: str, most: int) -> Iterator[str]:
    """Yield encoded words of whole characters; a reader drops the blanks between two encoded words."""
    quoted = [_quoted(letter) for letter in text]
    octets = [letter.encode("utf-8", "replace") for letter in text]
    if 3 * sum(map(len, quoted)) <= 4 * sum(map(len, octets)):
        yield from (f"=?utf-8?q?{part}?=" for part in _chunks(quoted, "", most - _FRAME))
    else:
        in_base64 = (most - _FRAME) // 4 * 3
        yield from (f"=?utf-8?b?{b64encode(part).decode()}?=" for part in _chunks(octets, b"", in_base64))


def _quoted(letter: str) -> str:
    if letter == " ":
        return "_"
    if _PLAIN.fullmatch(letter):
        return letter
    return "".join(f"={octet:02X}" for octet in letter.encode("utf-8", "replace"))


def _chunks(pieces: Iterable[AnyStr], empty: AnyStr, most: int) -> Iterator[AnyStr]:
    """Yield the pieces joined to chunks of at most `most` characters or bytes."""
    chunk = empty
    for piece in pieces:
        if len(chunk) + len(piece) > most:
            yield chunk
            chunk = empty
        chunk += piece
    yield chunk


def _folded(name: str, words: Iterable[str]) -> str:
    """Return the header with its line end, folded before words that do not fit on the line."""
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _LINE and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {word}"
    return "".join(f"{line}\n" for line in lines)
