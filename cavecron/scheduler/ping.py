"""One ping of a monitoring service, in ten seconds at most, including the DNS lookup.

The URL is a secret: of an error only the type is logged. The body has no names or addresses of people.
"""

import logging
import socket
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from cavecron.text import without_people

_LOG = logging.getLogger("cavecron.notify")

#: What is appended to the URL for each event, as healthchecks.io and compatible services define it.
_PATHS = {"start": "/start", "success": "", "failure": "/fail"}
_LONGEST_PING = 10.0
_LONGEST_BODY = 10_000


def ping(
    url: str,
    event: Literal["start", "success", "failure"],
    body: str = "",
    *,
    patience: float = _LONGEST_PING,
) -> None:
    """Report a run's start, success or failure to the service at `url`, in `patience` seconds at most.

    If that fails, a warning is logged.
    """
    answers: SimpleQueue[str] = SimpleQueue()
    call = _Call()

    def ask() -> None:
        answers.put(call.make(_request(url, event, body)))

    try:
        # The resolver has no time limit, and a server may send its answer byte by byte.
        Thread(target=ask, name="cavecron-http", daemon=True).start()
        trouble = answers.get(timeout=patience)
    except Empty:
        call.cut()
        trouble = "TimeoutError"
    except RuntimeError as error:  # no thread is available
        trouble = type(error).__name__
    if trouble:
        _LOG.warning("Le service de surveillance (PING_URL) n'a pas reçu « %s » : %s", event, trouble)


def _request(url: str, event: str, body: str) -> urllib.request.Request:
    """Return the request; a name and password in the URL become an Authorization header (RFC 7617)."""
    parts = urlsplit(url)
    login, _at, place = parts.netloc.rpartition("@")
    path = f"{parts.path.rstrip('/')}{_PATHS[event]}"
    request = urllib.request.Request(  # noqa: S310 - settings let only http and https through
        urlunsplit((parts.scheme, place, path, parts.query, "")),
        data=without_people(body).encode("utf-8", "replace")[:_LONGEST_BODY],
        headers={"User-Agent": "cavecron", "Content-Type": "text/plain; charset=utf-8"},
    )
    if login:
        credentials = b64encode(unquote(login).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {credentials}")  # for this server alone
    return request


class _Call:
    """One request with its redirects, whose connections another thread can shut down."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def make(self, request: urllib.request.Request) -> str:
        """Return '' after an answer, else the HTTP status or the type of the error, without the URL."""
        opener = urllib.request.build_opener(_Redirects, _Http(self.connect), _Https(self.connect))
        try:
            opener.open(request, timeout=_LONGEST_PING).close()
        except urllib.error.HTTPError as error:
            error.close()
            return str(error.code)
        except (OSError, ValueError, HTTPException) as error:
            return type(error).__name__
        finally:
            for copy in self._sockets:
                copy.close()
        return ""

    def connect(self, *address: Any, **options: Any) -> socket.socket:
        """Return a connection, and keep a duplicate of its socket, because TLS takes over the first one."""
        connection = socket.create_connection(*address, **options)
        self._sockets.append(connection.dup())
        if self._is_cut:
            self.cut()
        return connection

    def cut(self) -> None:
        """Shut down every connection, so that waiting for an answer ends."""
        self._is_cut = True
        for copy in self._sockets:
            try:
                copy.shutdown(socket.SHUT_RDWR)
            except OSError:  # already closed
                continue


_SCHEMES = ("http", "https")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only; urllib would follow one to ftp as well."""

    def redirect_request(self, req: urllib.request.Request, *answer: Any) -> urllib.request.Request | None:
        newurl = answer[-1]
        return super().redirect_request(req, *answer) if urlsplit(newurl).scheme in _SCHEMES else None


_Connect = Callable[..., socket.socket]


def _connection(kind: type[HTTPConnection], connect: _Connect, host: str, **options: Any) -> HTTPConnection:
    connection = kind(host, **options)
    vars(connection)["_create_connection"] = connect
    return connection


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connect: _Connect) -> None:
        super().__init__()
        self._connect = connect

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPConnection, self._connect), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connect: _Connect) -> None:
        super().__init__()
        self._connect = connect

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPSConnection, self._connect), req)
