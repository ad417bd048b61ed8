"""Sending many mails over a few connections: the next are composed while some are on their way.

It knows neither SMTP nor what a mail says, and no database: whoever asks for the mails to be sent notes
down what became of them, and gets the time for it.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from cavecron.errors import CavecronError
from cavecron.mail.delivery.limits import Brake, Company, Pace
from cavecron.mail.delivery.queue import Sorting
from cavecron.mail.delivery.workers import Answer, Connection, Crew
from cavecron.mail.errors import BusyError, ServerUnavailableError, ThrottledError
from cavecron.mail.models import Attempt, Letter, Turn
from cavecron.mail.transport import Transport

_LOG = logging.getLogger(__name__)

#: Seconds between two looks at whether the run has to stop.
_GLANCE = 0.2


def deliver(
    letters: Iterable[Letter],
    connect: Callable[[], Transport],
    *,
    pace: Pace | None = None,
    check: Callable[[], None],
) -> Iterator[Turn]:
    """Send the letters over the transports that `connect` makes, and yield turns: what is to be noted down.

    The contract of a turn, for whoever keeps a ledger (one transaction for each turn is enough):

    - `starting` are letters that will be handed to a connection when the next turn is asked for, never
      before. Note down that they are on their way: from then on their fate is in doubt.
    - `results` say what became of letters, `put_off` that one is not on its way any more and will be in
      `starting` again. Both end the doubt, but for the fate UNKNOWN. A letter whose first try ended without
      a verdict is not put off: it stays in doubt until its second try is over.
    - Each letter that was in `starting` is in `results` exactly once, with its last fate. Only one that
      was not handed over, because the mailing ended just then, is in the last turn's `put_off` instead.
    - A connection gets its next letter after its last result was in a turn, and the next one was asked
      for. So whoever is killed has no more letters in doubt than connections, and those lost before.
    - `check` is called before letters are handed over, and a few times a second; whatever CavecronError
      it raises ends the mailing: nothing more starts, what is on its way gets `pace.grace` seconds and is
      told in last turns, and the error is raised. The same goes for an error of `letters`, and for a
      trouble that concerns every letter. Letters that were never in `starting` are not told.
    - Whoever leaves the loop early (`break`, an exception) leaves in doubt what was in doubt.

    Answers share a turn where they come within the time that the last turns took to be noted down. Results
    come in the order of the answers. A letter refused for now, or whose connection was lost, is tried once
    more after all the others; so is one of which nobody knows whether it arrived, for most such letters did
    not, and a second copy with the same Message-ID costs its reader less than a missing one.

    Raises:
        CavecronError: what `check` or `letters` raised, or a trouble that concerns every letter; it is
            `temporary` where a later mailing may fare better.

    """
    mailing = _Mailing(letters, connect, pace or Pace(), check)
    try:
        yield from mailing.turns()
    finally:
        mailing.end()


class _Mailing:
    """The letters, the connections, and the thread of the caller in between."""

    def __init__(
        self,
        letters: Iterable[Letter],
        connect: Callable[[], Transport],
        pace: Pace,
        check: Callable[[], None],
    ) -> None:
        self._source = iter(letters)
        self._exhausted = False
        self._pace, self._brake, self._company = pace, Brake(pace), Company()
        self._check = check
        self._sorting = Sorting(pace.second_try)
        self._crew = Crew(connect, pace.per_connection)
        #: How many connections there may be: fewer than wanted where the server did not like so many.
        self._most = pace.connections

    def turns(self) -> Iterator[Turn]:
        """Yield all turns, last ones too where the mailing ends early."""
        try:
            yield from self._work()
        except CavecronError as error:
            yield from self._wind_up()
            if not (isinstance(error, ServerUnavailableError) and self._everybody_was_tried()):
                raise

    def end(self) -> None:
        """Let the connections go."""
        self._crew.dismiss()

    def _everybody_was_tried(self) -> bool:
        """Return whether every letter has a fate: a server that fails at the last ones is their trouble."""
        return self._exhausted and self._crew.proven and not self._sorting.untried

    def _work(self) -> Iterator[Turn]:
        self._compose()
        while self._sorting.ready or self._sorting.waiting or self._crew.under_way:
            self._check()
            self._receive(self._patience())
            self._raise_trouble()
            self._staff()
            if not self._gathering():
                starting = self._pick()
                if starting or self._sorting.unsaid:
                    began = monotonic()
                    yield self._sorting.turn(tuple(attempt for _, attempt in starting))
                    self._company.noted(monotonic() - began)
                    self._hand_over(starting)
            self._compose()
        self._sorting.conclude()
        self._raise_trouble()
        if self._sorting.unsaid:
            yield self._sorting.turn()

    def _raise_trouble(self) -> None:
        if self._sorting.trouble:
            raise self._sorting.trouble

    def _compose(self) -> None:
        """Have one more letter made, unless enough of them are ready."""
        if not self._composable():
            return
        letter = next(self._source, None)
        if letter is None:
            self._exhausted = True
            if self._sorting.waiting:
                _LOG.info("Mails à présenter une seconde fois: %d", self._sorting.waiting)
        else:
            self._sorting.add(letter)

    def _composable(self) -> bool:
        return not self._exhausted and self._sorting.ready < 2 * self._pace.connections

    def _staff(self) -> None:
        """Have as many connections as there is work for: more than one only where the first was welcome."""
        crew, ready = self._crew, self._sorting.ready
        wanted = min(self._most, ready + len(crew.under_way)) if crew.proven else 1
        while ready and len(crew) < wanted:
            crew.hire()
        while len(crew) > self._most and crew.idle:
            crew.drop(crew.idle[-1])

    def _pick(self) -> list[tuple[Connection, Attempt]]:
        """Return which connection is to carry which letter now."""
        picked: list[tuple[Connection, Attempt]] = []
        while self._next_start(len(picked)) <= 0:
            picked.append((self._crew.idle.pop(0), self._sorting.take()))
        return picked

    def _next_start(self, picked: int = 0) -> float:
        """Return the seconds until a letter may start; a glance where nobody knows."""
        under_way = len(self._crew.under_way) + picked
        if not self._crew.idle or (self._sorting.shaky and under_way):  # after a loss, one at a time
            return _GLANCE
        now = monotonic()
        wait = self._sorting.wait(now)
        if wait is None or not (self._sorting.ready or self._exhausted):  # second tries come after the others
            return _GLANCE
        return max(wait, self._brake.wait(now, under_way))

    def _gathering(self) -> bool:
        """Return whether what is to be told waits for what else is on its way."""
        return bool(self._crew.under_way) and self._sorting.unsaid and self._company.wait(monotonic()) > 0

    def _patience(self) -> float:
        """Return how many seconds to wait for an answer, with nothing else to do."""
        if self._composable():
            return 0.0
        if self._gathering():
            return min(_GLANCE, self._company.wait(monotonic()))
        return min(_GLANCE, self._next_start())

    def _hand_over(self, starting: Iterable[tuple[Connection, Attempt]]) -> None:
        try:
            self._check()
        except CavecronError:
            for _, attempt in starting:
                self._sorting.take_back(attempt)
            raise
        for connection, attempt in starting:
            self._crew.give(connection, attempt)

    def _receive(self, seconds: float) -> None:
        """Settle what was answered, after waiting so long for the first answer."""
        for answer in self._crew.answers(seconds):
            if answer.error and answer.opening:
                self._not_opened(answer, answer.error)
            elif answer.attempt:
                self._settle(answer.attempt, answer.error)
        if self._sorting.unsaid:
            self._company.arrived(monotonic())

    def _settle(self, attempt: Attempt, error: Exception | None) -> None:
        now = monotonic()
        self._brake.count(now)
        if isinstance(error, ThrottledError):
            self._sorting.put_back(attempt, error)
            self._most = 1
            self._slow_down(error)
            return
        if isinstance(error, BusyError):
            self._brake.take_hint(now)
        elif error is None:
            self._brake.ease()
        self._sorting.settle(attempt, error, now)

    def _not_opened(self, answer: Answer, error: Exception) -> None:
        """Do with fewer connections; where it was the last one, wait or end the mailing."""
        sorting = self._sorting
        if answer.attempt:
            sorting.put_back(answer.attempt, error)
        if not isinstance(error, CavecronError):
            sorting.trouble = error
        elif len(self._crew) > 1 and not sorting.shaky:
            self._crew.drop(answer.connection)
            self._most = len(self._crew)
            _LOG.info("Le serveur n'accepte pas plus de connexions (%d gardées) : %s", self._most, error)
        elif isinstance(error, ThrottledError) and self._crew.proven:
            self._slow_down(error)
        else:
            # What was welcome a moment ago may be so again.
            sorting.trouble = ServerUnavailableError(str(error)) if self._crew.proven else error

    def _slow_down(self, error: ThrottledError) -> None:
        pause = self._brake.slow_down(monotonic())
        if pause is None:
            self._sorting.trouble = ServerUnavailableError(str(error))
        elif pause:
            _LOG.warning("Le serveur demande de ralentir, pause de %g s : %s", pause, error)

    def _wind_up(self) -> Iterator[Turn]:
        """Give what is on its way its grace, and tell what became of every letter that was begun."""
        limit = monotonic() + self._pace.grace
        while self._crew.under_way and (left := limit - monotonic()) > 0:
            self._receive(left)
            if self._sorting.unsaid:
                yield self._sorting.turn()
        self._sorting.break_off(
            self._crew.under_way, "le serveur n'avait pas encore répondu à la fin de l'envoi"
        )
        if self._sorting.unsaid:
            yield self._sorting.turn()
