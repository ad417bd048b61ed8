"""A mail to one user, and its result. Pure: it knows neither how a mail is sent nor where it is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Message(Protocol):
    """What a transport needs of a message; `mail.message.Mail` has it, and every EmailMessage."""

    def __bytes__(self) -> bytes: ...  # all of it

    def __getitem__(self, name: str, /) -> Any: ...  # a header


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """A mail that is ready to be sent to one user.

    `maybe_delivered` says that an earlier delivery sent it and got no answer.
    """

    user_id: int
    address: str
    message: Message
    maybe_delivered: bool = False


class DeliveryStatus(StrEnum):
    """The result of one try to deliver a mail."""

    #: The server has accepted it.
    DELIVERED = "delivered"
    #: It was refused permanently: another try would fail as well.
    REFUSED = "refused"
    #: It was not delivered for a temporary reason, and is to be tried again.
    DEFERRED = "deferred"
    #: It was sent and not answered. It is to be tried once more, under the same Message-ID.
    UNKNOWN = "unknown"
    #: It was sent twice and not answered: it may have arrived, and is never sent again.
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The result of one try; `error` says in French why the mail was not delivered.

    It is None if the mail was delivered, and also if the delivery ended before it was sent. `is_final` is
    False if this delivery will try the mail once more.
    """

    mail: OutgoingMail
    status: DeliveryStatus
    error: str | None
    is_final: bool = True


class DeliveryLog(Protocol):
    """Records which mails are being sent, and their results; several threads call it at once."""

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Record in one transaction the results of tries, and which mails are about to be sent.

        Raises:
            CavecronError: nothing was recorded, so that the started mails must not be sent.

        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PendingMail:
    """A mail that waits or is being sent; the second try `is_retry`, and is `not_before` a monotonic instant.

    `started` says that it was tried before, `losses` how many connections had been lost when it was taken.
    """

    mail: OutgoingMail
    started: bool = False
    is_retry: bool = False
    maybe_delivered: bool = False
    not_before: float = 0.0
    losses: int = 0
