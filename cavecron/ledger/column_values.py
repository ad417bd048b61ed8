"""Reading stored values strictly, because people edit tables and no edit may end the scheduler.

A row that cannot be read is skipped, and logged once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from cavecron.database.timestamps import read_utc
from cavecron.ledger.store import Ledger

#: Years of a valid instant: converting it to a zone, or adding an hour, never leaves the calendar.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
#: The largest valid count.
_LARGEST = 2**53


class UnreadableError(ValueError):
    """A column has a value of the wrong type or range."""


@contextmanager
def skip_unreadable(ledger: Ledger, table: str, row: object) -> Iterator[None]:
    """End the block if it raises UnreadableError, and log the row."""
    try:
        yield
    except UnreadableError:
        ledger.report_unreadable(table, row)


def instant(stored: object) -> datetime:
    """Return a stored instant (aware, UTC); raise UnreadableError if it is not one."""
    read = optional_instant(stored)
    if read is None:
        raise UnreadableError(stored)
    return read


def optional_instant(stored: object) -> datetime | None:
    """Return a stored instant (aware, UTC), None if there is none or it cannot be read."""
    read = read_utc(stored)
    return read if read and _FIRST_YEAR <= read.year <= _LAST_YEAR else None


def number(stored: object) -> int:
    """Return a stored count; raise UnreadableError if it is not one."""
    if not isinstance(stored, int) or not 0 <= stored <= _LARGEST:
        raise UnreadableError(stored)
    return stored


def text(stored: object) -> str:
    """Return stored text; raise UnreadableError if it is not text."""
    if not isinstance(stored, str):
        raise UnreadableError(stored)
    return stored
