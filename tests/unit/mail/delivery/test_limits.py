"""Errors of a mail server: which of them end a delivery, and which slow it down."""

from collections import Counter
from dataclasses import replace
from email.message import EmailMessage
from time import monotonic

import pytest

from cavecron.errors import CavecronError, StoppedError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.errors import (
    ConnectionLostError,
    PermanentServerError,
    SenderRefusedError,
    ServerBusyError,
    ServerUnavailableError,
    TemporaryRecipientError,
    ThrottledError,
)
from cavecron.mail.models import OutgoingMail
from tests.support.deliveries import ONE, TWO, ListLog, delivered, failed_delivery, go_on, mails
from tests.support.transports import Recorder, SlowRecorder


@pytest.mark.parametrize("error", [PermanentServerError("refus"), ServerUnavailableError("panne")], ids=repr)
def test_an_error_of_the_server_ends_the_delivery(error: CavecronError) -> None:
    """Earlier results are recorded, the failed mail is deferred, the error is raised, and no more is sent."""
    recorder = Recorder({"c": [error]})
    results, raised = failed_delivery(recorder, "abcdefghij")
    assert raised is error
    assert results == [("a", "delivered", None), ("b", "delivered", None), ("c", "deferred", str(error))]
    assert recorder.tried == ["a", "b", "c"]
    assert recorder.closed == 1


def test_an_unreachable_server_is_one_error() -> None:
    """There is one error for the whole delivery, and no mail is recorded as started."""
    recorder = Recorder({"": [ServerUnavailableError("injoignable")]})
    results, raised = failed_delivery(recorder, "abcdef", TWO)
    assert (results, str(raised), recorder.opened, recorder.tried) == ([], "injoignable", 1, [])


def test_a_programming_error_in_a_transport_is_raised_by_the_delivery() -> None:
    """It is not lost in the thread of the worker."""
    recorder = Recorder({"a": [ZeroDivisionError()]})
    with pytest.raises(ZeroDivisionError):
        deliver(mails("ab"), recorder.connect, ListLog(), check=go_on)


