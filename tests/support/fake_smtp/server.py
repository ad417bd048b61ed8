"""A mail server with faults on loopback: policies choose its faults at each step.

    with FakeSmtpServer(FaultRule(Step.RCPT, reply("550 5.1.1 no one"), recipient="b@example.org")) as server:
        ...  # send to 127.0.0.1, server.port
    assert [mail.recipient for mail in server.accepted] == ["a@example.org", "c@example.org"]

What it is asked at each step is a policy: a function of the `Visit` that returns a `Fault`, or None for
what an honest server does (`tests.support.fake_smtp.faults` has the words for it). A policy may also just
look on, or kill somebody; it must not ask the server to wait.
"""

import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Literal, Self

from tests.support.fake_smtp.dialogue import Dialogue, GoneError, Mail
from tests.support.fake_smtp.faults import Fault, Policy, Step, Visit, reply


class FakeSmtpServer:
    """A server on 127.0.0.1, one thread for each connection; as a context manager it runs and stops.

    `tls` is how it is spoken to, with `context` for it; `login` is a name and a password that it asks
    for, in one of the `ways` (PLAIN, LOGIN, CRAM-MD5), of which `broken_ways` only do bad things, one after
    the other; AUTH PLAIN takes an `initial_response`, or insists on one, or has none;
    `latency` in seconds comes before each reply. More than `most` connections at a time get the fault
    `crowded` at their greeting; after `listens_for` connections in all, its port is closed.
    """

    def __init__(
        self,
        *policies: Policy,
        tls: Literal["no", "starttls", "tls"] = "no",
        context: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        ways: str = "PLAIN LOGIN",
        broken_ways: Mapping[str, Sequence[Fault]] | None = None,
        initial_response: Literal["maybe", "only", "no"] = "maybe",
        latency: float = 0.0,
        most: int = 1_000,
        crowded: Fault | None = None,
        listens_for: int = 1_000_000,
    ) -> None:
        self.policies = list(policies)
        self.tls, self.context, self.latency = tls, context, latency
        self.login, self.ways = login, ways
        self.broken_ways, self.initial_response = broken_ways or {}, initial_response
        self._most, self._listens_for = most, listens_for
        self._crowded = crowded or reply("421 4.7.0 too many connections")
        #: What it took responsibility for, in order.
        self.accepted: list[Mail] = []
        #: Each command that it was given, with the number of its connection.
        self.commands: list[tuple[int, str]] = []
        self.visits: Counter[Step] = Counter()
        #: Connections: in all, at this moment, and at most at one moment.
        self.connections, self.present, self.busiest = 0, 0, 0
        self.changed = Condition()
        self.stopping = Event()
        self._dialogues: set[Dialogue] = set()
        self._threads: list[Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and all connections."""
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(5)

    def hang_up(self) -> None:
        """Cut all open connections."""
        with self.changed:
            dialogues = list(self._dialogues)
        for dialogue in dialogues:
            dialogue.cut()

    def wait_until(self, condition: Callable[["FakeSmtpServer"], bool], seconds: float = 10.0) -> None:
        """Wait until `condition` holds, looked at whenever something happens; fail after `seconds`."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), seconds), "the condition never held"

    def copies(self) -> Counter[str]:
        """Return how many messages each recipient was sent."""
        return Counter(mail.recipient for mail in self.accepted)

    def fault_at(self, visit: Visit) -> Fault | None:
        """Return the fault of the first policy that has one; all policies are called."""
        with self.changed:
            self.visits[visit.step] += 1
            wanted = [policy(visit) for policy in self.policies]
            if visit.step is Step.GREETING and self.present > self._most:
                wanted.append(self._crowded)
            self.changed.notify_all()
        return next((fault for fault in wanted if fault), None)

    def keep(self, mail: Mail) -> None:
        """Accept a message."""
        with self.changed:
            self.accepted.append(mail)
            self.changed.notify_all()

    def _start(self, work: Callable[[], None]) -> None:
        thread = Thread(target=work, name="fake-smtp", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while self.connections < self._listens_for and not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                self.present += 1
                self.busiest = max(self.busiest, self.present)
                dialogue = Dialogue(self, connection, self.connections)
                self._dialogues.add(dialogue)
                self.changed.notify_all()
            self._start(lambda dialogue=dialogue: self._serve(dialogue))  # type: ignore[misc]
        self._listener.close()

    def _serve(self, dialogue: Dialogue) -> None:
        with suppress(GoneError, OSError):
            dialogue.talk()
        dialogue.close()
        with self.changed:
            self.present -= 1
            self._dialogues.discard(dialogue)
            self.changed.notify_all()
