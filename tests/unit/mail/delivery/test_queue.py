"""The queue of a delivery in random sequences of events: no mail is lost, or sent three times."""

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


class _Course:
    """A delivery whose server answers as it likes, in any order, and which ends at any moment."""

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
        """Hand the next mail over."""
        wait = self.queue.wait(self.now)
        if wait is not None and not self.queue.failure:
            self.now += wait
            self.in_flight.append(self.queue.take())

    def answer(self, which: int, error: Exception | None) -> None:
        """Record the answer to one that is in flight."""
        pending = self.in_flight.pop(which % len(self.in_flight))
        address = pending.mail.address
        self.presented[address] += error is None or isinstance(error, DeliveryUnknownError)
        self.keep(self.queue.record_result(pending, error, self.now))

    def keep(self, result: DeliveryResult | None) -> None:
        """Keep a result; each mail that was taken has one."""
        assert result
        self.results.append(result)


@settings(max_examples=3 * settings().max_examples)
@given(
    st.lists(st.tuples(st.sampled_from(["start", "answer"]), st.integers(0, 9), st.sampled_from(_ANSWERS))),
    st.booleans(),
)
def test_each_try_has_one_result_that_is_possible(
    events: list[tuple[str, int, Exception | None]], withdrawn: bool
) -> None:
    """Delivered only what was, unknown only what may have been; nothing is presented a third time."""
    course = _Course("abcdef")
    for what, which, error in events:
        if what == "start":
            course.start()
        elif course.in_flight:
            course.answer(which, error)
    hanging = {pending.mail.address for pending in course.in_flight}
    for pending in course.in_flight:
        status = DeliveryStatus.DEFERRED if withdrawn else DeliveryStatus.UNKNOWN
        course.keep(course.queue.end(pending, status, "trop tard"))
        assert course.queue.record_result(pending, None, course.now) is None  # too late
    assert max(course.presented.values(), default=0) <= 2
    for address, status in {each.mail.address: each.status for each in course.results}.items():
        if status is DeliveryStatus.DEFERRED:
            assert course.presented[address] == 0
        elif status is DeliveryStatus.UNKNOWN:
            assert course.presented[address] or address in hanging
        elif status is DeliveryStatus.DELIVERED:
            assert course.presented[address] >= 1
        elif status is DeliveryStatus.ABANDONED:
            assert course.presented[address] == 2


def test_after_a_lost_connection_one_mail_at_a_time_is_tried() -> None:
    """Those on their way since before do not count: one of them may take minutes to be answered."""
    course = _Course("abcdef")
    for _ in range(3):
        course.start()
    course.answer(0, ConnectionLostError("coupé", timed_out=False))
    course.start()
    assert len(course.in_flight) == 3
    assert course.queue.wait(course.now) is None
    course.answer(2, None)
    assert course.queue.wait(course.now) == 0
