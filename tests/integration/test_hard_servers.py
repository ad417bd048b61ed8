"""Whole mailings to servers that limit, greylist or fail: which mails arrive, and how long it takes."""

from collections import Counter
from collections.abc import Callable
from time import monotonic

import pytest

from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.errors import ServerUnavailableError
from cavecron.mail.models import OutgoingMail
from cavecron.mail.smtp.transport import connector
from tests.support.deliveries import ListLog
from tests.support.fake_smtp.faults import Fault, Greylist, Step, Visit, close, delay, reply, reset
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.smtp_configs import numbered_message, smtp_config

#: Seconds: the time limit of a step.
_LIMIT = 0.5


def _mails(count: int) -> list[OutgoingMail]:
    return [
        OutgoingMail(user_id=number, address=f"user{number}@example.org", message=numbered_message(number))
        for number in range(count)
    ]


def _send(server: FakeSmtpServer, count: int, policy: DeliveryPolicy) -> list[str]:
    """Send `count` mails; return the final status of each."""
    log = ListLog()
    connect = connector(smtp_config(server.port), None, answer_limit=_LIMIT)
    deliver(_mails(count), connect, log, policy=policy, check=lambda: None)
    return [status for _, status, _ in log.results]


def test_a_greylisting_server_gets_its_second_attempt() -> None:
    """The second try comes after all other mails, and each user gets the mail once."""
    with FakeSmtpServer(Greylist(0.3)) as server:
        statuses = _send(server, 20, DeliveryPolicy(retry_after=0.4))
        assert server.copies() == {f"user{number}@example.org": 1 for number in range(20)}
    assert Counter(statuses) == {"delivered": 20}


def test_a_server_that_allows_few_mails_at_a_time_gets_all_of_them_in_the_end() -> None:
    """The server answers 421 after each third mail; the mailing continues after a pause."""
    accepted_at: list[float] = []

    def policy(visit: Visit) -> Fault | None:
        if visit.step is not Step.MAIL:
            return None
        if len(accepted_at) % 4 == 3 and monotonic() < accepted_at[-1] + 0.1:
            return reply("421 4.7.0 too many mails, slow down")
        accepted_at.append(monotonic())
        return None

    with FakeSmtpServer(policy) as server:
        statuses = _send(server, 12, DeliveryPolicy(pauses=(0.05, 0.1, 0.2)))
        assert server.copies() == {f"user{number}@example.org": 1 for number in range(12)}
    assert set(statuses) == {"delivered"}


@pytest.mark.parametrize(
    "server",
    [
        lambda: FakeSmtpServer(most=1),
        lambda: FakeSmtpServer(most=1, crowded=reply("554 5.7.0 too many connections")),
        lambda: FakeSmtpServer(most=1, crowded=close()),
        lambda: FakeSmtpServer(most=1, crowded=delay()),
        lambda: FakeSmtpServer(listens_for=1),
    ],
    ids=["421", "554", "close", "silence", "closed port"],
)
def test_a_server_that_accepts_one_connection_gets_all_mails_over_it(
    server: Callable[[], FakeSmtpServer],
) -> None:
    """The mailing uses one connection, however the server refuses the second one."""
    with server() as smtp_server:
        statuses = _send(smtp_server, 20, DeliveryPolicy(connections=3))
        assert smtp_server.copies() == {f"user{number}@example.org": 1 for number in range(20)}
        assert {mail.connection for mail in smtp_server.accepted} == {1}
    assert set(statuses) == {"delivered"}


@pytest.mark.parametrize("connections", [1, 2, 8])
def test_a_server_that_dies_costs_one_time_out_and_one_new_connection(connections: int) -> None:
    """A server that stops answering costs two time limits in all, and not one for each mail."""
    started: list[float] = []
    with FakeSmtpServer() as server:

        def stop_answering(visit: Visit) -> Fault | None:
            if len(server.accepted) >= 5:
                started.append(monotonic())
                return delay()
            del visit
            return None

        server.policies.append(stop_answering)
        with pytest.raises(ServerUnavailableError):
            _send(server, 100, DeliveryPolicy(connections=connections))
        seconds = monotonic() - started[0]
    # QUIT takes a second at most.
    assert seconds < 2 * _LIMIT + 1 + 1
    assert len(server.accepted) < 5 + connections


def test_no_mail_is_sent_twice_when_the_server_restarts() -> None:
    """All connections are reset during the mailing, and each user gets the mail once."""
    resets: list[bool] = []
    with FakeSmtpServer(latency=0.002) as server:

        def restart(visit: Visit) -> Fault | None:
            if visit.step is Step.RCPT and len(server.accepted) >= 20 and len(resets) < 4:
                resets.append(True)
                return reset()
            return None

        server.policies.append(restart)
        statuses = _send(server, 60, DeliveryPolicy(connections=4, retry_after=0.2))
        assert server.copies() == {f"user{number}@example.org": 1 for number in range(60)}
    assert set(statuses) == {"delivered"}
    assert len(resets) == 4
