"""The fake server's side of one SMTP dialogue: see `tests.support.fake_smtp.server`."""

import hmac
import re
import socket
import ssl
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from tests.support.fake_smtp.faults import Fault, Step, Visit

if TYPE_CHECKING:
    from tests.support.fake_smtp.server import FakeSmtpServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message that the server accepted, `at` an instant of the monotonic clock."""

    message_id: str
    recipient: str
    connection: int
    at: float
    content: bytes = field(repr=False)


class GoneError(Exception):
    """One side has ended the session."""


class Dialogue:
    """One connection, the `number`-th from 1; `talk` returns, or raises GoneError or OSError, at its end."""

    def __init__(self, server: "FakeSmtpServer", connection: socket.socket, number: int) -> None:
        self._server = server
        self._socket = connection
        self._file = connection.makefile("rb")
        self._number = number
        self._recipient = ""
        self._sender_known = False
        self._encrypted = False
        self._logged_in = server.login is None

    def talk(self) -> None:
        """Handle the session, from the greeting to its end."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = "220 hostile.example ESMTP"
        greeted = self._pass(Step.CONNECT, greeting)
        if self._server.tls == "tls":
            self._encrypt()
        if not greeted:
            self._reply(Step.GREETING, greeting)
        while True:
            line = self._line().decode("utf-8", "replace")
            self._server.commands.append((self._number, line))
            verb, _, rest = line.partition(" ")
            getattr(self, f"_{verb.lower()}", self._unknown)(rest)

    def cut(self) -> None:
        """Cut the connection, from another thread."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        with suppress(OSError):
            self._file.close()
            self._socket.close()

    def _ehlo(self, _name: str) -> None:
        offers = ["hostile.example", "8BITMIME", "SMTPUTF8", "SIZE 1000000"]
        if self._server.tls == "starttls" and not self._encrypted:
            offers.append("STARTTLS")
        if self._server.login and (self._encrypted or self._server.tls == "no"):
            offers.append(f"AUTH {self._server.ways}")
        self._reply(Step.EHLO, "\r\n".join([*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}"]))

    def _helo(self, _name: str) -> None:
        self._reply(Step.EHLO, "250 hostile.example")

    def _starttls(self, _rest: str) -> None:
        if self._reply(Step.STARTTLS, "220 go ahead").startswith("220"):
            self._encrypt()

    def _auth(self, rest: str) -> None:
        way, _, proof = rest.partition(" ")
        if way not in self._server.ways.split():
            self._say("504 5.5.4 not offered")
            return
        for fault in self._server.broken_ways.get(way, ()):
            self._do(fault, "")
        if way in self._server.broken_ways:
            return
        if way == "PLAIN" and self._server.initial_response == ("no" if proof else "only"):
            self._say("501 5.5.2 not like that")
            return
        right = self._proven(way, proof)
        answer = self._reply(Step.AUTH, "235 2.7.0 welcome" if right else "535 5.7.8 wrong name or password")
        self._logged_in = answer.startswith("235")

    def _proven(self, way: str, proof: str) -> bool:
        """Return whether the client gave the right name and password, in that way of RFC 4954 or 2195."""
        if way == "PLAIN":
            return (
                tuple(b64decode(proof or self._asked("334 ")).decode().split("\0")[1:]) == self._server.login
            )
        if way == "LOGIN":
            answers = [b64decode(self._asked(f"334 {word}")).decode() for word in ("VXNlcg==", "UGFzcw==")]
            return tuple(answers) == self._server.login
        assert self._server.login
        name, password = self._server.login
        challenge = b"<1896.697170952@postoffice.example>"
        digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
        return b64decode(self._asked(f"334 {b64encode(challenge).decode()}")).decode() == f"{name} {digest}"

    def _mail(self, _rest: str) -> None:
        if self._logged_in:
            self._sender_known = self._reply(Step.MAIL, "250 2.1.0 ok").startswith("250")
        else:
            self._say("530 5.7.0 log in first")

    def _rcpt(self, rest: str) -> None:
        if not self._sender_known:
            self._say("503 5.5.1 MAIL first")
            return
        match = re.match(r"TO:\s*<([^>]*)>", rest, re.IGNORECASE)
        self._recipient = match[1] if match else ""
        if not self._reply(Step.RCPT, "250 2.1.5 ok").startswith("250"):
            self._recipient = ""

    def _data(self, _rest: str) -> None:
        if not self._recipient:
            self._say("503 5.5.1 RCPT first")
        elif self._reply(Step.DATA, "354 go on").startswith("354"):
            self._take()
            self._forget()

    def _rset(self, _rest: str) -> None:
        self._forget()
        self._reply(Step.RSET, "250 2.0.0 forgotten")

    def _noop(self, _rest: str) -> None:
        self._say("250 2.0.0 ok")

    def _quit(self, _rest: str) -> None:
        self._reply(Step.QUIT, "221 2.0.0 bye")
        raise GoneError

    def _unknown(self, _rest: str) -> None:
        self._say("502 5.5.1 what?")

    def _forget(self) -> None:
        self._sender_known, self._recipient = False, ""

    def _take(self) -> None:
        lines = [self._line()]
        spoiled = self._pass(Step.BODY, "")
        while lines[-1] != b".":
            lines.append(self._line())
        if spoiled and spoiled.kind == "reply":  # that was the answer
            return
        content = b"\r\n".join(line.removeprefix(b".") for line in lines[:-1])
        self._reply(Step.END, "250 2.0.0 mine now", lambda: self._keep(content))

    def _keep(self, content: bytes) -> None:
        match = re.search(rb"^Message-ID:\s*(\S+)", content, re.IGNORECASE | re.MULTILINE)
        mail = Mail(
            message_id=match[1].decode() if match else "",
            recipient=self._recipient,
            connection=self._number,
            at=monotonic(),
            content=content,
        )
        self._server.keep(mail)

    def _asked(self, text: str) -> str:
        self._say(text)
        return self._line().decode()

    def _reply(self, step: Step, proper: str, keep: Callable[[], None] = lambda: None) -> str:
        """Send the normal reply of a step, or apply the fault of a policy; return the reply."""
        fault = self._fault_at(step)
        if fault is None or fault.kept:
            keep()
        if fault is None:
            self._say(proper)
            return proper
        return self._do(fault, proper)

    def _pass(self, step: Step, proper: str) -> Fault | None:
        """Apply the fault of a policy at a step without a reply; return the fault."""
        fault = self._fault_at(step)
        if fault:
            self._do(fault, proper)
        return fault

    def _fault_at(self, step: Step) -> Fault | None:
        return self._server.fault_at(Visit(step=step, connection=self._number, recipient=self._recipient))

    def _do(self, fault: Fault, proper: str) -> str:
        if fault.kind == "delay":
            self._wait(fault.seconds)
            self._say(proper)
            return proper
        if fault.kind == "dribble":
            for byte in f"{proper}\r\n".encode():
                self._send(bytes([byte]))
                self._wait(fault.seconds)
            return proper
        if fault.kind == "reply":
            self._say(fault.text)
            if fault.text.startswith("421"):
                raise GoneError
            return fault.text
        self._ruin(fault)
        return ""

    def _ruin(self, fault: Fault) -> None:
        if fault.kind == "garbage":
            self._send(b"\x00\xff lorem ipsum\r\n")
            return
        if fault.kind == "reset":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault.kind == "endless":
            for line in _lines():
                self._send(line)
        raise GoneError

    def _wait(self, seconds: float) -> None:
        if self._server.stopping.wait(seconds):
            raise GoneError

    def _say(self, text: str) -> None:
        if self._server.latency:
            self._wait(self._server.latency)
        if text:
            self._send(text.encode() + b"\r\n")

    def _send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def _line(self) -> bytes:
        line = self._file.readline(100_000)
        if not line.endswith(b"\n"):
            raise GoneError
        return line.rstrip(b"\r\n")

    def _encrypt(self) -> None:
        assert self._server.context
        self._pass(Step.HANDSHAKE, "")
        self._file.close()
        encrypted: ssl.SSLSocket = self._server.context.wrap_socket(self._socket, server_side=True)
        self._socket, self._file = encrypted, encrypted.makefile("rb")
        self._encrypted = True


def _lines() -> Iterator[bytes]:
    """Yield ten megabytes of continuation lines."""
    return (b"250-" + b"x" * 996 + b"\r\n" for _ in range(10_000))
