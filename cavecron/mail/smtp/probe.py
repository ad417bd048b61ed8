"""Finding out what a port speaks, when it did not speak what was expected of it.

It logs in nowhere and sends nothing but one harmless question. It judges nothing: that is `diagnosis`.
"""

import ssl
from contextlib import suppress
from socket import socket
from time import monotonic
from typing import Literal

from cavecron.mail.smtp.connect import connect, remaining

#: `unknown`: something that is none of the others; `silent`: nothing at all.
Protocol = Literal["tls", "smtp", "http", "unknown", "silent"]

#: What a web server answers and a mail server refuses. Asked only of whoever did not greet: "EHLO" would be
#: an HTTP/0.9 request, which some web servers answer without a status line.
_QUESTION = b"GET / HTTP/1.0\r\n\r\n"
#: Seconds for each of the two attempts: whoever waits for the answer has waited for a time-out before.
_PATIENCE = 3.0


def probe(host: str, port: int, limit: float) -> Protocol:
    """Return what answers on the port, after `limit` seconds for each of two attempts at most."""
    limit = min(limit, _PATIENCE)
    answer = _reaction(host, port, limit)
    if answer.startswith((b"\x15\x03", b"\x16\x03")):  # a TLS record: alert, handshake (RFC 8446, 5.1)
        return "tls"
    if answer[:3].isdigit() and answer[3:4] in (b" ", b"-"):
        return "smtp"
    if answer.startswith(b"HTTP/"):
        return "http"
    if _shakes_hands(host, port, limit):
        return "tls"
    return "unknown" if answer else "silent"


def _reaction(host: str, port: int, limit: float) -> bytes:
    """Return the first octets that the port says by itself, or when it is spoken to."""
    with suppress(OSError), connect(host, port, monotonic() + limit) as connection:
        with suppress(TimeoutError):
            return _first(connection, monotonic() + limit / 2)
        connection.sendall(_QUESTION)
        return _first(connection, monotonic() + limit / 2)
    return b""


def _first(connection: socket, deadline: float) -> bytes:
    answer = b""
    while len(answer) < 5:
        connection.settimeout(remaining(deadline))
        more = connection.recv(64)
        if not more:
            break
        answer += more
    return answer


def _shakes_hands(host: str, port: int, limit: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # nothing is sent: the question is only whether it speaks TLS
    context.verify_mode = ssl.CERT_NONE
    with suppress(OSError), connect(host, port, monotonic() + limit) as connection:
        connection.settimeout(limit)
        context.wrap_socket(connection).close()
        return True
    return False
