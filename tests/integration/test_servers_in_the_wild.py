"""Problems with real mail servers that users of mail programs have reported, replayed over sockets."""

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Literal

import pytest

from cavecron.errors import CavecronError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.errors import PermanentServerError, ServerUnavailableError
from cavecron.mail.models import OutgoingMail
from cavecron.mail.smtp.config import Security, SmtpConfig
from cavecron.mail.smtp.connect import connect_to_first
from cavecron.mail.smtp.transport import SmtpTransport, connector
from tests.support.authority import Authority, authority
from tests.support.deliveries import ListLog, go_on
from tests.support.fake_smtp.faults import Fault, FaultRule, Step, Visit, close, delay, reply, reset
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.smtp_configs import numbered_message, smtp_config

#: Seconds: the time limit of a step.
_LIMIT = 0.5
_ONE = DeliveryPolicy(connections=1, pauses=(0.01, 0.02), retry_after=0.05)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that all servers share."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return authority(folder)


def _config(server: FakeSmtpServer, *, security: Security = "plain") -> SmtpConfig:
    username, password = server.login or (None, None)
    return smtp_config(server.port, username=username, password=password, security=security, timeout=_LIMIT)


def _mails(count: int) -> Sequence[OutgoingMail]:
    return [
        OutgoingMail(user_id=number, address=f"user{number}@example.org", message=numbered_message(number))
        for number in range(count)
    ]


def _deliver(server: FakeSmtpServer, count: int, policy: DeliveryPolicy = _ONE) -> tuple[ListLog, str]:
    """Send `count` mails; return the log, and the error that ended the delivery, if any."""
    log = ListLog()
    try:
        deliver(_mails(count), connector(_config(server), None), log, policy=policy, check=go_on)
    except CavecronError as error:
        return log, f"{type(error).__name__} {error}"
    return log, ""


@pytest.mark.parametrize("connections", [1, 2])
def test_a_server_that_takes_its_time_to_accept_gets_one_copy_of_each(connections: int) -> None:
    """A content filter answers later than the time limit of a step, and the delivery waits for it."""
    with FakeSmtpServer(FaultRule(Step.END, delay(1.6 * _LIMIT), times=None)) as server:
        log, error = _deliver(server, 4, DeliveryPolicy(connections=connections))
        assert server.copies() == {f"user{number}@example.org": 1 for number in range(4)}
    assert error == ""
    assert {status for _, status, _ in log.results} == {"delivered"}


def test_a_message_without_an_answer_is_presented_twice_at_most_over_another_connection() -> None:
    """The second try has the same Message-ID; after it the mail is abandoned."""
    with FakeSmtpServer(
        FaultRule(Step.END, close(kept=True), recipient="user0@example.org", times=None)
    ) as server:
        log, _ = _deliver(server, 3)
        copies = [mail for mail in server.accepted if mail.recipient == "user0@example.org"]
    assert len(copies) == 2
    assert len({mail.connection for mail in copies}) == 2
    assert len({mail.message_id for mail in copies}) == 1
    assert [status for name, status, _ in log.results if name == "user0@example.org"] == ["abandoned"]


_QUOTAS = (
    "550 5.4.5 Daily user sending quota exceeded. o65sm25351206pga.71 - gsmtp",
    "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
    "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
    "550 User marie@example.org has exceeded its 24-hour sending limit",
    "554 5.7.1 <DATA>: Data command rejected: limit of 400 rcpts per 24 hours reached",
    "550 send spam mail rejected: exceeded hour limit",
    "452 4.3.1 Domain example.org has exceeded the max emails per hour (122/100 (122%)) allowed",
)


@pytest.mark.parametrize("step", [Step.MAIL, Step.RCPT, Step.END], ids=str)
@pytest.mark.parametrize("reply_text", _QUOTAS)
def test_a_quota_of_the_sender_is_no_refusal_of_a_mail(step: Step, reply_text: str) -> None:
    """At any step, an exceeded quota ends the delivery temporarily, and the other mails are deferred."""
    with FakeSmtpServer(FaultRule(step, reply(reply_text), first=3, times=None)) as server:
        log, error = _deliver(server, 6)
    assert error.startswith("ServerUnavailableError ")
    assert "quota" in error
    assert [status for _, status, _ in log.results] == ["delivered", "delivered", "deferred"]


