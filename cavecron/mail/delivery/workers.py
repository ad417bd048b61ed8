"""Connections that carry mails at the same time, each in a thread of its own.

It decides nothing: what went wrong is handed over to the thread that asks. Nobody joins these threads for
ever: a server that hangs cannot hold the process.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from cavecron.errors import CavecronError
from cavecron.mail.errors import LostError, ThrottledError
from cavecron.mail.models import Attempt
from cavecron.mail.transport import Transport

#: Seconds that all connections together get to take leave of the server.
_FAREWELL = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a task: of an attempt, or of opening the connection where there is none.

    `opening` where the error is that it could not be opened.
    """

    connection: "Connection"
    attempt: Attempt | None
    error: Exception | None = None
    opening: bool = False


class Connection:
    """A thread with a transport: one task at a time; it is opened anew after `most` mails."""

    def __init__(self, transport: Transport, most: int, answers: SimpleQueue[Answer]) -> None:
        self._transport = transport
        self._most, self._carried = most, 0
        self._tasks: SimpleQueue[Callable[[], Answer] | None] = SimpleQueue()
        self._answers = answers
        self._thread = Thread(target=self._work, name="cavecron-mail", daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Connect; the answer tells how it went."""
        self._tasks.put(lambda: self._tried(None))

    def carry(self, attempt: Attempt) -> None:
        """Carry `attempt`; the answer tells how it went."""
        self._tasks.put(lambda: self._carry(attempt))

    def dismiss(self) -> None:
        """End the thread after what it is doing."""
        self._tasks.put(None)

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, no longer than that."""
        self._thread.join(seconds)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._answers.put(task())
        with contextlib.suppress(CavecronError):
            self._transport.close()

    def _carry(self, attempt: Attempt) -> Answer:
        if self._carried >= self._most:
            self._transport.close()
            self._carried = 0
        self._carried += 1
        answer = self._tried(attempt)
        again = isinstance(answer.error, LostError | ThrottledError) and answer.error.at_once
        # A server may close a connection at any time; that tells nothing of the mail.
        return self._tried(attempt) if again and not answer.opening else answer

    def _tried(self, attempt: Attempt | None) -> Answer:
        opening = True
        try:
            self._transport.open()
            opening = False
            if attempt is not None:
                self._transport.send(attempt.letter.message, attempt.letter.address)
        except Exception as trouble:  # handed over, and judged in the thread that asked
            return Answer(connection=self, attempt=attempt, error=trouble, opening=opening)
        return Answer(connection=self, attempt=attempt)


class Crew:
    """All connections of a mailing; `idle` are those that wait for a task."""

    def __init__(self, connect: Callable[[], Transport], most: int) -> None:
        self._connect = connect
        self._most = most
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._members: list[Connection] = []
        self._left: list[Connection] = []
        self._under_way: dict[Connection, Attempt] = {}
        self.idle: list[Connection] = []
        #: Whether any of them was ever open.
        self.proven = False

    def __len__(self) -> int:
        return len(self._members)

    @property
    def under_way(self) -> tuple[Attempt, ...]:
        """Return what is being carried."""
        return tuple(self._under_way.values())

    def hire(self) -> None:
        """Have one more connection opened; it is idle once its answer is there."""
        connection = Connection(self._connect(), self._most, self._answers)
        self._members.append(connection)
        connection.open()

    def give(self, connection: Connection, attempt: Attempt) -> None:
        """Have a connection carry something, that was taken out of `idle`."""
        self._under_way[connection] = attempt
        connection.carry(attempt)

    def drop(self, connection: Connection) -> None:
        """Do without an idle connection."""
        self.idle.remove(connection)
        self._members.remove(connection)
        self._left.append(connection)
        connection.dismiss()

    def answers(self, seconds: float) -> list[Answer]:
        """Return all answers that are there, after waiting so long for the first."""
        found: list[Answer] = []
        with contextlib.suppress(Empty):
            found.append(self._answers.get(timeout=seconds) if seconds > 0 else self._answers.get_nowait())
            while True:
                found.append(self._answers.get_nowait())
        for answer in found:
            self._under_way.pop(answer.connection, None)
            self.idle.append(answer.connection)
            self.proven = self.proven or not answer.opening
        return found

    def dismiss(self) -> None:
        """End all threads after what they carry; wait a moment for their farewell."""
        limit = monotonic() + _FAREWELL
        for connection in self._members:
            connection.dismiss()
        for connection in (*self._members, *self._left):
            connection.join(max(0.0, limit - monotonic()))
