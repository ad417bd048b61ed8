"""Troubles of a mail server: which end a mailing, which only slow it down."""

from collections import Counter
from email.message import EmailMessage
from time import monotonic, sleep

import pytest

from cavecron.errors import CavecronError, StoppedError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import Pace
from cavecron.mail.errors import (
    BusyError,
    LostError,
    SenderRefusedError,
    ServerError,
    ServerUnavailableError,
    TemporaryRecipientError,
    ThrottledError,
)
from cavecron.mail.models import Letter
from tests.support.deliveries import ONE, TWO, Told, cut_short, go_on, letters, tell, told_of
from tests.support.transports import Recorder


@pytest.mark.parametrize("trouble", [ServerError("refus"), ServerUnavailableError("panne")], ids=repr)
def test_a_trouble_of_the_server_ends_the_mailing_after_what_was_delivered(trouble: CavecronError) -> None:
    """What was begun is told, the trouble is raised, and nothing more is sent."""
    recorder = Recorder({"c": [trouble]})
    told, raised = cut_short(recorder, "abcdefghij")
    assert raised is trouble
    assert told == [("a", "delivered", None), ("b", "delivered", None), ("c", "deferred", str(trouble))]
    assert recorder.tried == ["a", "b", "c"]
    assert recorder.closed == 1


def test_a_server_that_cannot_be_opened_is_told_once() -> None:
    """One error for the mailing, not one for each user; nobody was begun."""
    recorder = Recorder({"": [ServerUnavailableError("injoignable")]})
    told, raised = cut_short(recorder, "abcdef", TWO)
    assert (told, str(raised), recorder.opened, recorder.tried) == ([], "injoignable", 1, [])


def test_a_mistake_in_a_transport_is_raised_where_the_mailing_was_asked_for() -> None:
    """A programming error in a thread does not vanish in it."""
    recorder = Recorder({"a": [ZeroDivisionError()]})
    with pytest.raises(ZeroDivisionError):
        list(deliver(letters("ab"), recorder.connect, check=go_on))


