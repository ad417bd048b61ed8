"""Headers of a mail, as Python's `email` makes them, in a third of the time.

Python builds a class for each header of each mail, and parses the same sender, subject and content types
again and again: that took longer than everything else about a mail. Pure; it knows no particular header.
"""

from email.headerregistry import BaseHeader, HeaderRegistry
from email.policy import SMTP as _SMTP
from functools import lru_cache

#: More than the headers that the mails of one run share.
_KEPT = 64


class _Headers(HeaderRegistry):
    """Builds each class once, and keeps the headers that were asked for last; they never change."""

    def __init__(self) -> None:
        super().__init__()
        self._class = lru_cache(_KEPT)(super().__getitem__)
        self._header = lru_cache(_KEPT)(super().__call__)

    def __getitem__(self, name: str) -> type[BaseHeader]:
        return self._class(name.lower())

    def __call__(self, name: str, value: object) -> BaseHeader:
        return self._header(name, str(value))


SMTP = _SMTP.clone(header_factory=_Headers())
SMTPUTF8 = SMTP.clone(utf8=True)
