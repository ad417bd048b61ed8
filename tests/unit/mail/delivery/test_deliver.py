"""Delivering many mails over a few connections: when each step is recorded, and second attempts."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic, sleep

import pytest

from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.errors import (
    ConnectionLostError,
    DeliveryUnknownError,
    RecipientRefusedError,
    TemporaryRecipientError,
)
from cavecron.mail.models import DeliveryResult, OutgoingMail
from tests.support.deliveries import ONE, TWO, ListLog, delivered, go_on, mails
from tests.support.transports import BlockedRecorder, Recorder, SlowRecorder


class DoubtRecorder(Recorder):
    """Records which mails are sent without being in doubt in `log`, and how many are in doubt at a time."""

    def __init__(self, log: ListLog, errors: Mapping[str, Sequence[Exception | None]]) -> None:
        super().__init__(errors)
        self.log = log
        self.unrecorded: list[str] = []
        self.most_in_doubt = 0

    def send(self, address: str) -> None:
        """Check the log, then deliver."""
        with self.log.lock:
            if address not in self.log.in_doubt:
                self.unrecorded.append(address)
            self.most_in_doubt = max(self.most_in_doubt, len(self.log.in_doubt))
        super().send(address)


def test_every_mail_is_delivered_in_order_over_one_connection() -> None:
    """Twenty mails need one connection, and are delivered in the order in which they were given."""
    recorder = Recorder()
    names = "abcdefghijklmnopqrst"
    assert delivered(recorder, names, ONE) == [(name, "delivered", None) for name in names]
    assert (recorder.opened, recorder.closed) == (1, 1)


def test_two_connections_share_the_mails() -> None:
    """Each mail is delivered once, and both connections are used."""
    recorder = BlockedRecorder()
    log = ListLog()

    def check() -> None:
        if len(log.in_doubt) == 2:
            recorder.released.set()

    deliver(mails("abcdefghijklmnopqrst"), recorder.connect, log, check=check)
    assert sorted(log.results) == [(name, "delivered", None) for name in "abcdefghijklmnopqrst"]
    assert (recorder.connections, recorder.opened, recorder.closed) == (2, 2, 2)


def test_as_many_mails_are_in_flight_as_there_are_connections() -> None:
    """With eight connections, eight mails wait for the server at a time, although one was opened first."""
    recorder = BlockedRecorder()
    log = ListLog()

    def check() -> None:
        if len(log.started) >= 8:
            recorder.released.set()

    policy = DeliveryPolicy(connections=8)
    deliver(mails("abcdefghijklmnopqrst"), recorder.connect, log, policy=policy, check=check)
    assert len(recorder.delivered) == 20
    assert recorder.opened == 8


def test_without_mails_nothing_is_opened() -> None:
    """Without a mail, no connection to the server is made."""
    recorder = Recorder()
    assert delivered(recorder, "") == []
    assert recorder.opened == 0


def test_one_mail_needs_one_connection() -> None:
    """Only one connection is opened, although the policy allows more."""
    recorder = Recorder()
    assert delivered(recorder, "a") == [("a", "delivered", None)]
    assert recorder.connections == 1


@pytest.mark.parametrize("connections", [1, 2, 5])
def test_nothing_is_sent_before_its_start_is_recorded(connections: int) -> None:
    """A killed process leaves in doubt each mail that may have been sent, at most one for each connection."""
    log = ListLog()
    recorder = DoubtRecorder(
        log,
        {
            "b": [TemporaryRecipientError("plus tard")],
            "d": [RecipientRefusedError("jamais")],
            "e": [DeliveryUnknownError("?", timed_out=False)],
            "g": [ConnectionLostError("perdu", timed_out=False)] * 2,
        },
    )
    policy = DeliveryPolicy(connections=connections, retry_after=0.01)
    deliver(mails("abcdefghij"), recorder.connect, log, policy=policy, check=go_on)
    assert log.in_doubt == set()
    assert len(recorder.delivered) == 8
    assert recorder.unrecorded == []
    assert recorder.most_in_doubt <= connections


def test_a_result_and_the_next_start_are_recorded_at_once() -> None:
    """Both share a transaction, so that ten mails need at most twelve transactions."""
    log = ListLog()
    deliver(mails("abcdefghij"), SlowRecorder().connect, log, policy=ONE, check=go_on)
    assert len(log.calls) <= 12


class _SlowLog(ListLog):
    """Takes twenty milliseconds for each transaction, as a disk does."""

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Record it after a delay."""
        sleep(0.02)
        super().record(finished, started)