@pytest.mark.parametrize(
    "refusal",
    [ThrottledError("trop"), ServerUnavailableError("injoignable"), ServerError("identification refusée")],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_refused_second_connection_falls_back_to_one(refusal: CavecronError) -> None:
    """No letter is lost and nobody fails."""
    recorder = Recorder({"": [None, refusal, refusal, refusal]})
    told = told_of(deliver(letters("abcdefghij"), recorder.connect, pace=Pace(connections=4), check=go_on))
    assert sorted(told) == [(name, "delivered", None) for name in "abcdefghij"]
    assert recorder.opened == 4


def test_a_connection_is_opened_anew_after_so_many_letters() -> None:
    """Ten letters, three for each connection."""
    recorder = Recorder()
    pace = Pace(connections=1, per_connection=3)
    told = told_of(deliver(letters("abcdefghij"), recorder.connect, pace=pace, check=go_on))
    assert told == [(name, "delivered", None) for name in "abcdefghij"]
    assert (recorder.connections, recorder.opened, recorder.closed) == (1, 4, 4)


def test_a_closed_connection_is_opened_anew_at_once() -> None:
    """The letter keeps its place, and nobody is told."""
    recorder = Recorder({"b": [LostError("coupée", timed_out=False)]})
    told = told_of(deliver(letters("abc"), recorder.connect, pace=ONE, check=go_on))
    assert told == [(name, "delivered", None) for name in "abc"]
    assert recorder.tried == ["a", "b", "b", "c"]


def test_a_throttling_server_gets_its_pauses_and_then_the_rest() -> None:
    """The letter is not put behind the others: the mailing resumes where it was."""
    recorder = Recorder({"c": [ThrottledError("trop vite")] * 3})
    started = monotonic()
    told = told_of(deliver(letters("abcde"), recorder.connect, pace=ONE, check=go_on))
    assert told == [(name, "delivered", None) for name in "abcde"]
    assert recorder.tried == ["a", "b", "c", "c", "c", "c", "d", "e"]
    assert monotonic() - started >= 0.06


def test_patience_with_a_throttling_server_has_an_end() -> None:
    """After the last pause the mailing ends, to be taken up later; who was begun is told."""
    recorder = Recorder({"c": [ThrottledError("trop vite")] * 9})
    told, raised = cut_short(recorder, "abcde")
    assert type(raised) is ServerUnavailableError
    assert told == [("a", "delivered", None), ("b", "delivered", None), ("c", "deferred", "trop vite")]
    assert len(recorder.tried) == 2 + 4


def test_a_server_that_throttles_at_the_first_word_is_told_at_once() -> None:
    """Nothing got through yet: whoever asked for the mailing decides when to come again."""
    recorder = Recorder({"": [ThrottledError("trop")]})
    told, raised = cut_short(recorder, "abc")
    assert (told, str(raised)) == ([], "trop")


def test_a_server_that_throttles_when_called_again_is_waited_for() -> None:
    """It was there a moment ago."""
    recorder = Recorder({"": [None, ThrottledError("trop"), ThrottledError("trop")]})
    pace = Pace(connections=1, per_connection=2, pauses=(0.01, 0.02, 0.03))
    told = told_of(deliver(letters("abc"), recorder.connect, pace=pace, check=go_on))
    assert told == [(name, "delivered", None) for name in "abc"]


class Slow(Recorder):
    """Takes five milliseconds for each letter, one letter after the other."""

    def send(self, address: str) -> None:
        """Take its time."""
        sleep(0.005)
        super().send(address)


def test_results_share_a_turn_where_noting_them_down_takes_long() -> None:
    """Two connections that are answered by turns would cost a transaction for each letter otherwise."""
    recorder = Slow()
    turns = 0
    for _turn in deliver(letters("abcdefghijklmnopqrstuvwxyz" * 2), recorder.connect, check=go_on):
        turns += 1
        sleep(0.02)  # what a transaction takes
    assert len(recorder.delivered) == 52
    assert turns <= 0.75 * 52


def test_a_busy_server_is_sent_the_next_letters_more_slowly() -> None:
    """The letter is tried again after the others, and each refusal costs a pause."""
    recorder = Recorder({"a": [BusyError("occupé")], "b": [BusyError("occupé")]})
    pace = Pace(connections=1, pauses=(0.2, 0.3), second_try=0.01)
    started = monotonic()
    told = told_of(deliver(letters("abc"), recorder.connect, pace=pace, check=go_on))
    assert sorted(told) == [(name, "delivered", None) for name in "abc"]
    assert recorder.tried == ["a", "b", "c", "a", "b"]
    assert monotonic() - started >= 0.5


@pytest.mark.parametrize(("timed_out", "most"), [(True, 2), (False, 3)], ids=["time-out", "closed"])
def test_a_server_that_loses_one_after_another_ends_the_mailing(timed_out: bool, most: int) -> None:
    """With nothing getting through in between; those that were lost are for a later mailing."""
    names = "abcdefghij"
    recorder = Recorder({name: [LostError("coupée", timed_out=timed_out)] * 9 for name in names})
    told, raised = cut_short(recorder, names)
    assert type(raised) is ServerUnavailableError
    assert told == [(name, "deferred", "coupée") for name in names[:most]]


def test_a_loss_now_and_then_is_nobodys_trouble_but_its_own() -> None:
    """Every third letter is lost by a time-out: the others arrive, and those at their second try."""
    names = "abcdefghijklmno"
    recorder = Recorder({name: [LostError("délai", timed_out=True)] for name in names[::3]})
    told = told_of(deliver(letters(names), recorder.connect, pace=TWO, check=go_on))
    assert sorted(told) == [(name, "delivered", None) for name in names]


def test_a_refused_sender_is_one_letters_trouble_where_the_next_one_passes() -> None:
    """As a refusal for good, of that letter."""
    recorder = Recorder({"a": [SenderRefusedError("expéditeur refusé")]})
    told = told_of(deliver(letters("abc"), recorder.connect, pace=ONE, check=go_on))
    assert sorted(told) == [
        ("a", "refused", "expéditeur refusé"),
        ("b", "delivered", None),
        ("c", "delivered", None),
    ]


@pytest.mark.parametrize("names", ["a", "ab", "abcdef"])
def test_a_sender_refused_twice_ends_the_mailing(names: str) -> None:
    """Or once, where there is nobody else; those it was refused for are mailed once it is corrected."""
    recorder = Recorder({name: [SenderRefusedError("expéditeur refusé")] for name in names})
    told, raised = cut_short(recorder, names)
    assert type(raised) is ServerError
    assert told == [(name, "deferred", "expéditeur refusé") for name in names[:2]]


def test_no_more_letters_go_out_in_a_minute_than_may() -> None:
    """Four of ten, then it waits; until it is told to stop, here."""
    recorder = Recorder()
    started = monotonic()
    told: list[Told] = []

    def check() -> None:
        if monotonic() > started + 0.5:
            raise StoppedError("arrêt")

    with pytest.raises(StoppedError):
        tell(told, deliver(letters("abcdefghij"), recorder.connect, pace=Pace(per_minute=4), check=check))
    assert sorted(told) == [(name, "delivered", None) for name in "abcd"]
    assert len(recorder.tried) == 4


def test_many_put_off_letters_are_not_all_kept_in_memory() -> None:
    """Of 300 refused for now 200 wait for their second try, the others are for a later mailing."""
    names = [f"{number}@x" for number in range(300)]
    many = [Letter(user_id=n, address=name, message=EmailMessage()) for n, name in enumerate(names)]
    recorder = Recorder({name: [TemporaryRecipientError("plus tard")] for name in names})
    told = told_of(deliver(many, recorder.connect, pace=TWO, check=go_on))
    fates = Counter(fate for _, fate, _ in told)
    assert fates.total() == 300
    assert 98 <= fates["deferred"] <= 100  # one or two make room while the last ones are on their way
