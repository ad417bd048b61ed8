"""Headers of a mail: any text becomes data, and is read as exactly that.

Pure. The encoding is our own: `email` reads `=?utf-8?q?X=0D=0ABcc:_…?=` in a text as an encoded word, and
some of its versions write what that says as lines of their own.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import AnyStr

#: Characters of a line with encoded words at most (RFC 2047, 2), and of others if possible (RFC 5322, 2.1.1).
_LINE = 76
_FRAME = len("=?utf-8?q??=")
#: What stands for itself in an encoded word, in a name too (RFC 2047, 5 (3)).
_PLAIN = re.compile(r"[A-Za-z0-9]")
_ATOM = re.compile(r"[A-Za-z0-9-]+")


def text_header(name: str, text: str) -> str:
    """Return a header of free text (RFC 5322, 2.2.1), folded; all blanks in `text` are one space each."""
    return _folded(name, _words(text.split(), _most(name), _is_plain_word))


def mailbox_header(name: str, display_name: str, address: str) -> str:
    """Return a header of one mailbox (RFC 5322, 3.4); the display name can be any text, or blank.

    `address` is what `check_address` returns. Beyond ASCII it stays as it is (RFC 6532).
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
    """Return how long an encoded word can be that stands behind the header's name."""
    return _LINE - len(f"{name}: ")


def _is_readable(word: str) -> bool:
    """Return whether a word needs no encoding: printable ASCII that no reader takes for an encoded word."""
    return word.isascii() and word.isprintable() and "=?" not in word


def _is_plain_word(word: str) -> bool:
    return len(word) < _LINE // 2 and _is_readable(word)


def _words(words: Iterable[str], most: int, is_plain: Callable[[str], bool]) -> Iterator[str]:
    """Yield words as they stand in a header: those that are not plain encoded, with blanks between them."""
    for plain, group in groupby(words, is_plain):
        run = list(group)
        yield from run if plain else _encoded_words(" ".join(run), most)


def _encoded_words(text: str, most: int) -> Iterator[str]:
    """Yield encoded words, whole characters in each; readers leave out the blanks between two of them."""
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
    """Yield the pieces joined, as many as `most` allows in each."""
    chunk = empty
    for piece in pieces:
        if len(chunk) + len(piece) > most:
            yield chunk
            chunk = empty
        chunk += piece
    yield chunk


def _folded(name: str, words: Iterable[str]) -> str:
    """Return the header with its line end, broken before words that no longer fit."""
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _LINE and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {word}"
    return "".join(f"{line}\n" for line in lines)
