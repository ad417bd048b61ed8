"""200 mails to a server that takes 20 ms for each reply, over a bare smtplib loop on one connection.

`python -m tests.benchmarks.latency [--quick]` prints the ratios for the default two connections and for
eight; it takes two minutes, mostly waiting. `--quick` sends ten mails, to see that everything runs.
"""

import multiprocessing
import smtplib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from multiprocessing.connection import Connection

from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.models import OutgoingMail
from cavecron.mail.smtp.transport import connector
from tests.support.deliveries import ListLog
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.smtp_configs import smtp_config

_LATENCY = 0.020
_LIMITS = {2: 0.6, 8: 0.2}


def main() -> int:
    """Print the ratios with their limits; return 0 if they hold."""
    quick = "--quick" in sys.argv
    count = 10 if quick else 200
    all_hold = True
    print(f"| {count} mails, {_LATENCY * 1000:.0f} ms for each reply, over a bare loop | figure | limit |")
    print("|---|---|---|")
    with _slow_server() as port:
        for connections, limit in _LIMITS.items():
            ratio = _ratio(port, count, connections, runs=1 if quick else 3)
            all_hold = all_hold and ratio <= limit
            print(f"| over {connections} connections | {ratio:.3f} × | ≤ {limit} × |", flush=True)
    return 0 if all_hold or quick else 1


def _ratio(port: int, count: int, connections: int, *, runs: int) -> float:
    """Return the median of ratios, each of two measurements one after the other."""
    pairs = [
        (
            _seconds(lambda: _send_with_cavecron(port, count, connections)),
            _seconds(lambda: _send_with_smtplib(port, count)),
        )
        for _ in range(runs)
    ]
    return statistics.median(ours / bare for ours, bare in pairs)


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _mails(count: int) -> Iterator[OutgoingMail]:
    for number in range(count):
        message = EmailMessage()
        message["Subject"] = "Rapport"
        message["Message-ID"] = f"<{number}@cave.example>"
        message.set_content("Bonjour,\n" * 500)
        yield OutgoingMail(user_id=number, address=f"user{number}@example.org", message=message)


def _send_with_cavecron(port: int, count: int, connections: int) -> None:
    config = smtp_config(port, timeout=10.0)
    log = ListLog()
    policy = DeliveryPolicy(connections=connections)
    deliver(_mails(count), connector(config, None), log, policy=policy, check=lambda: None)
    assert [status for _, status, _ in log.results] == ["delivered"] * count


def _send_with_smtplib(port: int, count: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as server:
        for mail in _mails(count):
            server.sendmail("cave@example.org", [mail.address], bytes(mail.message))


@contextmanager
def _slow_server() -> Iterator[int]:
    """Run a slow server in a process of its own; yield its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    yield int(ours.recv())
    ours.send("enough")
    process.join(10)


def _serve(pipe: Connection) -> None:
    with FakeSmtpServer(latency=_LATENCY) as server:
        pipe.send(server.port)
        pipe.recv()


if __name__ == "__main__":
    sys.exit(main())
