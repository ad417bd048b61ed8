"""Many mails over one transport: order, second tries, and how a mailing ends."""

from collections.abc import Iterable, Iterator
from email.message import EmailMessage
from itertools import pairwise
from threading import Event

import pytest

from cavecron.errors import CavecronError, StoppedError
from cavecron.mail.dispatch import Delivery, Letter, deliver
from cavecron.mail.trouble import (
    RecipientError,
    ServerError,
    ServerUnavailableError,
    TemporaryRecipientError,
)
from tests.transports import Recorder


def _letters(names: str) -> list[Letter]:
    return [
        Letter(user_id=number, address=name, message=EmailMessage())
        for number, name in enumerate(names, start=1)
    ]


def _go_on() -> None:
    """Never stop."""


def _told(deliveries: Iterable[Delivery]) -> list[tuple[str, str | None]]:
    return [(delivery.letter.address, delivery.error) for delivery in deliveries]


def _addresses(deliveries: Iterable[Delivery]) -> Iterator[str]:
    return (delivery.letter.address for delivery in deliveries)


class Held(Recorder):
    """Delivers nothing before `released` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.sending = Event()
        self.released = Event()

    def send(self, message: EmailMessage, address: str) -> None:
        """Wait, then deliver."""
        self.sending.set()
        assert self.released.wait(10)
        super().send(message, address)


def test_every_letter_is_delivered_in_order_over_one_transport() -> None:
    """Twenty letters: one open, one close, all delivered in the order they were given."""
    transport = Recorder()
    told = _told(deliver(_letters("abcdefghijklmnopqrst"), transport, check=_go_on))
    assert told == [(name, None) for name in "abcdefghijklmnopqrst"]
    assert (transport.opened, transport.closed) == (1, 1)


def test_without_letters_nothing_is_opened() -> None:
    """A mailing to nobody does not bother the server."""
    transport = Recorder()
    assert _told(deliver([], transport, check=_go_on)) == []
    assert transport.opened == 0


def test_a_final_refusal_concerns_one_letter_only() -> None:
    """The refused letter is told with its reason and not tried again; the others arrive."""
    transport = Recorder({"b": [RecipientError("boîte inconnue")]})
    told = _told(deliver(_letters("abc"), transport, check=_go_on))
    assert told == [("a", None), ("b", "boîte inconnue"), ("c", None)]
    assert transport.tried == ["a", "b", "c"]


def test_a_temporary_refusal_is_tried_once_more_after_the_others() -> None:
    """One that works the second time is delivered; one that does not is a failure with its last reason."""
    transport = Recorder(
        {
            "a": [TemporaryRecipientError("greylisting")],
            "b": [TemporaryRecipientError("pleine"), TemporaryRecipientError("toujours pleine")],
        }
    )
    told = _told(deliver(_letters("abc"), transport, check=_go_on))
    assert told == [("c", None), ("a", None), ("b", "toujours pleine")]
    assert transport.tried == ["a", "b", "c", "a", "b"]


@pytest.mark.parametrize("trouble", [ServerError("refus"), ServerUnavailableError("panne")], ids=repr)
def test_a_trouble_of_the_server_ends_the_mailing_after_what_was_delivered(trouble: CavecronError) -> None:
    """What arrived before is told, the trouble is raised, and nothing more is sent."""
    transport = Recorder({"c": [trouble]})
    told: list[str] = []
    with pytest.raises(type(trouble)):
        told.extend(_addresses(deliver(_letters("abcdefghij"), transport, check=_go_on)))
    assert told == ["a", "b"]
    assert transport.tried == ["a", "b", "c"]
    assert transport.closed == 1


def test_a_server_that_cannot_be_opened_is_told_once() -> None:
    """One error for the mailing, not one for each user."""
    transport = Recorder({"": [ServerUnavailableError("injoignable")]})
    with pytest.raises(ServerUnavailableError, match="injoignable"):
        list(deliver(_letters("abcdef"), transport, check=_go_on))
    assert (transport.opened, transport.tried) == (1, [])


def test_a_mistake_in_a_transport_is_raised_where_the_mailing_was_asked_for() -> None:
    """A programming error in the thread does not vanish in it."""
    with pytest.raises(ZeroDivisionError):
        list(deliver(_letters("ab"), Recorder({"a": [ZeroDivisionError()]}), check=_go_on))


def test_few_letters_are_composed_ahead() -> None:
    """While the first is on its way only a handful more are made: memory stays bounded."""
    transport = Held()
    made: list[str] = []
    looks: list[int] = []

    def composing() -> Iterator[Letter]:
        for letter in _letters("abcdefghijklmnopqrst"):
            made.append(letter.address)
            yield letter

    def check() -> None:
        if looks and looks[-1] == len(made):  # nothing was made between two looks: it waits
            transport.released.set()
        looks.append(len(made))

    assert len(_told(deliver(composing(), transport, check=check))) == 20
    waiting_at = next(count for count, again in pairwise(looks) if count == again)
    assert waiting_at == 5


def test_a_stop_lets_the_letter_on_its_way_finish_and_tells_of_it() -> None:
    """Stopped during the first of many: that one is delivered and told, no other is sent."""
    transport = Held()

    def check() -> None:
        if transport.sending.is_set():
            transport.released.set()
            raise StoppedError("arrêt")

    told: list[str] = []
    with pytest.raises(StoppedError):
        told.extend(_addresses(deliver(_letters("abcdefghij"), transport, check=check)))
    assert told == transport.delivered
    assert len(told) <= 2
    assert transport.closed == 1
