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
from tests.support.deliveries import ONE, TWO, ListLog, cut_short, delivered, go_on, mails
from tests.support.transports import Recorder, SlowRecorder


@pytest.mark.parametrize(
    "trouble", [PermanentServerError("refus"), ServerUnavailableError("panne")], ids=repr
)
def test_a_trouble_of_the_server_ends_the_delivery_after_what_was_delivered(trouble: CavecronError) -> None:
    """What was begun is told, the trouble is raised, and nothing more is sent."""
    recorder = Recorder({"c": [trouble]})
    results, raised = cut_short(recorder, "abcdefghij")
    assert raised is trouble
    assert results == [("a", "delivered", None), ("b", "delivered", None), ("c", "deferred", str(trouble))]
    assert recorder.tried == ["a", "b", "c"]
    assert recorder.closed == 1


def test_a_server_that_cannot_be_opened_is_told_once() -> None:
    """One error for the delivery, not one for each user; nobody was begun."""
    recorder = Recorder({"": [ServerUnavailableError("injoignable")]})
    results, raised = cut_short(recorder, "abcdef", TWO)
    assert (results, str(raised), recorder.opened, recorder.tried) == ([], "injoignable", 1, [])


def test_a_mistake_in_a_transport_is_raised_where_the_delivery_was_asked_for() -> None:
    """A programming error in a thread does not vanish in it."""
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
    """No mail is lost and nobody fails."""
    recorder = SlowRecorder({"": [None, refusal, refusal, refusal]})
    results = delivered(recorder, "abcdefghij", DeliveryPolicy(connections=4))
    assert sorted(results) == [(name, "delivered", None) for name in "abcdefghij"]
    assert 2 <= recorder.opened <= 4


def test_a_connection_is_opened_anew_after_so_many_mails() -> None:
    """Ten mails, three for each connection."""
    recorder = Recorder()
    policy = DeliveryPolicy(connections=1, max_per_connection=3)
    results = delivered(recorder, "abcdefghij", policy)
    assert results == [(name, "delivered", None) for name in "abcdefghij"]
    assert (recorder.connections, recorder.opened, recorder.closed) == (1, 4, 4)


def test_a_mail_whose_connection_was_lost_is_tried_again_after_the_others() -> None:
    """Over a new connection; nobody is told of the first try as a failure."""
    recorder = Recorder({"b": [ConnectionLostError("coupée", timed_out=False)]})
    assert delivered(recorder, "abc", ONE) == [(name, "delivered", None) for name in "acb"]
    assert recorder.tried == ["a", "b", "c", "b"]
    assert recorder.opened == 2


def test_every_connection_is_opened_anew_after_one_was_lost() -> None:
    """They may all have died without a word, while a limit was waited for."""
    recorder = SlowRecorder({"e": [ConnectionLostError("coupée", timed_out=True)]})
    policy = replace(TWO, connections=3)
    results = delivered(recorder, "abcdefghijklmnop", policy)
    assert sorted(results) == [(name, "delivered", None) for name in "abcdefghijklmnop"]
    assert recorder.opened == 2 * recorder.connections


def test_a_connection_that_the_server_closes_after_some_mails_costs_no_pause() -> None:
    """421 to the third mail over it: the mail goes over a new one at once, and stays in its place."""
    recorder = Recorder({"c": [ThrottledError("assez", closing=True)]})
    policy = DeliveryPolicy(connections=1, pauses=(30.0,))
    assert delivered(recorder, "abcd", policy) == [(name, "delivered", None) for name in "abcd"]
    assert recorder.tried == ["a", "b", "c", "c", "d"]


def test_a_throttling_server_gets_its_pauses_and_then_the_rest() -> None:
    """The mail is not put behind the others: the delivery resumes where it was."""
    recorder = Recorder({"c": [ThrottledError("trop vite")] * 3})
    started = monotonic()
    results = delivered(recorder, "abcde", ONE)
    assert results == [(name, "delivered", None) for name in "abcde"]
    assert recorder.tried == ["a", "b", "c", "c", "c", "c", "d", "e"]
    assert monotonic() - started >= 0.06


def test_patience_with_a_throttling_server_has_an_end() -> None:
    """After the last pause the delivery ends, to be taken up later; who was begun is told."""
    recorder = Recorder({"c": [ThrottledError("trop vite")] * 9})
    results, raised = cut_short(recorder, "abcde")
    assert type(raised) is ServerUnavailableError
    assert results == [("a", "delivered", None), ("b", "delivered", None), ("c", "deferred", "trop vite")]
    assert len(recorder.tried) == 2 + 4


