"""Many mails over a few connections: turns, second tries, and how a mailing ends."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from threading import Event
from time import monotonic

import pytest

from cavecron.errors import CavecronError, StoppedError, TimeLimitError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import Pace
from cavecron.mail.errors import LostError, RecipientError, TemporaryRecipientError, UnknownFateError
from cavecron.mail.models import Letter, Turn
from tests.support.deliveries import ONE, TWO, Told, addresses, go_on, letters, tell, told_of
from tests.support.transports import Recorder


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
    told = told_of(deliver(letters("abcdefghijklmnopqrst"), recorder.connect, pace=ONE, check=go_on))
    assert told == [(name, "delivered", None) for name in "abcdefghijklmnopqrst"]
    assert (recorder.opened, recorder.closed) == (1, 1)


def test_two_connections_share_the_letters() -> None:
    """Both are opened once, and every letter is delivered once."""
    recorder = Recorder()
    told = told_of(deliver(letters("abcdefghijklmnopqrst"), recorder.connect, check=go_on))
    assert sorted(told) == [(name, "delivered", None) for name in "abcdefghijklmnopqrst"]
    assert (recorder.connections, recorder.opened, recorder.closed) == (2, 2, 2)


def test_as_many_letters_are_on_their_way_as_there_are_connections() -> None:
    """Eight connections: eight wait for the server at the same time, though the first was opened alone."""
    recorder = Held()
    started: list[str] = []

    def check() -> None:
        if len(started) >= 8:
            recorder.released.set()

    turns = deliver(letters("abcdefghijklmnopqrst"), recorder.connect, pace=Pace(connections=8), check=check)
    for turn in turns:
        started += addresses(turn.starting)
    assert len(recorder.delivered) == 20
    assert recorder.opened == 8


def test_without_letters_nothing_is_opened() -> None:
    """A mailing to nobody does not bother the server."""
    recorder = Recorder()
    assert told_of(deliver([], recorder.connect, check=go_on)) == []
    assert recorder.opened == 0


def test_one_letter_needs_one_connection() -> None:
    """However many there may be."""
    recorder = Recorder()
    assert told_of(deliver(letters("a"), recorder.connect, check=go_on)) == [("a", "delivered", None)]
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
    for turn in deliver(letters("abcdefghij"), recorder.connect, pace=pace, check=go_on):
        ended = {delivery.letter.address for delivery in turn.results} | set(addresses(turn.put_off))
        assert ended <= recorder.doubt
        recorder.doubt -= ended
        recorder.doubt |= set(addresses(turn.starting))
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
    turns = list(deliver(letters("abcdef"), recorder.connect, pace=ONE, check=go_on))
    assert sorted(told_of(turns)) == [
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
    assert Counter(name for turn in turns for name in addresses(turn.put_off)) == {"a": 1, "b": 1}


def test_a_temporary_refusal_is_tried_once_more_after_the_others() -> None:
    """Not before its time has come."""
    recorder = Recorder({"a": [TemporaryRecipientError("greylisting")]})
    started = monotonic()
    pace = Pace(connections=1, second_try=0.3)
    told = told_of(deliver(letters("abc"), recorder.connect, pace=pace, check=go_on))
    assert told == [("b", "delivered", None), ("c", "delivered", None), ("a", "delivered", None)]
    assert recorder.tried == ["a", "b", "c", "a"]
    assert 0.3 <= monotonic() - started < 2


def test_few_letters_are_composed_ahead() -> None:
    """While the first are on their way only a handful more are made: memory stays bounded."""
    recorder = Held()
    made: list[str] = []
    looks: list[int] = []

    def composing() -> Iterator[Letter]:
        for letter in letters("abcdefghijklmnopqrst"):
            made.append(letter.address)
            yield letter

    def check() -> None:
        if looks[-5:] == [len(made)] * 5:  # nothing was made for a second: it waits
            recorder.released.set()
        looks.append(len(made))

    assert len(told_of(deliver(composing(), recorder.connect, pace=TWO, check=check))) == 20
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

    told: list[Told] = []
    with pytest.raises(type(error)):
        tell(told, deliver(letters("abcdefghij"), recorder.connect, check=check))
    assert sorted(told) == [(name, "delivered", None) for name in sorted(recorder.delivered)]
    assert 1 <= len(told) <= 2
    assert recorder.closed == recorder.opened


def test_a_letter_that_outlasts_the_grace_has_an_unknown_fate() -> None:
    """Nobody waits for it for ever, and nobody says that it failed."""
    recorder = Held()

    def check() -> None:
        if recorder.sending.is_set():
            raise StoppedError("arrêt")

    told: list[Told] = []
    started = monotonic()
    with pytest.raises(StoppedError):
        tell(
            told, deliver(letters("abc"), recorder.connect, pace=Pace(connections=1, grace=0.3), check=check)
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
        list(map(note, deliver(letters("abc"), recorder.connect, pace=ONE, check=check)))
    assert [(addresses(turn.starting), addresses(turn.put_off)) for turn in turns] == [
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

    told: list[Told] = []
    pace = Pace(connections=1, second_try=30)
    with pytest.raises(StoppedError):
        tell(told, deliver(letters("abc"), recorder.connect, pace=pace, check=check))
    assert sorted(told) == [
        ("a", "deferred", "plus tard"),
        ("b", "unknown", "sans verdict"),
        ("c", "delivered", None),
    ]


def test_letters_that_cannot_be_made_end_the_mailing_after_those_on_their_way() -> None:
    """What was sent before is told, then the error is raised."""

    def composing() -> Iterator[Letter]:
        yield from letters("ab")
        raise CavecronError("base illisible")

    recorder = Recorder()
    told: list[Told] = []
    with pytest.raises(CavecronError, match="illisible"):
        tell(told, deliver(composing(), recorder.connect, pace=ONE, check=go_on))
    assert [name for name, _, _ in told] == recorder.delivered


def test_whoever_leaves_early_ends_the_mailing() -> None:
    """Nothing more is sent, and the connections are closed."""
    recorder = Recorder()
    turns = deliver(letters("abcdefghij"), recorder.connect, pace=ONE, check=go_on)
    for turn in turns:
        if turn.results:
            break
    turns.close()  # type: ignore[attr-defined]
    assert len(recorder.tried) <= 2
    assert recorder.closed == 1
