"""A ping: its address, its content, and its time limit."""

import socket
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from threading import Event, Thread
from threading import enumerate as living

import pytest

from cavecron.scheduler.ping import ping
from cavecron.text import without_people

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Server:
    """A server that answers its requests with `answers`, one after the other, and keeps the requests."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.answers, self.requests, self.done = list(answers), list[bytes](), Event()
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            for answer in self.answers:
                connection, _address = self._listener.accept()
                with closing(connection):
                    self.requests.append(_request(connection))
                    connection.sendall(answer)

    def close(self) -> None:
        """Close the port."""
        self._listener.close()


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(10_000)
    head, _blank, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += connection.recv(10_000)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    """Yield a server to which others redirect."""
    server = Server([_OK])
    yield server
    server.close()


def _redirection(url: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def test_a_name_and_a_password_are_sent_as_basic_authentication(elsewhere: Server) -> None:
    """Percent escapes are decoded (RFC 7617), and the server of a redirection gets no password."""
    server = Server([_redirection(f"http://127.0.0.1:{elsewhere.port}/x")])
    with closing(server):
        ping(f"http://moi:mot%3Ade%20passe@127.0.0.1:{server.port}/uuid", "start")
    assert server.requests[0].startswith(b"POST /uuid/start HTTP/1.1\r\n")
    assert b"Authorization: Basic " + b64encode(b"moi:mot:de passe") in server.requests[0]
    assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in server.requests[0]
    assert elsewhere.requests
    assert b"Authorization" not in elsewhere.requests[0]


@pytest.mark.parametrize("scheme", ["ftp", "file", "gopher"])
def test_a_redirection_to_another_scheme_is_not_followed(
    elsewhere: Server, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The redirection is a warning without the URL."""
    server = Server([_redirection(f"{scheme}://127.0.0.1:{elsewhere.port}/secret")])
    with closing(server):
        ping(f"http://127.0.0.1:{server.port}/secret", "success")
    assert not elsewhere.requests
    assert "n'a pas reçu « success » : 302" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", ["http", "https"])
def test_a_server_that_drips_is_cut_off(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A server that sends single bytes, in headers or TLS, is disconnected, and its thread ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = Event()

    def drip() -> None:
        connection, _address = listener.accept()
        head = b"HTTP/1.1 200 OK\r\n" if url == "http" else b"\x16\x03\x03\x40\x00"
        with closing(connection), suppress(OSError):
            connection.sendall(head)
            while not stop.wait(0.05):
                connection.sendall(b"x")

    Thread(target=drip, daemon=True).start()
    begin = time.monotonic()
    with closing(listener):
        ping(f"{url}://127.0.0.1:{listener.getsockname()[1]}/x", "start", patience=0.6)
        assert time.monotonic() - begin < 3
        assert "TimeoutError" in caplog.text
        for thread in living():
            if thread.name == "cavecron-http":
                thread.join(5)
                assert not thread.is_alive()
    stop.set()


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("douze bouteilles", "douze bouteilles"),
        ("refusé : <marie@example.org>, adresse inconnue", "refusé : <(adresse)>, adresse inconnue"),
        (
            "Rapports hebdomadaires: 3 envoyés, 2 échecs\n2 échecs : marie : refusée ; paul : refusée",
            "Rapports hebdomadaires: 3 envoyés, 2 échecs\n2 échecs",
        ),
    ],
    ids=["nobody", "an address", "names"],
)
def test_a_ping_contains_no_names_and_addresses(elsewhere: Server, text: str, sent: str) -> None:
    """Pings contain the number of affected users, but no names and addresses."""
    assert without_people(text) == sent
    ping(f"http://127.0.0.1:{elsewhere.port}/x", "failure", text)
    assert elsewhere.requests[0].partition(b"\r\n\r\n")[2].decode() == sent
