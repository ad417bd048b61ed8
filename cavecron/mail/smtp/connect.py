"""Connecting to a host within a deadline, which includes the look-up of its name.

It knows no protocol. A `deadline` is an instant of the monotonic clock, in seconds.
"""

import errno
import os
import socket
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
Address = tuple[socket.AddressFamily, SocketAddress]


def connect(host: str, port: int, deadline: float) -> socket.socket:
    """Return a connected socket; raises OSError.

    Each address of the host gets an equal share of the time, so that an IPv6 address that does not answer
    leaves time for an IPv4 address.
    """
    return connect_to_first(_resolved(host, port, deadline), deadline)


def connect_to_first(addresses: Sequence[Address], deadline: float) -> socket.socket:
    """Return a socket that is connected to the first address that can be reached; raises OSError."""
    last_error: OSError = socket.gaierror(socket.EAI_NONAME, "")
    for number, (family, address) in enumerate(addresses):
        try:
            return _connected(family, address, remaining(deadline) / (len(addresses) - number))
        except OSError as error:  # a kernel without IPv6 refuses to create the socket
            last_error = error
    raise last_error


def _connected(family: socket.AddressFamily, address: SocketAddress, seconds: float) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _resolved(host: str, port: int, deadline: float) -> Sequence[Address]:
    """Look up the name in a thread, because the system's resolver has no time limit."""
    answers: SimpleQueue[Sequence[Address] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([(family, address) for family, _, _, _, address in addresses])
        except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 characters
            answers.put(error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, host))

    try:
        Thread(target=ask, name="cavecron-dns", daemon=True).start()
    except (RuntimeError, MemoryError) as error:  # "can't start new thread"
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
    try:
        answer = answers.get(timeout=remaining(deadline))
    except Empty:
        raise socket.gaierror(socket.EAI_AGAIN, host) from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def remaining(deadline: float) -> float:
    """Return the seconds until the deadline; raises TimeoutError after it."""
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