@pytest.mark.parametrize(
    "reply_text",
    [
        "552 5.2.2 user is over quota",
        "550 5.2.1 mailbox disabled, daily limit",
        "552 5.3.4 message size exceeds limit",
    ],
)
def test_a_full_mailbox_or_a_big_message_is_a_failure_of_that_mail(reply_text: str) -> None:
    """A quota of the recipient is the failure of that mail only."""
    rule = FaultRule(Step.RCPT, reply(reply_text), recipient="user1@example.org", times=None)
    with FakeSmtpServer(rule) as server:
        log, error = _deliver(server, 3)
    assert error == ""
    assert [status for _, status, _ in log.results] == ["delivered", "refused", "delivered"]


_SETTINGS = (
    ("553 5.7.1 <cave@example.org>: Sender address rejected: not owned by user marie", "expéditeur"),
    ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", "expéditeur"),
    ("554 5.7.1 <user0@example.org>: Relay access denied", "relais refusé"),
    ("504 5.5.2 <[10.0.0.5]>: Helo command rejected: need fully-qualified hostname", "CAVECRON_EHLO_NAME"),
)


@pytest.mark.parametrize(("reply_text", "message"), _SETTINGS)
@pytest.mark.parametrize("step", [Step.RCPT, Step.END], ids=str)
def test_a_wrong_setting_ends_the_delivery_at_the_second_refusal(
    step: Step, reply_text: str, message: str
) -> None:
    """Some servers refuse the sender at a later step; all mails are deferred until the setting is right."""
    with FakeSmtpServer(FaultRule(step, reply(reply_text), times=None)) as server:
        log, error = _deliver(server, 6)
    assert error.startswith("PermanentServerError ")
    assert message in error
    assert [status for _, status, _ in log.results] == ["deferred", "deferred"]


_BROKEN = {
    "535 and hang-up": (reply("535 5.7.8 no such mechanism"), close()),
    "535": (reply("535 5.7.8 bad protocol / cancel"),),
    "454": (reply("454 4.7.0 temporary failure"),),
    "421": (reply("421 4.7.0 closing"),),
    "hang-up": (close(),),
    "malformed challenge": (reply("334 %%% no base64"),),
    "empty challenge": (reply("334 "),),
}


@pytest.mark.parametrize("security", ["plain", "starttls"])
@pytest.mark.parametrize("faults", [pytest.param(faults, id=name) for name, faults in _BROKEN.items()])
@pytest.mark.parametrize("way", ["CRAM-MD5", "PLAIN"])
def test_a_way_to_log_in_that_does_not_work_leaves_the_others(
    ca: Authority, way: str, faults: Sequence[Fault], security: Literal["plain", "starttls"]
) -> None:
    """Some servers offer CRAM-MD5 without supporting it; the next way gets a new connection."""
    server = FakeSmtpServer(
        tls="no" if security == "plain" else security,
        context=ca.context(),
        login=("marie", "sésame"),
        ways="CRAM-MD5 PLAIN LOGIN",
        broken_ways={way: faults},
    )
    with server:
        transport = SmtpTransport(_config(server, security=security), ca.ca_file)
        transport.open()
        transport.send(_mails(1)[0].message, "a@example.org")
        transport.close()
        assert server.copies() == {"a@example.org": 1}
        ways = [command.split()[1] for _, command in server.commands if command.upper().startswith("AUTH")]
    assert ways[0] == ("CRAM-MD5" if security == "plain" else "PLAIN")


@pytest.mark.parametrize("initial_response", ["maybe", "only", "no"])
def test_plain_works_with_and_without_an_initial_response(
    initial_response: Literal["maybe", "only", "no"],
) -> None:
    """RFC 4954 allows both, and there are servers that accept only one of them."""
    server = FakeSmtpServer(login=("marie", "sésame"), ways="PLAIN", initial_response=initial_response)
    with server:
        transport = SmtpTransport(_config(server), None)
        transport.open()
        transport.send(_mails(1)[0].message, "a@example.org")
        assert server.copies() == {"a@example.org": 1}


