"""Sending many mails over one connection: the next are composed while one is on its way.

It knows neither SMTP nor what a mail says. The transport lives in a thread of its own, which nobody
joins for ever: a server that hangs cannot hold the process.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Protocol

from cavecron.errors import CavecronError, StoppedError, TimeLimitError
from cavecron.mail.trouble import RecipientError, TemporaryRecipientError

#: Mails that are ready and wait for the connection: enough to keep it busy, few enough for memory.
_AHEAD = 4
#: Seconds between two looks at whether the run has to stop.
_GLANCE = 0.2
#: Seconds that the mail on its way gets once the run has to stop, and the farewell to the server.
_LAST_MAIL, _FAREWELL = 6.0, 1.0


class Transport(Protocol):
    """What carries mails: an SMTP connection, or a folder. Its errors are those of `mail.trouble`."""

    def open(self) -> None:
        """Get ready to send."""
        ...

    def send(self, message: EmailMessage, address: str) -> None:
        """Deliver one message to one address."""
        ...

    def close(self) -> None:
        """Let go of everything; nothing is sent after this."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail that is ready to be sent to one user."""

    user_id: int
    address: str
    message: EmailMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a letter: delivered where `error` is None, else why it was not."""

    letter: Letter
    error: str | None


@dataclass(frozen=True, slots=True)
class _Answer:
    letter: Letter
    error: Exception | None

    @property
    def concerns_all(self) -> bool:
        return not isinstance(self.error, None | RecipientError | TemporaryRecipientError)


def deliver(
    letters: Iterable[Letter], transport: Transport, *, check: Callable[[], None]
) -> Iterator[Delivery]:
    """Send the letters in order, and yield what became of each soon after it is known.

    A letter that failed for a while is tried once more after all the others. `check` is called between
    letters and while one is on its way; what it raises ends the mailing after that one.

    Raises:
        CavecronError: what `check` raised, or a trouble that concerns every letter. All deliveries that
            are known by then have been yielded; the letters that were not are not sent.

    """
    postman = _Postman(transport, check)
    try:
        later: list[Letter] = []
        for answer in postman.carry(letters):
            if isinstance(answer.error, TemporaryRecipientError):
                later.append(answer.letter)
            else:
                yield _delivery(answer)
        for answer in postman.carry(later):
            yield _delivery(answer)
    finally:
        postman.dismiss()


def _delivery(answer: _Answer) -> Delivery:
    return Delivery(letter=answer.letter, error=None if answer.error is None else str(answer.error))


class _Postman:
    """The thread with the transport: letters go in, answers come out, in the same order."""

    def __init__(self, transport: Transport, check: Callable[[], None]) -> None:
        self._transport = transport
        self._check = check
        self._letters: SimpleQueue[Letter | None] = SimpleQueue()
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self._under_way = 0
        self._thread = Thread(target=self._work, name="cavecron-mail", daemon=True)
        self._thread.start()

    def carry(self, letters: Iterable[Letter]) -> Iterator[_Answer]:
        """Hand over the letters, few at a time, and yield the answers."""
        try:
            for letter in letters:
                self._check()
                self._letters.put(letter)
                self._under_way += 1
                while self._under_way > _AHEAD or not self._answers.empty():
                    yield self._answer()
            while self._under_way:
                yield self._answer()
        except (StoppedError, TimeLimitError):
            yield from self._last_answers()
            raise

    def dismiss(self) -> None:
        """End the thread after the letter that it carries; wait a moment for its farewell."""
        self._take_back()
        self._letters.put(None)
        self._thread.join(_FAREWELL)

    def _answer(self) -> _Answer:
        """Wait for the next answer; raise it where it concerns every letter."""
        while True:
            try:
                answer = self._answers.get(timeout=_GLANCE)
            except Empty:
                self._check()
            else:
                return self._settled(answer)

    def _last_answers(self) -> Iterator[_Answer]:
        """Yield what became of the letter that was on its way when the run had to stop."""
        self._take_back()
        limit = monotonic() + _LAST_MAIL
        with contextlib.suppress(Empty):
            while self._under_way:
                yield self._settled(self._answers.get(timeout=max(0.0, limit - monotonic())))

    def _settled(self, answer: _Answer) -> _Answer:
        self._under_way -= 1
        if answer.error is not None and answer.concerns_all:
            raise answer.error
        return answer

    def _take_back(self) -> None:
        """Empty the queue of letters that the thread has not begun to carry."""
        with contextlib.suppress(Empty):
            while True:
                self._letters.get_nowait()
                self._under_way -= 1

    def _work(self) -> None:
        opened = False
        while (letter := self._letters.get()) is not None:
            error: Exception | None = None
            try:
                if not opened:
                    self._transport.open()
                    opened = True
                self._transport.send(letter.message, letter.address)
            except Exception as trouble:  # handed over, and raised in the thread that asked
                error = trouble
            answer = _Answer(letter, error)
            self._answers.put(answer)
            if answer.concerns_all:
                break
        with contextlib.suppress(CavecronError):
            self._transport.close()
