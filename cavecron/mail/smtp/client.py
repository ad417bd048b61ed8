"""One SMTP connection on which each step has a deadline.

smtplib's own time limit is one for each read: a server that sends a byte a second is never late. Here a
step (a command and its whole reply) has one deadline. It knows no configuration, no user and no French
sentence: what goes wrong comes out as a SmtpError that says at which step.
"""

import smtplib
import socket
import ssl
from base64 import b64encode
from contextlib import suppress
from time import monotonic

from cavecron.mail.smtp.auth import responses, usable_ways
from cavecron.mail.smtp.connect import connect, remaining
from cavecron.mail.smtp.errors import BrokenError, GarbledError, MissingError, RefusedError, SmtpError, Step

#: Octets of one reply, all its lines together; RFC 5321, 4.5.3.1.5 asks for 512 a line.
_LONGEST_REPLY = 65_536
#: Octets of a password in a command line, which holds 512 (RFC 5321, 4.5.3.1.4).
_LONGEST_INITIAL = 480
#: Seconds that a server gets to accept a message: content filters take their time, and whoever gives up
#: earlier sends it again, though it has arrived (RFC 5321, 4.5.3.2.6).
LONGEST_ANSWER = 600.0


class SmtpClient(smtplib.SMTP):
    """A connection to an SMTP server; `limit` in seconds is what each step may last in all.

    The answer to a message may take `answer_limit`. `ehlo_name` is what this machine calls
    itself, its address where that is None.
    """

    def __init__(
        self, limit: float, *, answer_limit: float = LONGEST_ANSWER, ehlo_name: str | None = None
    ) -> None:
        super().__init__(local_hostname="[127.0.0.1]")
        self.step = Step.CONNECT
        self._limit, self._answer_limit = limit, answer_limit
        self._deadline = monotonic() + limit
        self._ehlo_name = ehlo_name
        self._received = bytearray()

    def connect(  # type: ignore[override]  # smtplib's steps, with deadlines and errors of our own
        self, host: str, port: int, context: ssl.SSLContext | None = None
    ) -> None:
        """Connect and wait for the greeting; with `context`, TLS from the first byte."""
        self._begin(Step.CONNECT)
        try:
            self.sock = connect(host, port, self._deadline)
        except OSError as error:
            raise BrokenError(self.step, error) from error
        self.local_hostname = self._ehlo_name or _own_name(self.sock)
        if context:
            self._begin(Step.HANDSHAKE)
            self._encrypt(context, host)
        self._begin(Step.GREETING)
        self._accepted(self.getreply())

    def hello(self) -> None:
        """Say EHLO, or HELO to a server of before 1995, and learn what is offered."""
        self.step = Step.HELLO
        code, text = self.ehlo()
        if 500 <= code <= 599:
            code, text = self.helo()
        self._accepted((code, text))

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go over to TLS in mid-dialogue; what the server offered before is forgotten (RFC 3207, 4.2)."""
        self.step = Step.STARTTLS
        if not self.has_extn("starttls"):
            raise MissingError(self.step, "STARTTLS")
        self._accepted(self.docmd("STARTTLS"))
        if self._received:  # injected in clear before TLS, to be read as if it had been encrypted
            raise GarbledError(self.step, bytes(self._received))
        self.step = Step.HANDSHAKE
        self._encrypt(context, host)
        self.hello()

    def login_ways(self) -> list[str]:
        """Return the ways to log in that both sides know, the most common first."""
        self.step = Step.LOGIN
        offered = self.esmtp_features.get("auth", "").upper().split()
        ways = usable_ways(offered, encrypted=isinstance(self.sock, ssl.SSLSocket))
        if not ways:
            raise MissingError(self.step, "AUTH", " ".join(offered).encode())
        return ways

    def login(self, way: str, username: str, password: str) -> None:  # type: ignore[override]
        """Log in by one way."""
        self.step = Step.LOGIN
        answers = list(responses(way, username, password))
        code, text = 501, b""
        if way == "PLAIN":
            initial = b64encode(answers[0](b"")).decode()
            if len(initial) <= _LONGEST_INITIAL:
                code, text = self.docmd("AUTH", f"{way} {initial}")
        if code in (500, 501, 504):  # no initial response, or not by this server (RFC 4954, 4)
            code, text = self.docmd("AUTH", way)
        while code == 334 and answers:
            try:
                answer = answers.pop(0)(text)
            except ValueError as error:
                raise GarbledError(self.step, text) from error
            code, text = self.docmd(b64encode(answer).decode())
        self._accepted((code, text))

    def transmit(self, content: bytes, sender: str, recipient: str) -> None:
        """Hand a message over; return only after the server has taken responsibility for it."""
        options = [f"SIZE={len(content)}"] if self.has_extn("size") else []
        self.step = Step.SENDER
        if not (content.isascii() and sender.isascii() and recipient.isascii()):
            if not self.has_extn("smtputf8"):
                raise MissingError(self.step, "SMTPUTF8")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        self._accepted(self.mail(sender, options))
        self.step = Step.RECIPIENT
        self._accepted(self.rcpt(recipient))
        self.step = Step.CONTENT
        self._accepted(self.docmd("DATA"), wanted=3)
        try:
            self.send(_dotted(content))
        except BrokenError:
            self._hear_why()
            raise
        self._begin(Step.DATA_REPLY, self._answer_limit)
        self._accepted(self.getreply())

    def reset(self, limit: float) -> None:
        """Have the server forget the mail that it refused, within `limit` seconds."""
        self.step = Step.RESET
        usual, self._limit = self._limit, min(limit, self._limit)
        try:
            self._accepted(self.docmd("RSET"))
        finally:
            self._limit = usual

    def quit(self, limit: float) -> None:  # type: ignore[override]
        """Say QUIT and close; a server that has nothing to say to it is not waited for beyond `limit`."""
        self.step, self._limit = Step.QUIT, min(limit, self._limit)
        try:
            self.docmd("QUIT")
        except SmtpError:
            pass  # everything is delivered by now
        finally:
            self.close()

    def send(self, s: bytes | str) -> None:  # type: ignore[override]  # a narrower type, as smtplib uses it
        """Begin a step by sending all of `s`."""
        self._begin(self.step)
        rest = memoryview(s.encode(self.command_encoding) if isinstance(s, str) else s)
        try:
            while rest:
                rest = rest[self._ready().send(rest) :]
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

    def _hear_why(self) -> None:
        """Raise the refusal that a server may have sent before it closed the connection in mid-message."""
        with suppress(BrokenError, GarbledError):
            code, text = self.getreply()
            if code >= 400:
                raise RefusedError(self.step, code, text)

    def _begin(self, step: Step, limit: float | None = None) -> None:
        self.step = step
        self._deadline = monotonic() + (self._limit if limit is None else limit)

    def _ready(self) -> socket.socket:
        """Return the socket, its time limit set to the rest of the step's."""
        if self.sock is None:
            raise ConnectionAbortedError
        self.sock.settimeout(remaining(self._deadline))
        return self.sock

    def _line(self, room: int) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            try:
                more = self._ready().recv(4096)
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

    def _accepted(self, reply: tuple[int, bytes], *, wanted: int = 2) -> None:
        code, text = reply
        if code >= 400:
            raise RefusedError(self.step, code, text)
        if code // 100 != wanted:
            raise GarbledError(self.step, b"%d %s" % (code, text))

    def _encrypt(self, context: ssl.SSLContext, host: str) -> None:
        try:
            self.sock = context.wrap_socket(self._ready(), server_hostname=host)
        except OSError as error:
            self.close()
            raise BrokenError(self.step, error) from error
        except ValueError as error:  # a host name that no certificate could bear
            raise BrokenError(self.step, ssl.SSLError(str(error))) from error
        self.ehlo_resp = self.helo_resp = None
        self.esmtp_features = {}


def _own_name(connection: socket.socket) -> str:
    """Return the address literal that EHLO takes where there is no name (RFC 5321, 4.1.4)."""
    address = connection.getsockname()[0].partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _dotted(content: bytes) -> bytes:
    """Return the message as it follows DATA (RFC 5321, 4.5.2)."""
    lines = content.removesuffix(b"\r\n").replace(b"\r\n.", b"\r\n..")
    return (b"." if lines.startswith(b".") else b"") + lines + b"\r\n.\r\n"
