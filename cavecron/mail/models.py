"""A mail on its way to one user, and what became of it.

Pure values: they know neither how a mail travels nor where its fate is noted down.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Message(Protocol):
    """What is asked of a mail: `mail.message.Mail` is one, and so is every EmailMessage."""

    def __bytes__(self) -> bytes: ...  # all of it

    def __getitem__(self, name: str, /) -> Any: ...  # a header


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail that is ready to be sent to one user."""

    user_id: int
    address: str
    message: Message


class Fate(StrEnum):
    """What became of a letter."""

    #: The server has taken responsibility for it.
    DELIVERED = "delivered"
    #: It was refused for good: another try would end in the same way.
    REFUSED = "refused"
    #: It was not delivered, for a reason that can pass: to be tried again in a later mailing.
    DEFERRED = "deferred"
    #: Nobody knows: the server had all of it, and gave no verdict. To be tried again, as the same message.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The fate of a letter; `error` says in French why it was not delivered, None where it was.

    `repeated` where an earlier try in this mailing ended without a verdict: it may have arrived by that too.
    """

    letter: Letter
    fate: Fate
    error: str | None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is to be noted down before the mailing goes on: see `delivery.deliver`."""

    results: tuple[Delivery, ...]
    put_off: tuple[Letter, ...]
    starting: tuple[Letter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A letter that is being tried: `begun` before, for a `second` time, not before `due` (monotonic).

    `doubtful` where it may have arrived already; `losses` is how many connections were lost when it started.
    """

    letter: Letter
    begun: bool = False
    second: bool = False
    doubtful: bool = False
    due: float = 0.0
    losses: int = 0
    error: str = ""