def test_a_server_that_throttles_at_the_first_word_is_told_at_once() -> None:
    """Nothing got through yet: whoever asked for the delivery decides when to come again."""
    recorder = Recorder({"": [ThrottledError("trop")]})
    results, raised = cut_short(recorder, "abc")
    assert (results, str(raised)) == ([], "trop")


def test_a_server_that_throttles_when_called_again_is_waited_for() -> None:
    """It was there a moment ago."""
    recorder = Recorder({"": [None, ThrottledError("trop"), ThrottledError("trop")]})
    policy = DeliveryPolicy(connections=1, max_per_connection=2, pauses=(0.01, 0.02, 0.03))
    results = delivered(recorder, "abc", policy)
    assert results == [(name, "delivered", None) for name in "abc"]


def test_a_busy_server_is_sent_the_next_mails_more_slowly() -> None:
    """The mail is tried again after the others, and each refusal costs a pause."""
    recorder = Recorder({"a": [ServerBusyError("occupé")], "b": [ServerBusyError("occupé")]})
    policy = DeliveryPolicy(connections=1, pauses=(0.2, 0.3), retry_after=0.01)
    started = monotonic()
    results = delivered(recorder, "abc", policy)
    assert sorted(results) == [(name, "delivered", None) for name in "abc"]
    assert recorder.tried == ["a", "b", "c", "a", "b"]
    assert monotonic() - started >= 0.5


@pytest.mark.parametrize(("timed_out", "most"), [(True, 2), (False, 3)], ids=["time-out", "closed"])
def test_a_server_that_loses_one_after_another_ends_the_delivery(timed_out: bool, most: int) -> None:
    """With nothing getting through in between; those that were lost are for a later delivery."""
    names = "abcdefghij"
    recorder = Recorder({name: [ConnectionLostError("coupée", timed_out=timed_out)] * 9 for name in names})
    results, raised = cut_short(recorder, names)
    assert type(raised) is ServerUnavailableError
    assert results == [(name, "deferred", "coupée") for name in names[:most]]


def test_a_loss_now_and_then_is_nobodys_trouble_but_its_own() -> None:
    """Every third mail is lost by a time-out: the others arrive, and those at their second try."""
    names = "abcdefghijklmno"
    recorder = Recorder({name: [ConnectionLostError("délai", timed_out=True)] for name in names[::3]})
    results = delivered(recorder, names, TWO)
    assert sorted(results) == [(name, "delivered", None) for name in names]


def test_a_refused_sender_is_one_mails_trouble_where_the_next_one_passes() -> None:
    """As a refusal for good, of that mail."""
    recorder = Recorder({"a": [SenderRefusedError("expéditeur refusé")] * 2})
    results = delivered(recorder, "abc", ONE)
    assert sorted(results) == [
        ("a", "refused", "expéditeur refusé"),
        ("b", "delivered", None),
        ("c", "delivered", None),
    ]


@pytest.mark.parametrize("names", ["a", "ab", "abcdef"])
def test_a_sender_refused_twice_ends_the_delivery(names: str) -> None:
    """Or once, where there is nobody else; those it was refused for are mailed once it is corrected."""
    recorder = Recorder({name: [SenderRefusedError("expéditeur refusé")] * 9 for name in names})
    results, raised = cut_short(recorder, names)
    assert type(raised) is PermanentServerError
    assert results == [(name, "deferred", "expéditeur refusé") for name in names[:2]]


def test_no_more_mails_go_out_in_a_minute_than_may() -> None:
    """Four of ten, then it waits; until it is told to stop, here."""
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


def test_many_put_off_mails_are_not_all_kept_in_memory() -> None:
    """Of 300 refused for now 200 wait for their second try, the others are for a later delivery."""
    names = [f"{number}@x" for number in range(300)]
    many = [OutgoingMail(user_id=n, address=name, message=EmailMessage()) for n, name in enumerate(names)]
    recorder = Recorder({name: [TemporaryRecipientError("plus tard")] for name in names})
    log = ListLog()
    deliver(many, recorder.connect, log, policy=TWO, check=go_on)
    statuses = Counter(status for _, status, _ in log.results)
    assert statuses.total() == 300
    assert 98 <= statuses["deferred"] <= 100  # one or two make room while the last ones are on their way
