"""A mail server that accepts everything and keeps nothing: `python -m tests.benchmarks.null_smtp_server`.

It prints its port, and runs until its standard input is closed. It is as fast as possible in Python and runs
in a process of its own, because the sender is measured.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_GREETING = b"220 sink ESMTP\r\n"
_HELLO = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"


@contextmanager
def null_smtp_server() -> Iterator[int]:
    """Run the server; yield its port on loopback."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.null_smtp_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.stdin.close()


class _Session(asyncio.Protocol):
    """One connection; the content of a mail is discarded."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""
        self._in_mail = False
        transport.write(_GREETING)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._step():
            pass

    def _step(self) -> bool:
        """Answer the next line, or the end of a mail; return whether there was one."""
        end = b"\r\n.\r\n" if self._in_mail else b"\r\n"
        text, separator, rest = self._received.partition(end)
        if not separator:
            self._received = self._received[-4:] if self._in_mail else self._received
            return False
        self._received = rest
        if self._in_mail:
            self._in_mail = False
            self._transport.write(b"250 taken\r\n")
        else:
            self._answer(text[:4].upper())
        return True

    def _answer(self, verb: bytes) -> None:
        if verb == b"EHLO":
            self._transport.write(_HELLO)
        elif verb == b"DATA":
            self._in_mail = True
            self._transport.write(b"354 go on\r\n")
        elif verb == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 yes\r\n")


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
