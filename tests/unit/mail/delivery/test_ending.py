"""A delivery that ends early because of a stop, an error or a lack of threads, and what is recorded then."""

import threading
from collections.abc import Iterator, Sequence
from time import monotonic

import pytest

from cavecron.errors import CavecronError, StoppedError, TemporaryError, TimeLimitError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.errors import (
    DeliveryUnknownError,
    TemporaryRecipientError,
)
from cavecron.mail.models import DeliveryResult, OutgoingMail
from cavecron.mail.transport import Transport
from tests.support.deliveries import ONE, ListLog, delivered, go_on, mails
from tests.support.transports import BlockedRecorder, Recorder


@pytest.mark.parametrize("error", [StoppedError("arrêt"), TimeLimitError("trop long")], ids=repr)
def test_a_stop_lets_mails_in_flight_finish_and_records_them(error: CavecronError) -> None:
    """The mails in flight are delivered and recorded, and no other mail is sent."""
    recorder = BlockedRecorder()

    def check() -> None:
        if recorder.sending.is_set():
            recorder.released.set()
            raise error

    log = ListLog()
    with pytest.raises(type(error)):
        deliver(mails("abcdefghij"), recorder.connect, log, check=check)
    delivered_results = [result for result in log.results if result[1] == "delivered"]
    assert sorted(delivered_results) == [(name, "delivered", None) for name in sorted(recorder.delivered)]
    assert 1 <= len(delivered_results) <= 2
    assert log.in_doubt == set()
    assert recorder.closed == recorder.opened


def test_a_mail_that_outlasts_the_grace_may_have_arrived() -> None:
    """Its result is unknown, not failed, and an answer that comes later changes nothing."""
    recorder = BlockedRecorder()

    def check() -> None:
        if recorder.sending.is_set():
            raise StoppedError("arrêt")

    log = ListLog()
    started = monotonic()
    policy = DeliveryPolicy(connections=1, grace=0.3)
    with pytest.raises(StoppedError):
        deliver(mails("abc"), recorder.connect, log, policy=policy, check=check)
    assert [(name, status) for name, status, _ in log.results] == [("a", "unknown")]
    assert monotonic() - started < 3
    recorder.released.set()
    for thread in threading.enumerate():
        if thread.name == "cavecron-mail":
            thread.join(5)
    assert [(name, status) for name, status, _ in log.results] == [("a", "unknown")]


class StoppingLog(ListLog):
    """Requests a stop as soon as a start is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Record it, and request a stop after a start."""
        super().record(finished, started)
        self.stopped = self.stopped or bool(started)

    def check(self) -> None:
        """Raise StoppedError if a stop was requested."""
        if self.stopped:
            raise StoppedError("arrêt")


def test_a_mail_that_is_stopped_after_its_recorded_start_is_deferred() -> None:
    """It was not sent, so its result is recorded without an error."""
    recorder, log = Recorder(), StoppingLog()
    with pytest.raises(StoppedError):
        deliver(mails("abc"), recorder.connect, log, policy=ONE, check=log.check)
    assert (log.started, log.results) == (["a"], [("a", "deferred", None)])
    assert recorder.tried == []


def test_a_stop_does_not_wait_for_second_attempts() -> None:
    """A mail that was refused temporarily stays deferred, and one without an answer stays unknown."""
    recorder = Recorder(
        {
            "a": [TemporaryRecipientError("plus tard")],
            "b": [DeliveryUnknownError("sans réponse", timed_out=False)],
        }
    )

    def check() -> None:
        if recorder.delivered == ["c"]:
            raise StoppedError("arrêt")

    log = ListLog()
    with pytest.raises(StoppedError):
        deliver(
            mails("abc"),
            recorder.connect,
            log,
            policy=DeliveryPolicy(connections=1, retry_after=30),
            check=check,
        )
    assert sorted(log.results) == [
        ("a", "deferred", "plus tard"),
        ("b", "unknown", "sans réponse"),
        ("c", "delivered", None),
    ]


def test_an_error_in_composing_mails_ends_the_delivery() -> None:
    """The results of mails that were sent before are recorded, then the error is raised."""

    def compose() -> Iterator[OutgoingMail]:
        yield from mails("ab")
        raise CavecronError("base illisible")

    recorder, log = Recorder(), ListLog()
    with pytest.raises(CavecronError, match="illisible"):
        deliver(compose(), recorder.connect, log, policy=ONE, check=go_on)
    assert [name for name, status, _ in log.results if status == "delivered"] == recorder.delivered


class BrokenLog(ListLog):
    """Cannot record the start of a mail to `b`."""

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Record it, or raise an error."""
        if any(mail.address == "b" for mail in started):
            raise CavecronError("bail perdu")
        super().record(finished, started)


def test_a_start_that_cannot_be_recorded_ends_the_delivery_and_is_not_sent() -> None:
    """Another process may own the run now, so no mail goes out that the ledger does not know."""
    recorder = Recorder()
    with pytest.raises(CavecronError, match="bail perdu"):
        deliver(mails("abc"), recorder.connect, BrokenLog(), policy=ONE, check=go_on)
    assert recorder.tried == ["a"]


@pytest.fixture
def no_more_threads() -> Iterator[None]:
    """Make each new thread fail, because its stack would need more memory than any machine has."""
    default = threading.stack_size(2**46)
    yield
    threading.stack_size(default)


@pytest.mark.usefixtures("no_more_threads")
def test_without_threads_the_delivery_fails_for_now() -> None:
    """Nothing is sent, and the error is temporary, because threads may be available later."""
    recorder = Recorder()
    with pytest.raises(TemporaryError, match="pids_limit"):
        deliver(mails("abc"), recorder.connect, ListLog(), check=go_on)
    assert recorder.tried == []


class LastThread(Recorder):
    """Uses up the last thread of the system when its first connection is made."""

    def connect(self) -> Transport:
        """Return a new transport; from the second one on, no thread can be started."""
        if self.connections:
            threading.stack_size(2**46)
        return super().connect()


def test_with_one_thread_left_one_connection_sends_all() -> None:
    """The delivery goes on without the second worker, which cannot be started."""
    recorder = LastThread()
    default = threading.stack_size()
    try:
        results = delivered(recorder, "abcdefghijklmnopqrst", DeliveryPolicy(connections=4))
    finally:
        threading.stack_size(default)
    assert results == [(name, "delivered", None) for name in "abcdefghijklmnopqrst"]
    assert recorder.opened == 1
