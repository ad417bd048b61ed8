"""The queue of a delivery under random sequences of events: no mail is lost, or sent three times."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cavecron.mail.delivery.queue import RetryQueue
from cavecron.mail.errors import (
    ConnectionLostError,
    DeliveryUnknownError,
    RecipientRefusedError,
    SenderRefusedError,
    ServerBusyError,
    ServerUnavailableError,
    TemporaryRecipientError,
    ThrottledError,
)
from cavecron.mail.models import DeliveryResult, DeliveryStatus, PendingMail
from tests.support.deliveries import mails

_ANSWERS = (
    None,
    RecipientRefusedError("non"),
    SenderRefusedError("pas lui"),
    TemporaryRecipientError("plus tard"),
    ServerBusyError("moins vite"),
    ConnectionLostError("coupé", timed_out=False),
    ConnectionLostError("muet", timed_out=True),
    DeliveryUnknownError("sans réponse", timed_out=False),
    ThrottledError("pause"),
    ServerUnavailableError("panne"),
)


class _RandomDelivery:
    """A delivery with answers of the server in any order, which can end at any moment."""

    def __init__(self, names: str) -> None:
        self.queue = RetryQueue(retry_after=10)
        self.now = 0.0
        self.in_flight: list[PendingMail] = []
        self.results: list[DeliveryResult] = []
        self.presented: Counter[str] = Counter()
        for mail in mails(names):
            self.queue.put(mail)
        self.queue.closed = True

    def start(self) -> None:
        """Take the next mail from the queue, if there is one."""
        wait = self.queue.seconds_until_next(self.now)
        if wait is not None and not self.queue.failure:
            self.now += wait
            self.in_flight.append(self.queue.take())

    def answer(self, index: int, error: Exception | None) -> None:
        """Record the answer to a mail in flight."""
        pending = self.in_flight.pop(index % len(self.in_flight))
        address = pending.mail.address
        self.presented[address] += error is None or isinstance(error, DeliveryUnknownError)
        self.keep(self.queue.record_result(pending, error, self.now))

    def keep(self, result: DeliveryResult | None) -> None:
        """Store the result of a mail that was taken, which must exist."""
        assert result
        self.results.append(result)


@settings(max_examples=3 * settings().max_examples)
@given(
    st.lists(st.tuples(st.sampled_from(["start", "answer"]), st.integers(0, 9), st.sampled_from(_ANSWERS))),
    st.booleans(),
)
def test_each_attempt_has_one_possible_result(
    events: list[tuple[str, int, Exception | None]], withdrawn: bool
) -> None:
    """The last status of each mail agrees with its answers, and no mail is presented a third time."""
    delivery = _RandomDelivery("abcdef")
    for event, index, error in events:
        if event == "start":
            delivery.start()
        elif delivery.in_flight:
            delivery.answer(index, error)
    unanswered = {pending.mail.address for pending in delivery.in_flight}
    for pending in delivery.in_flight:
        status = DeliveryStatus.DEFERRED if withdrawn else DeliveryStatus.UNKNOWN
        delivery.keep(delivery.queue.end(pending, status, "trop tard"))
        assert delivery.queue.record_result(pending, None, delivery.now) is None  # too late
    assert max(delivery.presented.values(), default=0) <= 2
    for address, status in {each.mail.address: each.status for each in delivery.results}.items():
        if status is DeliveryStatus.DEFERRED:
            assert delivery.presented[address] == 0
        elif status is DeliveryStatus.UNKNOWN:
            assert delivery.presented[address] or address in unanswered
        elif status is DeliveryStatus.DELIVERED:
            assert delivery.presented[address] >= 1
        elif status is DeliveryStatus.ABANDONED:
            assert delivery.presented[address] == 2


def test_after_a_lost_connection_one_mail_at_a_time_is_tried() -> None:
    """Mails that were in flight before do not count, because their answers may take minutes."""
    delivery = _RandomDelivery("abcdef")
    for _ in range(3):
        delivery.start()
    delivery.answer(0, ConnectionLostError("coupé", timed_out=False))
    delivery.start()
    assert len(delivery.in_flight) == 3
    assert delivery.queue.seconds_until_next(delivery.now) is None
    delivery.answer(2, None)
    assert delivery.queue.seconds_until_next(delivery.now) == 0
