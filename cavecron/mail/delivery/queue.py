"""Which letter is next, which waits for a second try, and what an answer makes of one.

Pure: instants are seconds on a monotonic clock that the caller reads; it knows neither connections nor
threads.
"""

from collections import deque
from dataclasses import replace

from cavecron.mail.errors import (
    LostError,
    RecipientError,
    SenderRefusedError,
    ServerError,
    ServerUnavailableError,
    TemporaryRecipientError,
    UnknownFateError,
)
from cavecron.mail.models import Attempt, Delivery, Fate, Letter, Turn

#: Letters that wait for their second try: each is kept in memory. Beyond, they are for a later mailing.
_MOST_WAITING = 200
#: Seconds before the second try of a letter whose connection was lost.
_AFTER_LOSS = 1.0
#: How many times in a row, with nothing getting through, connections may be lost; by time-outs.
_MOST_LOSSES, _MOST_TIME_OUTS = 3, 2


class Sorting:
    """The letters of a mailing that are not on their way, and what is not told yet of the others."""

    def __init__(self, second_try: float) -> None:
        self._second_try = second_try
        self._ready: deque[Attempt] = deque()
        self._later: list[Attempt] = []
        #: Refused because of their sender, and no other letter got past it since.
        self._suspects: list[Attempt] = []
        self._results: list[Delivery] = []
        self._put_off: list[Letter] = []
        self._losses, self._losses_in_a_row = 0, 0
        self._works = False
        #: What ends the mailing.
        self.trouble: Exception | None = None

    @property
    def ready(self) -> int:
        """Return how many letters wait for their turn, those for a second try not counted."""
        return len(self._ready)

    @property
    def waiting(self) -> int:
        """Return how many letters wait for their second try."""
        return len(self._later)

    @property
    def shaky(self) -> bool:
        """Return whether the last thing heard of the server was that a connection was lost."""
        return self._losses_in_a_row > 0

    @property
    def unsaid(self) -> bool:
        """Return whether there is something to tell."""
        return bool(self._results or self._put_off)

    @property
    def untried(self) -> bool:
        """Return whether a letter was never handed over."""
        return any(not attempt.begun for attempt in self._ready)

    def add(self, letter: Letter) -> None:
        """Take a new letter, the last of those that are ready."""
        self._ready.append(Attempt(letter=letter))

    def wait(self, now: float) -> float | None:
        """Return the seconds until `take` has a letter; None where there is none at all."""
        if self._ready:
            return 0.0
        return max(0.0, self._later[0].due - now) if self._later else None

    def take(self) -> Attempt:
        """Return the next letter, to be handed over."""
        attempt = self._ready.popleft() if self._ready else self._later.pop(0)
        return replace(attempt, begun=True, losses=self._losses)

    def take_back(self, attempt: Attempt) -> None:
        """Tell that a letter was not handed over after all."""
        if attempt.error:  # it was tried before, and that has a fate to be told
            self._ready.appendleft(attempt)
        else:
            self._put_off.append(attempt.letter)

    def put_back(self, attempt: Attempt, error: Exception) -> None:
        """Make a letter the next one again: it was not its fault."""
        self._ready.appendleft(replace(attempt, error=str(error)))
        if not attempt.doubtful:
            self._put_off.append(attempt.letter)

    def settle(self, attempt: Attempt, error: Exception | None, now: float) -> None:
        """Decide what becomes of a letter that a connection has carried, and of the mailing."""
        attempt = replace(attempt, error=str(error or ""))
        if error is None:
            self._server_works()
            self._finish(attempt, Fate.DELIVERED)
        elif isinstance(error, SenderRefusedError):
            self._suspects.append(attempt)
            if len(self._suspects) > 1:
                self.trouble = ServerError(str(error))
        elif isinstance(error, RecipientError):
            self._server_works()
            self._finish(attempt, Fate.REFUSED)
        elif isinstance(error, TemporaryRecipientError):
            self._not_now(attempt, error, now)
        else:
            self.put_back(attempt, error)
            self.trouble = error

    def conclude(self) -> None:
        """Decide about the last suspects: there is no other letter that could clear the sender."""
        if self._suspects and not self._works:
            self.trouble = ServerError(self._suspects[-1].error)
        else:
            self._server_works()

    def break_off(self, on_their_way: tuple[Attempt, ...], error: str) -> None:
        """Tell of every letter that was begun: the mailing ends, nobody waits for those on their way."""
        for attempt in on_their_way:
            self._finish(replace(attempt, error=error), Fate.UNKNOWN)
        for attempt in (*self._suspects, *self._ready, *self._later):
            if attempt.begun:
                self._finish(attempt, Fate.DEFERRED)

    def turn(self, starting: tuple[Attempt, ...] = ()) -> Turn:
        """Return what is to be told, once."""
        turn = Turn(
            results=tuple(self._results),
            put_off=tuple(self._put_off),
            starting=tuple(attempt.letter for attempt in starting),
        )
        self._results.clear()
        self._put_off.clear()
        return turn

    def _finish(self, attempt: Attempt, fate: Fate) -> None:
        if fate is Fate.DEFERRED and attempt.doubtful:
            fate = Fate.UNKNOWN
        self._put_off = [letter for letter in self._put_off if letter is not attempt.letter]
        self._results.append(
            Delivery(
                letter=attempt.letter,
                fate=fate,
                error=None if fate is Fate.DELIVERED else attempt.error,
                repeated=attempt.doubtful and attempt.second,
            )
        )

    def _not_now(self, attempt: Attempt, error: TemporaryRecipientError, now: float) -> None:
        pause = self._second_try
        if isinstance(error, LostError):
            pause = min(pause, _AFTER_LOSS)
            self._lose(attempt, error)
        else:
            self._server_works()
        again = attempt.second
        attempt = replace(attempt, doubtful=attempt.doubtful or isinstance(error, UnknownFateError))
        if again or len(self._later) >= _MOST_WAITING:
            self._finish(attempt, Fate.DEFERRED)
            return
        self._later.append(replace(attempt, second=True, due=now + pause))
        self._later.sort(key=lambda waiting: waiting.due)
        if not attempt.doubtful:
            self._put_off.append(attempt.letter)

    def _lose(self, attempt: Attempt, error: LostError) -> None:
        """Count lost connections: those that were lost together, once."""
        if attempt.losses == self._losses:
            self._losses += 1
            self._losses_in_a_row += 1
        if self._losses_in_a_row >= (_MOST_TIME_OUTS if error.timed_out else _MOST_LOSSES):
            self.trouble = self.trouble or ServerUnavailableError(str(error))

    def _server_works(self) -> None:
        """Note that a letter got past its sender, wherever it ended; so the sender is welcome."""
        self._works = True
        self._losses_in_a_row = 0
        for attempt in self._suspects:
            self._finish(attempt, Fate.REFUSED)
        self._suspects.clear()
