"""A mail on its way to one user, and what became of it.

Pure values: they know neither how a mail travels nor where its status is recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Message(Protocol):
    """What is asked of a message: `mail.message.Mail` is one, and so is every EmailMessage."""

    def __bytes__(self) -> bytes: ...  # all of it

    def __getitem__(self, name: str, /) -> Any: ...  # a header


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """A mail that is ready to be sent to one user.

    `maybe_delivered` where an earlier delivery ended without the server's answer.
    """

    user_id: int
    address: str
    message: Message
    maybe_delivered: bool = False


class DeliveryStatus(StrEnum):
    """What became of one try to deliver a mail."""

    #: The server has taken responsibility for it.
    DELIVERED = "delivered"
    #: It was refused for good: another try would end in the same way.
    REFUSED = "refused"
    #: It was not delivered, for a reason that can pass: to be tried again.
    DEFERRED = "deferred"
    #: Nobody knows: the server had all of it and did not answer. To be tried once more, as the same message.
    UNKNOWN = "unknown"
    #: The same for the second time: it may have arrived, and is never sent again.
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The end of one try; `error` says in French why the mail was not delivered.

    Where it was delivered, `error` is None; also where it was not even sent, since the delivery ended just
    then. `is_final` is False where the mail is tried once more in this delivery.
    """

    mail: OutgoingMail
    status: DeliveryStatus
    error: str | None
    is_final: bool = True


class DeliveryLog(Protocol):
    """Where it is recorded what is on its way; called by several threads at once."""

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Record in one transaction how tries ended, and which mails are about to be sent.

        Raises:
            CavecronError: nothing was recorded, so that the mails must not be sent.

        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PendingMail:
    """A mail that waits or is being sent: for its second time where it `is_retry`, `not_before` (monotonic).

    `started` where it was handed over before; `losses` is how many connections were lost when it was taken.
    """

    mail: OutgoingMail
    started: bool = False
    is_retry: bool = False
    maybe_delivered: bool = False
    not_before: float = 0.0
    losses: int = 0