def test_workers_share_a_transaction_where_recording_takes_long() -> None:
    """Otherwise two workers would need a transaction for each mail."""
    log = _SlowLog()
    deliver(mails("abcdefghijklmnopqrstuvwxyz"), SlowRecorder().connect, log, check=go_on)
    assert len(log.results) == 26
    assert len(log.calls) <= 0.75 * 26


def test_each_attempt_has_one_start_and_one_result() -> None:
    """Each mail has one final result, and none is sent a third time."""
    errors: dict[str, list[Exception | None]] = {
        "a": [TemporaryRecipientError("greylisting")],
        "b": [TemporaryRecipientError("pleine"), TemporaryRecipientError("toujours pleine")],
        "c": [DeliveryUnknownError("sans réponse", timed_out=False)],
        "d": [
            DeliveryUnknownError("sans réponse", timed_out=False),
            TemporaryRecipientError("pas deux fois"),
        ],
        "e": [RecipientRefusedError("boîte inconnue")],
        "g": [DeliveryUnknownError("sans réponse", timed_out=False)] * 9,
    }
    recorder, log = Recorder(errors), ListLog()
    deliver(mails("abcdefg"), recorder.connect, log, policy=ONE, check=go_on)
    assert sorted(log.results) == [
        ("a", "delivered", None),
        ("b", "deferred", "toujours pleine"),
        ("c", "delivered", None),
        ("d", "unknown", "pas deux fois"),
        ("e", "refused", "boîte inconnue"),
        ("f", "delivered", None),
        ("g", "abandoned", "sans réponse"),
    ]
    assert Counter(recorder.tried) == {"a": 2, "b": 2, "c": 2, "d": 2, "e": 1, "f": 1, "g": 2}
    assert Counter(log.started) == Counter(recorder.tried)
    final = Counter(result.mail.address for result in log.all_results if result.is_final)
    assert final == dict.fromkeys("abcdefg", 1)


def test_a_mail_that_may_have_arrived_before_is_not_presented_a_third_time() -> None:
    """An earlier run left it without an answer; if there is no answer again, it is abandoned."""
    recorder = Recorder({"a": [DeliveryUnknownError("sans réponse", timed_out=True)] * 9})
    log = ListLog()
    repeat = OutgoingMail(user_id=1, address="a", message=mails("a")[0].message, maybe_delivered=True)
    deliver([repeat], recorder.connect, log, policy=ONE, check=go_on)
    assert log.results == [("a", "abandoned", "sans réponse")]
    assert recorder.tried == ["a"]


def test_a_temporary_refusal_is_tried_once_more_after_the_others() -> None:
    """The second attempt comes after the pause, and after all other mails."""
    recorder = Recorder({"a": [TemporaryRecipientError("greylisting")]})
    started = monotonic()
    results = delivered(recorder, "abc", DeliveryPolicy(connections=1, retry_after=0.3))
    assert results == [(name, "delivered", None) for name in "bca"]
    assert recorder.tried == ["a", "b", "c", "a"]
    assert 0.3 <= monotonic() - started < 2


def test_few_mails_are_composed_ahead() -> None:
    """While the first mails wait for the server, only a few more are composed: memory stays bounded."""
    recorder = BlockedRecorder()
    composed: list[str] = []
    counts: list[int] = []
    caller = threading.get_ident()

    def compose() -> Iterator[OutgoingMail]:
        for mail in mails("abcdefghijklmnopqrst"):
            composed.append(mail.address)
            yield mail

    def check() -> None:
        if threading.get_ident() != caller:
            return
        if counts[-5:] == [len(composed)] * 5:  # five checks without a new mail: the delivery waits
            recorder.released.set()
        counts.append(len(composed))

    log = ListLog()
    deliver(compose(), recorder.connect, log, policy=TWO, check=check)
    assert len(log.results) == 20
    composed_ahead = next(
        count for number, count in enumerate(counts) if counts[number : number + 5] == [count] * 5
    )
    assert composed_ahead == 2 + 4
