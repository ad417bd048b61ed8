"""A delivery that ends early by a stop, an error or a lack of threads, and what is recorded then."""

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
from tests.support.transports import Held, Recorder


@pytest.mark.parametrize("error", [StoppedError("arrêt"), TimeLimitError("trop long")], ids=repr)
def test_a_stop_lets_mails_on_their_way_finish_and_records_them(error: CavecronError) -> None:
    """Stopped during the first of many: those on their way are delivered and recorded, no other is sent."""
    recorder = Held()

    def check() -> None:
        if recorder.sending.is_set():
            recorder.released.set()
            raise error

    log = ListLog()
    with pytest.raises(type(error)):
        deliver(mails("abcdefghij"), recorder.connect, log, check=check)
    sent = [result for result in log.results if result[1] == "delivered"]
    assert sorted(sent) == [(name, "delivered", None) for name in sorted(recorder.delivered)]
    assert 1 <= len(sent) <= 2
    assert log.in_doubt == set()
    assert recorder.closed == recorder.opened


def test_a_mail_that_outlasts_the_grace_may_have_arrived() -> None:
    """Nobody waits for it for ever, nobody says that it failed, and its late answer changes nothing."""
    recorder = Held()

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
    """Asks for a stop as soon as a start is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Keep it, and have everything stop."""
        super().record(finished, started)
        self.stopped = self.stopped or bool(started)

    def check(self) -> None:
        """Stop."""
        if self.stopped:
            raise StoppedError("arrêt")


def test_a_stop_between_start_and_sending_takes_the_mail_back() -> None:
    """It was recorded as started: so it is recorded as deferred, with no error, and not sent."""
    recorder, log = Recorder(), StoppingLog()
    with pytest.raises(StoppedError):
        deliver(mails("abc"), recorder.connect, log, policy=ONE, check=log.check)
    assert (log.started, log.results) == (["a"], [("a", "deferred", None)])
    assert recorder.tried == []


def test_a_stop_leaves_mails_that_wait_for_their_second_try_as_they_were_recorded() -> None:
    """Refused for now is deferred, no answer is unknown; neither waits for its time."""
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


def test_mails_that_cannot_be_made_end_the_delivery_after_those_on_their_way() -> None:
    """What was sent before is recorded, then the error is raised."""

    def composing() -> Iterator[OutgoingMail]:
        yield from mails("ab")
        raise CavecronError("base illisible")

    recorder, log = Recorder(), ListLog()
    with pytest.raises(CavecronError, match="illisible"):
        deliver(composing(), recorder.connect, log, policy=ONE, check=go_on)
    assert [name for name, status, _ in log.results if status == "delivered"] == recorder.delivered


class BrokenLog(ListLog):
    """Cannot record the start of a mail to `b`."""

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Keep it, or fail."""
        if any(mail.address == "b" for mail in started):
            raise CavecronError("bail perdu")
        super().record(finished, started)


def test_a_start_that_cannot_be_recorded_ends_the_delivery_and_is_not_sent() -> None:
    """Another process may have the run: nothing goes out that the ledger does not know of."""
    recorder = Recorder()
    with pytest.raises(CavecronError, match="bail perdu"):
        deliver(mails("abc"), recorder.connect, BrokenLog(), policy=ONE, check=go_on)
    assert recorder.tried == ["a"]


@pytest.fixture
def no_more_threads() -> Iterator[None]:
    """Let no thread start: each wants more memory for its stack than any machine has."""
    usual = threading.stack_size(2**46)
    yield
    threading.stack_size(usual)


@pytest.mark.usefixtures("no_more_threads")
def test_without_threads_the_delivery_fails_for_now() -> None:
    """The system has none left at this moment: nothing was sent, and a later try may fare better."""
    recorder = Recorder()
    with pytest.raises(TemporaryError, match="pids_limit"):
        deliver(mails("abc"), recorder.connect, ListLog(), check=go_on)
    assert recorder.tried == []


class LastThread(Recorder):
    """Its first connection takes the last thread that there was."""

    def connect(self) -> Transport:
        """Return a new transport; later ones find no thread."""
        if self.connections:
            threading.stack_size(2**46)
        return super().connect()


def test_with_one_thread_left_one_connection_carries_all() -> None:
    """A second worker that cannot start is done without."""
    recorder = LastThread()
    usual = threading.stack_size()
    try:
        results = delivered(recorder, "abcdefghijklmnopqrst", DeliveryPolicy(connections=4))
    finally:
        threading.stack_size(usual)
    assert results == [(name, "delivered", None) for name in "abcdefghijklmnopqrst"]
    assert recorder.opened == 1
