"""Letters for tests of a mailing, and what its turns tell of them."""

from collections.abc import Iterable
from email.message import EmailMessage

import pytest

from cavecron.errors import CavecronError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import Pace
from cavecron.mail.models import Delivery, Letter, Turn
from tests.support.transports import Recorder

Told = tuple[str, str, str | None]
ONE = Pace(connections=1, pauses=(0.01, 0.02, 0.03), second_try=0.01, grace=5.0)
TWO = Pace(connections=2, pauses=(0.01, 0.02, 0.03), second_try=0.01, grace=5.0)


def letters(names: str) -> list[Letter]:
    """Return a letter for each character, whose address it is."""
    return [
        Letter(user_id=number, address=name, message=EmailMessage())
        for number, name in enumerate(names, start=1)
    ]


def go_on() -> None:
    """Never stop."""


def told_of(turns: Iterable[Turn]) -> list[Told]:
    """Return what the turns tell, in order."""
    return [said(delivery) for turn in turns for delivery in turn.results]


def tell(told: list[Told], turns: Iterable[Turn]) -> None:
    """Add what is told of letters, turn by turn: all of it, where the turns end in an error too."""
    for turn in turns:
        told += told_of([turn])


def said(delivery: Delivery) -> Told:
    """Return what one result says."""
    return delivery.letter.address, delivery.fate.value, delivery.error


def addresses(some: Iterable[Letter]) -> list[str]:
    """Return to whom these letters go."""
    return [letter.address for letter in some]


def cut_short(recorder: Recorder, names: str, pace: Pace = ONE) -> tuple[list[Told], CavecronError]:
    """Return what was told of a mailing that raises, and what it raised."""
    told: list[Told] = []
    with pytest.raises(CavecronError) as caught:
        tell(told, deliver(letters(names), recorder.connect, pace=pace, check=go_on))
    return told, caught.value
