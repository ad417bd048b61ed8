"""Finding out which protocol a port speaks, after it did not speak the expected one.

It does not log in, and sends only one harmless request. `diagnosis` decides what the answer means.
"""

import ssl
from contextlib import suppress
from socket import socket
from time import monotonic
from typing import Literal

from cavecron.mail.smtp.connect import connect, remaining

#: `unknown` is an answer in another protocol, `silent` no answer at all.
Protocol = Literal["tls", "smtp", "http", "unknown", "silent"]

#: A request that a web server answers and a mail server refuses; it is sent only if the server did not greet.
#: "EHLO" would be an HTTP/0.9 request, which some web servers answer without a status line.
_REQUEST = b"GET / HTTP/1.0\r\n\r\n"
#: Seconds for each of two attempts at most, because the caller may have waited for a time-out already.
_LONGEST_ATTEMPT = 3.0


def probe(host: str, port: int, limit: float) -> Protocol:
    """Return the protocol of the port; each of two attempts takes at most `limit` seconds."""
    limit = min(limit, _LONGEST_ATTEMPT)
    answer = _first_answer(host, port, limit)
    if answer.startswith((b"\x15\x03", b"\x16\x03")):  # a TLS record: alert, handshake (RFC 8446, 5.1)
        return "tls"
    if answer[:3].isdigit() and answer[3:4] in (b" ", b"-"):
        return "smtp"
    if answer.startswith(b"HTTP/"):
        return "http"
    if _shakes_hands(host, port, limit):
        return "tls"
    return "unknown" if answer else "silent"


def _first_answer(host: str, port: int, limit: float) -> bytes:
    """Return the first bytes that the port sends unasked, else those of its answer to the request."""
    with suppress(OSError), connect(host, port, monotonic() + limit) as connection:
        with suppress(TimeoutError):
            return _first_bytes(connection, monotonic() + limit / 2)
        connection.sendall(_REQUEST)
        return _first_bytes(connection, monotonic() + limit / 2)
    return b""


def _first_bytes(connection: socket, deadline: float) -> bytes:
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
    context.check_hostname = False  # nothing is sent after the handshake
    context.verify_mode = ssl.CERT_NONE
    with suppress(OSError), connect(host, port, monotonic() + limit) as connection:
        connection.settimeout(limit)
        context.wrap_socket(connection).close()
        return True
    return False
