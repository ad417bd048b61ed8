"""An SMTP connection on which each step (a command and its whole reply) has one deadline.

smtplib has a time limit for each read only, so that a server that sends one byte a second never times out. It
knows the bytes and replies of a step, not the order of steps. `encrypt`, `send`, `getreply` and
`require_accepted` raise an SmtpError that names the step.
"""

import smtplib
import socket
import ssl
from time import monotonic

from cavecron.mail.smtp.connect import remaining
from cavecron.mail.smtp.errors import BrokenError, GarbledError, RefusedError, Step

#: Bytes of one reply, all its lines together; RFC 5321, 4.5.3.1.5 asks for 512 in a line.
_LONGEST_REPLY = 65_536


class DeadlineConnection(smtplib.SMTP):
    """smtplib's client with a deadline for each step; `limit` is the seconds that a step may last."""

    def __init__(self, limit: float) -> None:
        super().__init__(local_hostname="[127.0.0.1]")
        self.step = Step.CONNECT
        self.limit = limit
        self._deadline = monotonic() + limit
        self._received = bytearray()

    def begin(self, step: Step, limit: float | None = None) -> float:
        """Begin a step, which may last `limit` seconds; return its deadline on the monotonic clock."""
        self.step = step
        self._deadline = monotonic() + (self.limit if limit is None else limit)
        return self._deadline

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Do the TLS handshake and forget what the server offered before (RFC 3207, 4.2)."""
        if self._received:  # injected in clear before TLS, to be read as if it had been encrypted
            raise GarbledError(self.step, bytes(self._received))
        self.step = Step.HANDSHAKE
        try:
            self.sock = context.wrap_socket(self._socket(), server_hostname=host)
        except OSError as error:
            self.close()
            raise BrokenError(self.step, error) from error
        except ValueError as error:  # a host name that no certificate can contain
            raise BrokenError(self.step, ssl.SSLError(str(error))) from error
        self.ehlo_resp = self.helo_resp = None
        self.esmtp_features = {}

    def send(self, s: bytes | str) -> None:  # type: ignore[override]  # a narrower type, as smtplib uses it
        """Begin a step by sending all of `s`."""
        self.begin(self.step)
        rest = memoryview(s.encode(self.command_encoding) if isinstance(s, str) else s)
        try:
            while rest:
                rest = rest[self._socket().send(rest) :]
        except OSError as error:
            raise BrokenError(self.step, error) from error

    def getreply(self) -> tuple[int, bytes]:
        """Return the code and the text of the reply that ends the step."""
        text: list[bytes] = []
        room = _LONGEST_REPLY
        while room > 0:
            line = self._line(room)
            room -= len(line)
            if not (line[:3].isdigit() and line[3:4] in (b" ", b"-", b"")):
                raise GarbledError(self.step, line)
            text.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(text)
        raise GarbledError(self.step, b" ".join(text[:3]))

    def require_accepted(self, reply: tuple[int, bytes], *, wanted: int = 2) -> None:
        """Raise RefusedError for a code from 400 on, GarbledError unless its first digit is `wanted`."""
        code, text = reply
        if code >= 400:
            raise RefusedError(self.step, code, text)
        if code // 100 != wanted:
            raise GarbledError(self.step, b"%d %s" % (code, text))

    def _socket(self) -> socket.socket:
        """Return the socket, with the rest of the step's time as its time limit."""
        if self.sock is None:
            raise ConnectionAbortedError
        self.sock.settimeout(remaining(self._deadline))
        return self.sock

    def _line(self, room: int) -> bytes:
        """Return one line of a reply, of at most `room` bytes."""
        while (end := self._received.find(b"\n")) < 0:
            try:
                more = self._socket().recv(4096)
            except OSError as error:
                raise BrokenError(self.step, error) from error
            self._received += more
            if len(self._received) > room or (self._received and not more):
                raise GarbledError(self.step, bytes(self._received[:200]))
            if not more:
                raise BrokenError(self.step, ConnectionResetError())
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line.rstrip(b"\r")
