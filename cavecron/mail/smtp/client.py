"""The commands of an SMTP session: connecting, STARTTLS, logging in, sending a message, leaving.

It knows no configuration, no user and no French sentence. Each method but `quit` raises an SmtpError that
names the step.
"""

import socket
import ssl
from base64 import b64encode
from contextlib import suppress

from cavecron.mail.smtp.auth import responses, usable_ways
from cavecron.mail.smtp.connect import connect
from cavecron.mail.smtp.connection import DeadlineConnection
from cavecron.mail.smtp.errors import BrokenError, GarbledError, MissingError, RefusedError, SmtpError, Step

#: Bytes of an initial response in the line of the AUTH command; it has 512 at most (RFC 5321, 4.5.3.1.4).
_LONGEST_INITIAL = 480
#: Seconds that a server gets to accept a message. Content filters can be slow, and a client that gives up
#: earlier sends the message again, though it has arrived (RFC 5321, 4.5.3.2.6).
LONGEST_ANSWER = 600.0


class SmtpClient(DeadlineConnection):
    """A session with an SMTP server; a step may last `limit` seconds, the answer to a mail `answer_limit`.

    `ehlo_name` is the name of this machine in EHLO; None is its address.
    """

    def __init__(
        self, limit: float, *, answer_limit: float = LONGEST_ANSWER, ehlo_name: str | None = None
    ) -> None:
        super().__init__(limit)
        self._answer_limit, self._ehlo_name = answer_limit, ehlo_name

    def connect(  # type: ignore[override]  # smtplib's steps, with deadlines and errors of our own
        self, host: str, port: int, context: ssl.SSLContext | None = None
    ) -> None:
        """Connect and wait for the greeting; with `context`, TLS is used from the first byte."""
        deadline = self.begin(Step.CONNECT)
        try:
            self.sock = connect(host, port, deadline)
        except OSError as error:
            raise BrokenError(self.step, error) from error
        self.local_hostname = self._ehlo_name or _own_name(self.sock)
        if context:
            self.begin(Step.HANDSHAKE)
            self.encrypt(context, host)
        self.begin(Step.GREETING)
        self.require_accepted(self.getreply())

    def hello(self) -> None:
        """Send EHLO, or HELO to a server that does not know EHLO, and read which extensions it offers."""
        self.step = Step.HELLO
        code, text = self.ehlo()
        if 500 <= code <= 599:
            code, text = self.helo()
        self.require_accepted((code, text))

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Switch to TLS by STARTTLS, and send EHLO again; raises MissingError if it is not offered."""
        self.step = Step.STARTTLS
        if not self.has_extn("starttls"):
            raise MissingError(self.step, "STARTTLS")
        self.require_accepted(self.docmd("STARTTLS"))
        self.encrypt(context, host)
        self.hello()

    def login_ways(self) -> list[str]:
        """Return the authentication mechanisms that both sides know, the most common first.

        Raises MissingError if there is none.
        """
        self.step = Step.LOGIN
        offered = self.esmtp_features.get("auth", "").upper().split()
        ways = usable_ways(offered, encrypted=isinstance(self.sock, ssl.SSLSocket))
        if not ways:
            raise MissingError(self.step, "AUTH", " ".join(offered).encode())
        return ways

    def login(self, way: str, username: str, password: str) -> None:  # type: ignore[override]
        """Log in with one of the mechanisms of `login_ways`."""
        self.step = Step.LOGIN
        answers = list(responses(way, username, password))
        code, text = 501, b""
        if way == "PLAIN":
            initial = b64encode(answers[0](b"")).decode()
            if len(initial) <= _LONGEST_INITIAL:
                code, text = self.docmd("AUTH", f"{way} {initial}")
        if code in (500, 501, 504):  # none was sent, or the server takes no initial response (RFC 4954, 4)
            code, text = self.docmd("AUTH", way)
        while code == 334 and answers:
            try:
                answer = answers.pop(0)(text)
            except ValueError as error:
                raise GarbledError(self.step, text) from error
            code, text = self.docmd(b64encode(answer).decode())
        self.require_accepted((code, text))

    def transmit(self, content: bytes, sender: str, recipient: str) -> None:
        """Send a message; return once the server has accepted responsibility for it.

        Raises MissingError if it needs SMTPUTF8, which the server does not offer.
        """
        options = [f"SIZE={len(content)}"] if self.has_extn("size") else []
        self.step = Step.SENDER
        if not (content.isascii() and sender.isascii() and recipient.isascii()):
            if not self.has_extn("smtputf8"):
                raise MissingError(self.step, "SMTPUTF8")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        self.require_accepted(self.mail(sender, options))
        self.step = Step.RECIPIENT
        self.require_accepted(self.rcpt(recipient))
        self.step = Step.CONTENT
        self.require_accepted(self.docmd("DATA"), wanted=3)
        try:
            self.send(_dotted(content))
        except BrokenError:
            self._raise_refusal()
            raise
        self.begin(Step.DATA_REPLY, self._answer_limit)
        self.require_accepted(self.getreply())

    def reset(self, limit: float) -> None:
        """Send RSET after a refused mail, so that the next one can be sent; it may last `limit` seconds."""
        self.step = Step.RESET
        usual, self.limit = self.limit, min(limit, self.limit)
        try:
            self.require_accepted(self.docmd("RSET"))
        finally:
            self.limit = usual

    def quit(self, limit: float) -> None:  # type: ignore[override]
        """Send QUIT, wait `limit` seconds at most for the answer, and close the connection."""
        self.step, self.limit = Step.QUIT, min(limit, self.limit)
        with suppress(SmtpError):  # all mails have their result by now
            self.docmd("QUIT")
        self.close()

    def _raise_refusal(self) -> None:
        """Raise the refusal that the server may have sent before it closed the connection."""
        with suppress(BrokenError, GarbledError):
            code, text = self.getreply()
            if code >= 400:
                raise RefusedError(self.step, code, text)


def _own_name(connection: socket.socket) -> str:
    """Return the address literal that EHLO takes instead of a name (RFC 5321, 4.1.4)."""
    address = connection.getsockname()[0].partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _dotted(content: bytes) -> bytes:
    """Return the message as it is sent after DATA: dots doubled, and the final dot (RFC 5321, 4.5.2)."""
    lines = content.removesuffix(b"\r\n").replace(b"\r\n.", b"\r\n..")
    return (b"." if lines.startswith(b".") else b"") + lines + b"\r\n.\r\n"
