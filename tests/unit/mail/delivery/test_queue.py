"""The pure core of a mailing, by random courses of events: nobody is forgotten, nobody is told twice."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from cavecron.mail.delivery.queue import Sorting
from cavecron.mail.errors import (
    BusyError,
    LostError,
    RecipientError,
    SenderRefusedError,
    ServerUnavailableError,
    TemporaryRecipientError,
    ThrottledError,
    UnknownFateError,
)
from cavecron.mail.models import Attempt, Fate, Turn
from tests.support.deliveries import letters

_ANSWERS = (
    None,
    RecipientError("non"),
    SenderRefusedError("pas lui"),
    TemporaryRecipientError("plus tard"),
    BusyError("moins vite"),
    LostError("coupé", timed_out=False),
    LostError("muet", timed_out=True),
    UnknownFateError("sans verdict", timed_out=False),
    ThrottledError("pause"),
    ServerUnavailableError("panne"),
)


class _Course:
    """A mailing whose server answers as it likes, in any order, and which ends at any moment."""

    def __init__(self, names: str) -> None:
        self.sorting = Sorting(second_try=10)
        self.now = 0.0
        self.under_way: list[Attempt] = []
        self.doubt: set[str] = set()
        self.fates: dict[str, list[Fate]] = {}
        self.started: Counter[str] = Counter()
        self.maybe: Counter[str] = Counter()
        for letter in letters(names):
            self.sorting.add(letter)

    def start(self, *, handed_over: bool) -> None:
        """Hand the next letter over, or be stopped in between."""
        wait = self.sorting.wait(self.now)
        if wait is None:
            return
        self.now += wait
        attempt = self.sorting.take()
        self.note(self.sorting.turn((attempt,)))
        if handed_over:
            self.under_way.append(attempt)
            self.started[attempt.letter.address] += 1
        else:
            self.sorting.take_back(attempt)

    def answer(self, which: int, error: Exception | None) -> None:
        """Settle one that is under way."""
        attempt = self.under_way.pop(which % len(self.under_way))
        self.maybe[attempt.letter.address] += error is None or isinstance(error, UnknownFateError)
        if isinstance(error, ThrottledError):
            self.sorting.put_back(attempt, error)
        else:
            self.sorting.settle(attempt, error, self.now)
        if not self.sorting.trouble:  # else its last turn tells of this too
            self.note(self.sorting.turn())

    def note(self, turn: Turn) -> None:
        """Do what a ledger does."""
        for delivery in turn.results:
            self.fates.setdefault(delivery.letter.address, []).append(delivery.fate)
            self.doubt.discard(delivery.letter.address)  # put off before, perhaps
        for letter in turn.put_off:
            assert letter.address not in self.fates
            self.doubt.remove(letter.address)
        self.doubt |= {letter.address for letter in turn.starting}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["start", "answer"]), st.integers(0, 9), st.sampled_from(_ANSWERS))),
    st.booleans(),
)
def test_whoever_was_begun_is_told_once_however_it_ends(
    events: list[tuple[str, int, Exception | None]], stopped_in_between: bool
) -> None:
    """And what is told is possible: delivered only what was, unknown only what may have been."""
    course = _Course("abcdef")
    for what, which, error in events:
        if course.sorting.trouble:
            break
        if what == "start":
            course.start(handed_over=True)
        elif course.under_way:
            course.answer(which, error)
    if stopped_in_between and not course.sorting.trouble:
        course.start(handed_over=False)
    hanging = {attempt.letter.address for attempt in course.under_way}
    course.sorting.break_off(tuple(course.under_way), "trop tard")
    course.note(course.sorting.turn())
    assert course.doubt == set()
    assert set(course.fates) == set(course.started)
    for address, fates in course.fates.items():
        (fate,) = fates
        if fate is Fate.DEFERRED:
            assert course.maybe[address] == 0
        elif fate is Fate.UNKNOWN:
            assert course.maybe[address] or address in hanging
        elif fate is Fate.DELIVERED:
            assert course.maybe[address] >= 1