def test_a_machine_without_md5_logs_in_by_another_way() -> None:
    """In FIPS mode hmac refuses MD5, so CRAM-MD5 is not tried; in a process of its own."""
    script = """
import hashlib, hmac, sys
sys.modules["_md5"] = None
real = hmac.new
def fips(key, msg=None, digestmod=""):
    if digestmod == "md5":
        raise ValueError("[digital envelope routines] unsupported")
    return real(key, msg, digestmod)
hmac.new = fips
from cavecron.mail.smtp.auth import usable_ways
print(usable_ways(["CRAM-MD5", "PLAIN"], encrypted=False))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "['PLAIN']\n"


@pytest.mark.parametrize("fault", [close(), reset(), delay()], ids=lambda fault: fault.kind)
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_handshake_that_is_cut_short_is_a_temporary_failure(
    ca: Authority, fault: Fault, security: Literal["tls", "starttls"]
) -> None:
    """An overloaded server or network is a temporary failure and no reason to change the port."""
    with FakeSmtpServer(
        FaultRule(Step.HANDSHAKE, fault, times=None), tls=security, context=ca.context()
    ) as server:
        with pytest.raises(ServerUnavailableError) as caught:
            SmtpTransport(_config(server, security=security), ca.ca_file).open()
        assert "STARTTLS (TLS) au lieu de SSL" not in str(caught.value)
        server.policies.clear()
        SmtpTransport(_config(server, security=security), ca.ca_file).open()
        assert server.commands[-1][1].lower().startswith("ehlo")


def test_a_certificate_of_an_unknown_authority_is_a_permanent_error(ca: Authority) -> None:
    """A retry cannot help, so the error is permanent."""
    refused = pytest.raises(PermanentServerError, match="autorité inconnue")
    with FakeSmtpServer(tls="tls", context=ca.context()) as server, refused:
        SmtpTransport(_config(server, security="tls"), None).open()


def test_connections_that_died_while_they_were_idle_lose_no_mail() -> None:
    """All idle connections die without an error; the mails are sent again over new ones."""
    dead: set[int] = set()

    def policy(visit: Visit) -> Fault | None:
        if visit.step is Step.MAIL and visit.connection in dead:
            return delay()
        if visit.step is Step.END and len(server.accepted) == 5:
            dead.update(range(1, server.connections + 1))
        return None

    with FakeSmtpServer(policy) as server:
        log, error = _deliver(server, 12, DeliveryPolicy(connections=3, retry_after=0.05))
        assert server.copies() == {f"user{number}@example.org": 1 for number in range(12)}
    assert (error, {status for _, status, _ in log.results}) == ("", {"delivered"})


def test_a_kernel_without_ipv6_reaches_an_address_of_ipv4() -> None:
    """An address of an unknown family is skipped, and the next one is used."""
    unknown = socket.AddressFamily.AF_APPLETALK
    with FakeSmtpServer() as server:
        addresses = [(unknown, ("127.0.0.1", server.port)), (socket.AF_INET, ("127.0.0.1", server.port))]
        with connect_to_first(addresses, monotonic() + 5) as connection:
            assert connection.recv(3) == b"220"


def test_the_name_in_ehlo_can_be_set() -> None:
    """Some servers refuse an address in brackets, so the name can be set."""
    with FakeSmtpServer() as server:
        connector(_config(server), None, ehlo_name="nas.example.org")().open()
        assert server.commands[0][1].lower() == "ehlo nas.example.org"


def test_the_error_of_a_server_that_closes_at_ehlo_names_the_variable() -> None:
    """Google's relay closes the connection if it refuses the name, so the error names the variable."""
    rule = FaultRule(Step.EHLO, reply("421 4.7.0 Try again later, closing connection. (EHLO)"), times=None)
    with FakeSmtpServer(rule) as server, pytest.raises(ServerUnavailableError, match="CAVECRON_EHLO_NAME"):
        SmtpTransport(_config(server), None).open()
