"""Whole mailings to servers that slow down, greylist or limit: who has the mail in the end, and when."""

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
from tests.support.fake_smtp.server import HostileServer
from tests.support.smtp_configs import numbered_message, smtp_config

#: Seconds: the time limit of a step.
_LIMIT = 0.5


def _mails(count: int) -> list[OutgoingMail]:
    return [
        OutgoingMail(user_id=number, address=f"user{number}@example.org", message=numbered_message(number))
        for number in range(count)
    ]


def _mailed(server: HostileServer, count: int, policy: DeliveryPolicy) -> list[str]:
    """Send so many mails; return the last status of each."""
    log = ListLog()
    connect = connector(smtp_config(server.port), None, answer_limit=_LIMIT)
    deliver(_mails(count), connect, log, policy=policy, check=lambda: None)
    return [status for _, status, _ in log.results]


def test_a_greylisting_server_gets_its_second_attempt() -> None:
    """After all others, once its time is over: everybody has the mail once."""
    with HostileServer(Greylist(0.3)) as server:
        statuses = _mailed(server, 20, DeliveryPolicy(retry_after=0.4))
        assert server.copies() == {f"user{number}@example.org": 1 for number in range(20)}
    assert Counter(statuses) == {"delivered": 20}


def test_a_server_that_allows_few_mails_at_a_time_gets_all_of_them_in_the_end() -> None:
    """It says 421 after each third mail, and wants a pause: the mailing resumes where it was."""
    calm: list[float] = []

    def policy(visit: Visit) -> Fault | None:
        if visit.step is not Step.MAIL:
            return None
        if len(calm) % 4 == 3 and monotonic() < calm[-1] + 0.1:
            return reply("421 4.7.0 too many mails, slow down")
        calm.append(monotonic())
        return None

    with HostileServer(policy) as server:
        statuses = _mailed(server, 12, DeliveryPolicy(pauses=(0.05, 0.1, 0.2)))
        assert server.copies() == {f"user{number}@example.org": 1 for number in range(12)}
    assert set(statuses) == {"delivered"}


@pytest.mark.parametrize(
    "server",
    [
        lambda: HostileServer(most=1),
        lambda: HostileServer(most=1, crowded=reply("554 5.7.0 too many connections")),
        lambda: HostileServer(most=1, crowded=close()),
        lambda: HostileServer(most=1, crowded=delay()),
        lambda: HostileServer(listens_for=1),
    ],
    ids=["421", "554", "close", "silence", "closed port"],
)
def test_a_server_that_takes_one_connection_only_gets_all_mails_over_that(
    server: Callable[[], HostileServer],
) -> None:
    """However it turns the second one away."""
    with server() as running:
        statuses = _mailed(running, 20, DeliveryPolicy(connections=3))
        assert running.copies() == {f"user{number}@example.org": 1 for number in range(20)}
        assert {mail.connection for mail in running.accepted} == {1}
    assert set(statuses) == {"delivered"}


@pytest.mark.parametrize("connections", [1, 2, 8])
def test_a_server_that_dies_costs_one_time_out_and_one_look_whether_it_is_back(connections: int) -> None:
    """Not one for each user: it falls silent after five mails of a hundred, on old connections and new."""
    started: list[float] = []
    with HostileServer() as server:

        def die(visit: Visit) -> Fault | None:
            if len(server.accepted) >= 5:
                started.append(monotonic())
                return delay()
            del visit
            return None

        server.policies.append(die)
        with pytest.raises(ServerUnavailableError):
            _mailed(server, 100, DeliveryPolicy(connections=connections))
        seconds = monotonic() - started[0]
    # And one more of a second at most: the farewell.
    assert seconds < 2 * _LIMIT + 1 + 1
    assert len(server.accepted) < 5 + connections


def test_no_mail_is_sent_twice_when_the_server_restarts() -> None:
    """Every connection is cut at once, in the middle of a mailing over four of them: everybody has one."""
    cut: list[bool] = []
    with HostileServer(latency=0.002) as server:

        def restart(visit: Visit) -> Fault | None:
            if visit.step is Step.RCPT and len(server.accepted) >= 20 and len(cut) < 4:
                cut.append(True)
                return reset()
            return None

        server.policies.append(restart)
        statuses = _mailed(server, 60, DeliveryPolicy(connections=4, retry_after=0.2))
        assert server.copies() == {f"user{number}@example.org": 1 for number in range(60)}
    assert set(statuses) == {"delivered"}
    assert len(cut) == 4
