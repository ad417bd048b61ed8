"""What mail providers do to senders: slow verdicts, quotas, policies, broken logins, names that are refused.

As users of other programs have reported it.
"""

import ssl
from email.message import EmailMessage

import pytest

from cavecron.errors import CavecronError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.models import OutgoingMail
from cavecron.mail.smtp.client import BrokenError
from cavecron.mail.smtp.client import Step as ClientStep
from cavecron.mail.smtp.config import Security, SmtpConfig
from cavecron.mail.smtp.diagnosis import explain
from cavecron.mail.smtp.transport import connector
from tests.support.deliveries import ListLog, Result
from tests.support.fake_smtp.faults import Fault, Step, Trap, close, delay, reply
from tests.support.fake_smtp.server import HostileServer

PASSWORD = "sésame-ouvre-toi"
#: Patient enough for a test, and no more.
POLICY = DeliveryPolicy(connections=1, pauses=(0.01, 0.02), retry_after=0.01)


def config(
    port: int, *, timeout: float = 0.5, login: bool = False, security: Security = "plain"
) -> SmtpConfig:
    """Return how the server is reached."""
    return SmtpConfig(
        id=1,
        name="essai",
        host="127.0.0.1",
        port=port,
        username="cave" if login else None,
        password=PASSWORD if login else None,
        security=security,
        sender_email="cave@example.org",
        sender_name="",
        timeout=timeout,
    )


def mails(count: int) -> list[OutgoingMail]:
    """Return so many mails."""
    made = []
    for number in range(count):
        message = EmailMessage()
        message["Message-ID"] = f"<{number}@cave.example>"
        message.set_content("Bonjour\n")
        made.append(OutgoingMail(user_id=number, address=f"user{number}@example.org", message=message))
    return made


def delivered(
    server: HostileServer, count: int, *, login: bool = False, ehlo_name: str | None = None
) -> tuple[list[Result], str]:
    """Deliver so many mails; return the last result of each, and what ended the delivery."""
    log = ListLog()
    connect = connector(config(server.port, login=login), None, ehlo_name=ehlo_name)
    try:
        deliver(mails(count), connect, log, policy=POLICY, check=lambda: None)
    except CavecronError as error:
        return log.results, str(error)
    return log.results, ""


def test_a_slow_verdict_is_waited_for_and_makes_no_copy() -> None:
    """A content filter takes its time after the final dot; RFC 5321, 4.5.3.2.6 gives it ten minutes."""
    with HostileServer(Trap(Step.END, delay(1.2), times=None)) as server:
        results, error = delivered(server, 2)
        assert server.copies() == {"user0@example.org": 1, "user1@example.org": 1}
    assert [status for _, status, _ in results] == ["delivered", "delivered"]
    assert error == ""


@pytest.mark.parametrize("step", [Step.MAIL, Step.RCPT, Step.END])
@pytest.mark.parametrize(
    "text",
    ["550 5.4.5 Daily user sending limit exceeded", "550 5.1.90 Your message can't be sent: daily limit"],
)
def test_a_quota_of_the_sender_is_nobody_elses_fault(step: Step, text: str) -> None:
    """After the second mail of the day the rest is kept for later; nobody is told to be unreachable."""
    with HostileServer(Trap(step, reply(text), first=3, times=None)) as server:
        results, error = delivered(server, 5)
        assert len(server.accepted) == 2
    assert [status for _, status, _ in results].count("delivered") == 2
    assert "refused" not in {status for _, status, _ in results}
    assert "quota d'envoi atteint" in error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("553 5.7.1 <cave@example.org>: Sender address rejected: not owned by user", "expéditeur 'cave@"),
        ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", "expéditeur 'cave@"),
        ("554 5.7.1 <user0@example.org>: Relay access denied", "relais refusé"),
        (
            "504 5.5.2 <[127.0.0.1]>: Helo command rejected: need fully-qualified hostname",
            "CAVECRON_EHLO_NAME",
        ),
    ],
    ids=["not owned", "send as", "relay", "ehlo"],
)
def test_a_wrong_setting_ends_the_run_at_the_second_mail(text: str, said: str) -> None:
    """Refused at the recipient, but for what is configured: with the setting to change."""
    with HostileServer(Trap(Step.RCPT, reply(text), times=None)) as server:
        results, error = delivered(server, 20)
        assert server.visits[Step.RCPT] <= 3
        assert server.accepted == []
    assert said in error
    assert "refused" not in {status for _, status, _ in results}


@pytest.mark.parametrize(
    "fault",
    [
        reply("535 5.7.8 authentication failed"),
        reply("454 4.7.0 temporary authentication failure"),
        reply("421 4.7.0 closing"),
        close(),
    ],
    ids=["535", "454", "421", "hang-up"],
)
def test_a_login_that_is_offered_and_broken_is_not_the_last_one(fault: Fault) -> None:
    """The next way that both sides know gets a connection of its own."""
    with HostileServer(
        Trap(Step.AUTH, fault, connection=1), login=("cave", PASSWORD), ways="CRAM-MD5 PLAIN LOGIN"
    ) as server:
        results, error = delivered(server, 1, login=True)
        assert server.copies() == {"user0@example.org": 1}
    assert [status for _, status, _ in results] == ["delivered"]
    assert error == ""


@pytest.mark.parametrize("step", [Step.MAIL, Step.RCPT, Step.DATA, Step.END])
def test_a_password_that_a_server_repeats_is_told_nobody(step: Step) -> None:
    """At no step of the dialogue."""
    said = reply(f"550 5.7.1 go away {PASSWORD}, you were told")
    with HostileServer(Trap(step, said, times=None), login=("cave", PASSWORD)) as server:
        results, error = delivered(server, 2, login=True)
    told = " ".join([error, *(text or "" for _, _, text in results)])
    assert "go away" in told
    assert PASSWORD not in told


def test_the_name_that_is_told_to_the_server_can_be_set() -> None:
    """Some servers refuse an address in brackets."""
    with HostileServer() as server:
        delivered(server, 1, ehlo_name="nas.example.org")
        delivered(server, 1)
        names = [command for _, command in server.commands if command.upper().startswith("EHLO")]
    assert [name.split()[1] for name in names] == ["nas.example.org", "[127.0.0.1]"]


@pytest.mark.parametrize(
    ("cause", "temporary"),
    [
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), True),
        (TimeoutError("timed out"), True),
        (ConnectionResetError(104, "reset"), True),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] alert"), False),
    ],
    ids=["cut", "mute", "reset", "alert"],
)
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_hiccup_in_the_handshake_passes_and_an_alert_does_not(
    security: Security, cause: OSError, temporary: bool
) -> None:
    """The port says nothing just then: that is no proof of a wrong one."""
    error = BrokenError(ClientStep.HANDSHAKE, cause)
    assert explain(error, config(465, security=security), lambda: "silent").temporary is temporary
