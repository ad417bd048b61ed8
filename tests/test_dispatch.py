"""Many mails over a few connections: turns, second tries, pauses, and how a mailing ends."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.message import EmailMessage
from threading import Event
from time import monotonic

import pytest

from cavecron.errors import CavecronError, StoppedError, TimeLimitError
from cavecron.mail.dispatch import deliver
from cavecron.mail.letter import Delivery, Letter, Turn
from cavecron.mail.pace import Pace
from cavecron.mail.trouble import (
    BusyError,
    LostError,
    RecipientError,
    SenderRefusedError,
    ServerError,
    ServerUnavailableError,
    TemporaryRecipientError,
    ThrottledError,
    UnknownFateError,
)
from tests.transports import Recorder

_Told = tuple[str, str, str | None]
_ONE = Pace(connections=1, pauses=(0.01, 0.02, 0.03), second_try=0.01, grace=5.0)
_TWO = Pace(connections=2, pauses=(0.01, 0.02, 0.03), second_try=0.01, grace=5.0)


def _letters(names: str) -> list[Letter]:
    return [
        Letter(user_id=number, address=name, message=EmailMessage())
        for number, name in enumerate(names, start=1)
    ]


def _go_on() -> None:
    """Never stop."""


def _told(turns: Iterable[Turn]) -> list[_Told]:
    return [_said(delivery) for turn in turns for delivery in turn.results]


def _tell(told: list[_Told], turns: Iterable[Turn]) -> None:
    """Add what is told of letters, turn by turn: all of it, where the turns end in an error too."""
    for turn in turns:
        told += _told([turn])


def _said(delivery: Delivery) -> _Told:
    return delivery.letter.address, delivery.fate.value, delivery.error


def _addresses(letters: Iterable[Letter]) -> list[str]:
    return [letter.address for letter in letters]


def _cut_short(recorder: Recorder, names: str, pace: Pace = _ONE) -> tuple[list[_Told], CavecronError]:
    """Return what was told of a mailing that raises, and what it raised."""
    told: list[_Told] = []
    with pytest.raises(CavecronError) as caught:
        _tell(told, deliver(_letters(names), recorder.connect, pace=pace, check=_go_on))
    return told, caught.value


class Held(Recorder):
    """Delivers nothing before `released` is set; `sending` is set once it has something to deliver."""

    def __init__(self) -> None:
        super().__init__()
        self.sending = Event()
        self.released = Event()

    def send(self, address: str) -> None:
        """Wait, then deliver."""
        self.sending.set()
        assert self.released.wait(10)
        super().send(address)


class Watched(Recorder):
    """Notes what is sent while its caller does not have it in `doubt`."""

    def __init__(self, troubles: Mapping[str, Sequence[Exception | None]]) -> None:
        super().__init__(troubles)
        self.doubt: set[str] = set()
        self.surprises: list[str] = []

    def send(self, address: str) -> None:
        """Look, then deliver."""
        if address not in self.doubt:
            self.surprises.append(address)
        super().send(address)


def test_every_letter_is_delivered_in_order_over_one_connection() -> None:
    """Twenty letters: one open, one close, all delivered in the order they were given."""
    recorder = Recorder()
    told = _told(deliver(_letters("abcdefghijklmnopqrst"), recorder.connect, pace=_ONE, check=_go_on))
    assert told == [(name, "delivered", None) for name in "abcdefghijklmnopqrst"]
    assert (recorder.opened, recorder.closed) == (1, 1)


def test_two_connections_share_the_letters() -> None:
    """Both are opened once, and every letter is delivered once."""
    recorder = Recorder()
    told = _told(deliver(_letters("abcdefghijklmnopqrst"), recorder.connect, check=_go_on))
    assert sorted(told) == [(name, "delivered", None) for name in "abcdefghijklmnopqrst"]
    assert (recorder.connections, recorder.opened, recorder.closed) == (2, 2, 2)


def test_as_many_letters_are_on_their_way_as_there_are_connections() -> None:
    """Eight connections: eight wait for the server at the same time, though the first was opened alone."""
    recorder = Held()
    started: list[str] = []

    def check() -> None:
        if len(started) >= 8:
            recorder.released.set()

    turns = deliver(_letters("abcdefghijklmnopqrst"), recorder.connect, pace=Pace(connections=8), check=check)
    for turn in turns:
        started += _addresses(turn.starting)
    assert len(recorder.delivered) == 20
    assert recorder.opened == 8


def test_without_letters_nothing_is_opened() -> None:
    """A mailing to nobody does not bother the server."""
    recorder = Recorder()
    assert _told(deliver([], recorder.connect, check=_go_on)) == []
    assert recorder.opened == 0


def test_one_letter_needs_one_connection() -> None:
    """However many there may be."""
    recorder = Recorder()
    assert _told(deliver(_letters("a"), recorder.connect, check=_go_on)) == [("a", "delivered", None)]
    assert recorder.connections == 1


@pytest.mark.parametrize("connections", [1, 2, 5])
def test_nothing_is_handed_over_before_the_caller_has_noted_it(connections: int) -> None:
    """Whoever is killed at any moment has in doubt what may have been sent, and little more."""
    recorder = Watched(
        {
            "b": [TemporaryRecipientError("plus tard")],
            "d": [RecipientError("jamais")],
            "e": [UnknownFateError("?", timed_out=False)],
            "g": [LostError("perdu", timed_out=False)] * 2,
        }
    )
    pace = Pace(connections=connections, second_try=0.01)
    for turn in deliver(_letters("abcdefghij"), recorder.connect, pace=pace, check=_go_on):
        ended = {delivery.letter.address for delivery in turn.results} | set(_addresses(turn.put_off))
        assert ended <= recorder.doubt
        recorder.doubt -= ended
        recorder.doubt |= set(_addresses(turn.starting))
        assert len(recorder.doubt - {"e"}) <= connections
    assert recorder.doubt == set()
    assert len(recorder.delivered) == 9
    assert recorder.surprises == []


def test_each_letter_is_told_exactly_once() -> None:
    """However often it was tried, its last fate counts; and those without verdict are told as repeated."""
    troubles: dict[str, list[Exception | None]] = {
        "a": [TemporaryRecipientError("greylisting")],
        "b": [TemporaryRecipientError("pleine"), TemporaryRecipientError("toujours pleine")],
        "c": [UnknownFateError("sans verdict", timed_out=False)],
        "d": [UnknownFateError("sans verdict", timed_out=False), TemporaryRecipientError("pas deux fois")],
        "e": [RecipientError("boîte inconnue")],
    }
    recorder = Recorder(troubles)
    turns = list(deliver(_letters("abcdef"), recorder.connect, pace=_ONE, check=_go_on))
    assert sorted(_told(turns)) == [
        ("a", "delivered", None),
        ("b", "deferred", "toujours pleine"),
        ("c", "delivered", None),
        ("d", "unknown", "pas deux fois"),
        ("e", "refused", "boîte inconnue"),
        ("f", "delivered", None),
    ]
    repeated = {delivery.letter.address for turn in turns for delivery in turn.results if delivery.repeated}
    assert repeated == {"c", "d"}
    assert Counter(recorder.tried) == {"a": 2, "b": 2, "c": 2, "d": 2, "e": 1, "f": 1}
    assert Counter(name for turn in turns for name in _addresses(turn.put_off)) == {"a": 1, "b": 1}


def test_a_temporary_refusal_is_tried_once_more_after_the_others() -> None:
    """Not before its time has come."""
    recorder = Recorder({"a": [TemporaryRecipientError("greylisting")]})
    started = monotonic()
    pace = Pace(connections=1, second_try=0.3)
    told = _told(deliver(_letters("abc"), recorder.connect, pace=pace, check=_go_on))
    assert told == [("b", "delivered", None), ("c", "delivered", None), ("a", "delivered", None)]
    assert recorder.tried == ["a", "b", "c", "a"]
    assert 0.3 <= monotonic() - started < 2


def test_many_put_off_letters_are_not_all_kept_in_memory() -> None:
    """Of 300 refused for now 200 wait for their second try, the others are for a later mailing."""
    names = [f"{number}@x" for number in range(300)]
    letters = [Letter(user_id=n, address=name, message=EmailMessage()) for n, name in enumerate(names)]
    recorder = Recorder({name: [TemporaryRecipientError("plus tard")] for name in names})
    told = _told(deliver(letters, recorder.connect, pace=_TWO, check=_go_on))
    fates = Counter(fate for _, fate, _ in told)
    assert fates.total() == 300
    assert 98 <= fates["deferred"] <= 100  # one or two make room while the last ones are on their way


@pytest.mark.parametrize("trouble", [ServerError("refus"), ServerUnavailableError("panne")], ids=repr)
def test_a_trouble_of_the_server_ends_the_mailing_after_what_was_delivered(trouble: CavecronError) -> None:
    """What was begun is told, the trouble is raised, and nothing more is sent."""
    recorder = Recorder({"c": [trouble]})
    told, raised = _cut_short(recorder, "abcdefghij")
    assert raised is trouble
    assert told == [("a", "delivered", None), ("b", "delivered", None), ("c", "deferred", str(trouble))]
    assert recorder.tried == ["a", "b", "c"]
    assert recorder.closed == 1


def test_a_server_that_cannot_be_opened_is_told_once() -> None:
    """One error for the mailing, not one for each user; nobody was begun."""
    recorder = Recorder({"": [ServerUnavailableError("injoignable")]})
    told, raised = _cut_short(recorder, "abcdef", _TWO)
    assert (told, str(raised), recorder.opened, recorder.tried) == ([], "injoignable", 1, [])


def test_a_mistake_in_a_transport_is_raised_where_the_mailing_was_asked_for() -> None:
    """A programming error in a thread does not vanish in it."""
    recorder = Recorder({"a": [ZeroDivisionError()]})
    with pytest.raises(ZeroDivisionError):
        list(deliver(_letters("ab"), recorder.connect, check=_go_on))


@pytest.mark.parametrize(
    "refusal",
    [ThrottledError("trop"), ServerUnavailableError("injoignable"), ServerError("identification refusée")],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_refused_second_connection_falls_back_to_one(refusal: CavecronError) -> None:
    """No letter is lost and nobody fails."""
    recorder = Recorder({"": [None, refusal, refusal, refusal]})
    told = _told(deliver(_letters("abcdefghij"), recorder.connect, pace=Pace(connections=4), check=_go_on))
    assert sorted(told) == [(name, "delivered", None) for name in "abcdefghij"]
    assert recorder.opened == 4


def test_a_connection_is_opened_anew_after_so_many_letters() -> None:
    """Ten letters, three for each connection."""
    recorder = Recorder()
    pace = Pace(connections=1, per_connection=3)
    told = _told(deliver(_letters("abcdefghij"), recorder.connect, pace=pace, check=_go_on))
    assert told == [(name, "delivered", None) for name in "abcdefghij"]
    assert (recorder.connections, recorder.opened, recorder.closed) == (1, 4, 4)


def test_a_closed_connection_is_opened_anew_at_once() -> None:
    """The letter keeps its place, and nobody is told."""
    recorder = Recorder({"b": [LostError("coupée", timed_out=False)]})
    told = _told(deliver(_letters("abc"), recorder.connect, pace=_ONE, check=_go_on))
    assert told == [(name, "delivered", None) for name in "abc"]
    assert recorder.tried == ["a", "b", "b", "c"]


def test_a_throttling_server_gets_its_pauses_and_then_the_rest() -> None:
    """The letter is not put behind the others: the mailing resumes where it was."""
    recorder = Recorder({"c": [ThrottledError("trop vite")] * 3})
    started = monotonic()
    told = _told(deliver(_letters("abcde"), recorder.connect, pace=_ONE, check=_go_on))
    assert told == [(name, "delivered", None) for name in "abcde"]
    assert recorder.tried == ["a", "b", "c", "c", "c", "c", "d", "e"]
    assert monotonic() - started >= 0.06


def test_patience_with_a_throttling_server_has_an_end() -> None:
    """After the last pause the mailing ends, to be taken up later; who was begun is told."""
    recorder = Recorder({"c": [ThrottledError("trop vite")] * 9})
    told, raised = _cut_short(recorder, "abcde")
    assert type(raised) is ServerUnavailableError
    assert told == [("a", "delivered", None), ("b", "delivered", None), ("c", "deferred", "trop vite")]
    assert len(recorder.tried) == 2 + 4


def test_a_server_that_throttles_at_the_first_word_is_told_at_once() -> None:
    """Nothing got through yet: whoever asked for the mailing decides when to come again."""
    recorder = Recorder({"": [ThrottledError("trop")]})
    told, raised = _cut_short(recorder, "abc")
    assert (told, str(raised)) == ([], "trop")


def test_a_server_that_throttles_when_called_again_is_waited_for() -> None:
    """It was there a moment ago."""
    recorder = Recorder({"": [None, ThrottledError("trop"), ThrottledError("trop")]})
    pace = Pace(connections=1, per_connection=2, pauses=(0.01, 0.02, 0.03))
    told = _told(deliver(_letters("abc"), recorder.connect, pace=pace, check=_go_on))
    assert told == [(name, "delivered", None) for name in "abc"]


def test_a_busy_server_is_sent_the_next_letters_more_slowly() -> None:
    """The letter is tried again after the others, and each refusal costs a pause."""
    recorder = Recorder({"a": [BusyError("occupé")], "b": [BusyError("occupé")]})
    pace = Pace(connections=1, pauses=(0.2, 0.3), second_try=0.01)
    started = monotonic()
    told = _told(deliver(_letters("abc"), recorder.connect, pace=pace, check=_go_on))
    assert sorted(told) == [(name, "delivered", None) for name in "abc"]
    assert recorder.tried == ["a", "b", "c", "a", "b"]
    assert monotonic() - started >= 0.5


@pytest.mark.parametrize(("timed_out", "most"), [(True, 2), (False, 3)], ids=["time-out", "closed"])
def test_a_server_that_loses_one_after_another_ends_the_mailing(timed_out: bool, most: int) -> None:
    """With nothing getting through in between; those that were lost are for a later mailing."""
    names = "abcdefghij"
    recorder = Recorder({name: [LostError("coupée", timed_out=timed_out)] * 9 for name in names})
    told, raised = _cut_short(recorder, names)
    assert type(raised) is ServerUnavailableError
    assert told == [(name, "deferred", "coupée") for name in names[:most]]


def test_a_loss_now_and_then_is_nobodys_trouble_but_its_own() -> None:
    """Every third letter is lost by a time-out: the others arrive, and those at their second try."""
    names = "abcdefghijklmno"
    recorder = Recorder({name: [LostError("délai", timed_out=True)] for name in names[::3]})
    told = _told(deliver(_letters(names), recorder.connect, pace=_TWO, check=_go_on))
    assert sorted(told) == [(name, "delivered", None) for name in names]


def test_a_refused_sender_is_one_letters_trouble_where_the_next_one_passes() -> None:
    """As a refusal for good, of that letter."""
    recorder = Recorder({"a": [SenderRefusedError("expéditeur refusé")]})
    told = _told(deliver(_letters("abc"), recorder.connect, pace=_ONE, check=_go_on))
    assert sorted(told) == [
        ("a", "refused", "expéditeur refusé"),
        ("b", "delivered", None),
        ("c", "delivered", None),
    ]


@pytest.mark.parametrize("names", ["a", "ab", "abcdef"])
def test_a_sender_refused_twice_ends_the_mailing(names: str) -> None:
    """Or once, where there is nobody else; those it was refused for are mailed once it is corrected."""
    recorder = Recorder({name: [SenderRefusedError("expéditeur refusé")] for name in names})
    told, raised = _cut_short(recorder, names)
    assert type(raised) is ServerError
    assert told == [(name, "deferred", "expéditeur refusé") for name in names[:2]]


def test_no_more_letters_go_out_in_a_minute_than_may() -> None:
    """Four of ten, then it waits; until it is told to stop, here."""
    recorder = Recorder()
    started = monotonic()
    told: list[_Told] = []

    def check() -> None:
        if monotonic() > started + 0.5:
            raise StoppedError("arrêt")

    with pytest.raises(StoppedError):
        _tell(told, deliver(_letters("abcdefghij"), recorder.connect, pace=Pace(per_minute=4), check=check))
    assert sorted(told) == [(name, "delivered", None) for name in "abcd"]
    assert len(recorder.tried) == 4


def test_few_letters_are_composed_ahead() -> None:
    """While the first are on their way only a handful more are made: memory stays bounded."""
    recorder = Held()
    made: list[str] = []
    looks: list[int] = []

    def composing() -> Iterator[Letter]:
        for letter in _letters("abcdefghijklmnopqrst"):
            made.append(letter.address)
            yield letter

    def check() -> None:
        if looks[-5:] == [len(made)] * 5:  # nothing was made for a second: it waits
            recorder.released.set()
        looks.append(len(made))

    assert len(_told(deliver(composing(), recorder.connect, pace=_TWO, check=check))) == 20
    waiting_at = next(
        count for number, count in enumerate(looks) if looks[number : number + 5] == [count] * 5
    )
    assert waiting_at == 2 + 4


@pytest.mark.parametrize("error", [StoppedError("arrêt"), TimeLimitError("trop long")], ids=repr)
def test_a_stop_lets_letters_on_their_way_finish_and_tells_of_them(error: CavecronError) -> None:
    """Stopped during the first of many: those on their way are delivered and told, no other is sent."""
    recorder = Held()

    def check() -> None:
        if recorder.sending.is_set():
            recorder.released.set()
            raise error

    told: list[_Told] = []
    with pytest.raises(type(error)):
        _tell(told, deliver(_letters("abcdefghij"), recorder.connect, check=check))
    assert sorted(told) == [(name, "delivered", None) for name in recorder.delivered]
    assert 1 <= len(told) <= 2
    assert recorder.closed == recorder.opened


def test_a_letter_that_outlasts_the_grace_has_an_unknown_fate() -> None:
    """Nobody waits for it for ever, and nobody says that it failed."""
    recorder = Held()

    def check() -> None:
        if recorder.sending.is_set():
            raise StoppedError("arrêt")

    told: list[_Told] = []
    started = monotonic()
    with pytest.raises(StoppedError):
        _tell(
            told, deliver(_letters("abc"), recorder.connect, pace=Pace(connections=1, grace=0.3), check=check)
        )
    assert [(name, fate) for name, fate, _ in told] == [("a", "unknown")]
    assert monotonic() - started < 3
    recorder.released.set()


def test_a_stop_between_turn_and_handing_over_takes_the_letters_back() -> None:
    """They were noted as starting: so they are told as put off, and not sent."""
    recorder = Recorder()
    stop: list[bool] = []

    def check() -> None:
        if stop:
            raise StoppedError("arrêt")

    turns: list[Turn] = []

    def note(turn: Turn) -> None:
        turns.append(turn)
        stop.extend([True] * len(turn.starting))

    with pytest.raises(StoppedError):
        list(map(note, deliver(_letters("abc"), recorder.connect, pace=_ONE, check=check)))
    assert [(_addresses(turn.starting), _addresses(turn.put_off)) for turn in turns] == [
        (["a"], []),
        ([], ["a"]),
    ]
    assert recorder.tried == []


def test_a_stop_tells_of_letters_that_wait_for_their_second_try() -> None:
    """Refused for now is deferred, no verdict is unknown; neither waits for its time."""
    recorder = Recorder(
        {
            "a": [TemporaryRecipientError("plus tard")],
            "b": [UnknownFateError("sans verdict", timed_out=False)],
        }
    )

    def check() -> None:
        if recorder.delivered == ["c"]:
            raise StoppedError("arrêt")

    told: list[_Told] = []
    pace = Pace(connections=1, second_try=30)
    with pytest.raises(StoppedError):
        _tell(told, deliver(_letters("abc"), recorder.connect, pace=pace, check=check))
    assert sorted(told) == [
        ("a", "deferred", "plus tard"),
        ("b", "unknown", "sans verdict"),
        ("c", "delivered", None),
    ]


def test_letters_that_cannot_be_made_end_the_mailing_after_those_on_their_way() -> None:
    """What was sent before is told, then the error is raised."""

    def composing() -> Iterator[Letter]:
        yield from _letters("ab")
        raise CavecronError("base illisible")

    recorder = Recorder()
    told: list[_Told] = []
    with pytest.raises(CavecronError, match="illisible"):
        _tell(told, deliver(composing(), recorder.connect, pace=_ONE, check=_go_on))
    assert [name for name, _, _ in told] == recorder.delivered


def test_whoever_leaves_early_ends_the_mailing() -> None:
    """Nothing more is sent, and the connections are closed."""
    recorder = Recorder()
    turns = deliver(_letters("abcdefghij"), recorder.connect, pace=_ONE, check=_go_on)
    for turn in turns:
        if turn.results:
            break
    turns.close()  # type: ignore[attr-defined]
    assert len(recorder.tried) <= 2
    assert recorder.closed == 1