@pytest.mark.parametrize(
    "refusal",
    [
        ThrottledError("trop"),
        ServerUnavailableError("injoignable"),
        PermanentServerError("identification refusée"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_refused_second_connection_falls_back_to_one(refusal: CavecronError) -> None:
    """All mails are delivered over the connections that could be opened."""
    recorder = SlowRecorder({"": [None, refusal, refusal, refusal]})
    results = delivered(recorder, "abcdefghij", DeliveryPolicy(connections=4))
    assert sorted(results) == [(name, "delivered", None) for name in "abcdefghij"]
    assert 2 <= recorder.opened <= 4


def test_a_connection_is_replaced_after_the_allowed_number_of_mails() -> None:
    """Ten mails with at most three for each connection need four connections."""
    recorder = Recorder()
    policy = DeliveryPolicy(connections=1, max_per_connection=3)
    results = delivered(recorder, "abcdefghij", policy)
    assert results == [(name, "delivered", None) for name in "abcdefghij"]
    assert (recorder.connections, recorder.opened, recorder.closed) == (1, 4, 4)


def test_a_mail_whose_connection_was_lost_is_tried_again_after_the_others() -> None:
    """A new connection is used, and the first attempt does not count as a failure."""
    recorder = Recorder({"b": [ConnectionLostError("coupée", timed_out=False)]})
    assert delivered(recorder, "abc", ONE) == [(name, "delivered", None) for name in "acb"]
    assert recorder.tried == ["a", "b", "c", "b"]
    assert recorder.opened == 2


def test_every_connection_is_opened_anew_after_one_was_lost() -> None:
    """The other connections may have died too, without notice, while the delivery waited for a limit."""
    recorder = SlowRecorder({"e": [ConnectionLostError("coupée", timed_out=True)]})
    policy = replace(TWO, connections=3)
    results = delivered(recorder, "abcdefghijklmnop", policy)
    assert sorted(results) == [(name, "delivered", None) for name in "abcdefghijklmnop"]
    assert recorder.opened == 2 * recorder.connections


def test_a_connection_that_the_server_closes_after_some_mails_costs_no_pause() -> None:
    """After 421 the same mail is sent at once over a new connection, before the later ones."""
    recorder = Recorder({"c": [ThrottledError("assez", closing=True)]})
    policy = DeliveryPolicy(connections=1, pauses=(30.0,))
    assert delivered(recorder, "abcd", policy) == [(name, "delivered", None) for name in "abcd"]
    assert recorder.tried == ["a", "b", "c", "c", "d"]


def test_a_throttling_server_gets_its_pauses_and_then_the_rest() -> None:
    """The throttled mail keeps its place: after the pauses the delivery goes on with it."""
    recorder = Recorder({"c": [ThrottledError("trop vite")] * 3})
    started = monotonic()
    results = delivered(recorder, "abcde", ONE)
    assert results == [(name, "delivered", None) for name in "abcde"]
    assert recorder.tried == ["a", "b", "c", "c", "c", "c", "d", "e"]
    assert monotonic() - started >= 0.06


def test_a_server_that_throttles_too_long_ends_the_delivery() -> None:
    """After the last pause the mail is deferred, and a temporary error is raised."""
    recorder = Recorder({"c": [ThrottledError("trop vite")] * 9})
    results, raised = failed_delivery(recorder, "abcde")
    assert type(raised) is ServerUnavailableError
    assert results == [("a", "delivered", None), ("b", "delivered", None), ("c", "deferred", "trop vite")]
    assert len(recorder.tried) == 2 + 4


def test_a_server_that_throttles_at_the_first_connection_ends_the_delivery() -> None:
    """The error is raised at once, because the caller decides when to try again."""
    recorder = Recorder({"": [ThrottledError("trop")]})
    results, raised = failed_delivery(recorder, "abc")
    assert (results, str(raised)) == ([], "trop")


def test_a_server_that_throttles_at_a_later_connection_is_waited_for() -> None:
    """It accepted mails before, so the delivery pauses and connects again."""
    recorder = Recorder({"": [None, ThrottledError("trop"), ThrottledError("trop")]})
    policy = DeliveryPolicy(connections=1, max_per_connection=2, pauses=(0.01, 0.02, 0.03))
    results = delivered(recorder, "abc", policy)
    assert results == [(name, "delivered", None) for name in "abc"]


def test_a_busy_server_is_sent_the_next_mails_more_slowly() -> None:
    """Each refusal is followed by a pause, and the refused mail is tried again after the others."""
    recorder = Recorder({"a": [ServerBusyError("occupé")], "b": [ServerBusyError("occupé")]})
    policy = DeliveryPolicy(connections=1, pauses=(0.2, 0.3), retry_after=0.01)
    started = monotonic()
    results = delivered(recorder, "abc", policy)
    assert sorted(results) == [(name, "delivered", None) for name in "abc"]
    assert recorder.tried == ["a", "b", "c", "a", "b"]
    assert monotonic() - started >= 0.5


@pytest.mark.parametrize(("timed_out", "most"), [(True, 2), (False, 3)], ids=["time-out", "closed"])
def test_connections_that_are_lost_in_a_row_end_the_delivery(timed_out: bool, most: int) -> None:
    """If no mail gets through in between, the mails that were tried are deferred to a later delivery."""
    names = "abcdefghij"
    recorder = Recorder({name: [ConnectionLostError("coupée", timed_out=timed_out)] * 9 for name in names})
    results, raised = failed_delivery(recorder, names)
    assert type(raised) is ServerUnavailableError
    assert results == [(name, "deferred", "coupée") for name in names[:most]]


def test_occasional_lost_connections_do_not_end_the_delivery() -> None:
    """Every third mail is lost by a time-out, and arrives at its second attempt."""
    names = "abcdefghijklmno"
    recorder = Recorder({name: [ConnectionLostError("délai", timed_out=True)] for name in names[::3]})
    results = delivered(recorder, names, TWO)
    assert sorted(results) == [(name, "delivered", None) for name in names]


def test_a_refused_sender_concerns_one_mail_if_the_next_one_passes() -> None:
    """That mail is refused permanently, and the others are delivered."""
    recorder = Recorder({"a": [SenderRefusedError("expéditeur refusé")] * 2})
    results = delivered(recorder, "abc", ONE)
    assert sorted(results) == [
        ("a", "refused", "expéditeur refusé"),
        ("b", "delivered", None),
        ("c", "delivered", None),
    ]


@pytest.mark.parametrize("names", ["a", "ab", "abcdef"])
def test_a_sender_refused_twice_ends_the_delivery(names: str) -> None:
    """One refusal is enough for a single mail; refused mails are deferred until the setting is corrected."""
    recorder = Recorder({name: [SenderRefusedError("expéditeur refusé")] * 9 for name in names})
    results, raised = failed_delivery(recorder, names)
    assert type(raised) is PermanentServerError
    assert results == [(name, "deferred", "expéditeur refusé") for name in names[:2]]


def test_no_more_mails_are_sent_in_a_minute_than_allowed() -> None:
    """Four of ten mails are sent, and then the delivery waits, until the test stops it."""
    recorder = Recorder()
    started = monotonic()
    log = ListLog()

    def check() -> None:
        if monotonic() > started + 0.5:
            raise StoppedError("arrêt")

    policy = DeliveryPolicy(max_per_minute=4)
    with pytest.raises(StoppedError):
        deliver(mails("abcdefghij"), recorder.connect, log, policy=policy, check=check)
    assert sorted(log.results) == [(name, "delivered", None) for name in "abcd"]
    assert len(recorder.tried) == 4


def test_many_deferred_mails_are_not_all_kept_in_memory() -> None:
    """200 of 300 refused mails wait for a second attempt, and the others are deferred to a later delivery."""
    names = [f"{number}@x" for number in range(300)]
    outgoing = [OutgoingMail(user_id=n, address=name, message=EmailMessage()) for n, name in enumerate(names)]
    recorder = Recorder({name: [TemporaryRecipientError("plus tard")] for name in names})
    log = ListLog()
    deliver(outgoing, recorder.connect, log, policy=TWO, check=go_on)
    statuses = Counter(status for _, status, _ in log.results)
    assert statuses.total() == 300
    assert (
        98 <= statuses["deferred"] <= 100
    )  # one or two places become free while the last mails are in flight
