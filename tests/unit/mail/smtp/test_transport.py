"""One SMTP connection: whether an error concerns one mail or all."""

from time import monotonic

import pytest

from cavecron.errors import CavecronError
from cavecron.mail.errors import (
    ConnectionLostError,
    DeliveryUnknownError,
    PermanentServerError,
    RecipientRefusedError,
    SenderRefusedError,
    ServerBusyError,
    ServerUnavailableError,
    TemporaryRecipientError,
    ThrottledError,
)
from cavecron.mail.smtp.transport import SmtpTransport, connector
from tests.support.fake_smtp.faults import (
    Fault,
    FaultRule,
    Step,
    Visit,
    close,
    delay,
    dribble,
    endless,
    garbage,
    reply,
    reset,
)
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.smtp_configs import numbered_message, smtp_config

_LIMIT = 0.5
TEXT = "Bonjour\n.\n..\n" * 3


@pytest.mark.parametrize(
    ("step", "fault", "kind", "words"),
    [
        (Step.RCPT, reply("550 5.1.1 no such user"), RecipientRefusedError, "550 5.1.1 no such user"),
        (Step.DATA, reply("554 5.7.1 spam"), RecipientRefusedError, "554 5.7.1 spam"),
        (Step.END, reply("552 5.2.2 full"), RecipientRefusedError, "552 5.2.2 full"),
        (Step.MAIL, reply("552 5.3.4 too big"), RecipientRefusedError, "552 5.3.4 too big"),
        (Step.MAIL, reply("550 5.7.1 not you"), SenderRefusedError, "expéditeur 'cave@example.org' refusé"),
        (Step.MAIL, reply("530 5.7.0 log in"), PermanentServerError, "identification exigée"),
        (Step.RCPT, reply("450 4.2.1 mailbox busy"), TemporaryRecipientError, "refus passager"),
        (Step.RCPT, reply("452 4.2.2 mailbox full"), TemporaryRecipientError, "452 4.2.2 mailbox full"),
        (Step.RCPT, reply("451 4.7.1 Greylisted"), TemporaryRecipientError, "Greylisted"),
        (Step.RCPT, reply("450 4.2.0 gray-listing in action"), TemporaryRecipientError, "gray-listing"),
        (Step.RCPT, reply("451 try later"), TemporaryRecipientError, "451 try later"),
        (Step.RCPT, reply("450 4.7.1 too many messages"), ServerBusyError, "450 4.7.1"),
        (Step.END, reply("452 4.3.1 disk full"), ServerBusyError, "452 4.3.1"),
        (Step.DATA, reply("451 rate limit exceeded"), ServerBusyError, "rate limit"),
        (Step.DATA, reply("451 Server busy"), ServerBusyError, "Server busy"),
        (Step.MAIL, reply("450 4.7.1 slow down"), ThrottledError, "slow down"),
        (Step.MAIL, reply("421 4.7.0 too many"), ThrottledError, "421 4.7.0 too many"),
        (Step.END, reply("421 4.3.2 shutting down"), ThrottledError, "421 4.3.2"),
        (Step.RCPT, close(), ConnectionLostError, "connexion coupée par le serveur au destinataire"),
        (Step.RCPT, reset(), ConnectionLostError, "connexion coupée par le serveur au destinataire"),
        (Step.RCPT, garbage(), ConnectionLostError, "réponse incompréhensible au destinataire"),
        (Step.RCPT, endless(), ConnectionLostError, "réponse incompréhensible au destinataire"),
        (Step.RCPT, delay(), ConnectionLostError, "pas de réponse au destinataire en 0.5 s"),
        (Step.RCPT, dribble(0.1), ConnectionLostError, "pas de réponse au destinataire en 0.5 s"),
        (Step.END, close(), DeliveryUnknownError, "il est peut-être arrivé"),
        (Step.END, delay(), DeliveryUnknownError, "il est peut-être arrivé"),
        (Step.END, garbage(), DeliveryUnknownError, "il est peut-être arrivé"),
    ],
    ids=lambda value: f"{value.kind} {value.text}".strip() if isinstance(value, Fault) else None,
)
def test_the_type_of_an_error_tells_whom_it_concerns(
    step: Step, fault: Fault, kind: type[CavecronError], words: str
) -> None:
    """It comes within the limit of a step, its text says what happened, and the next mail is delivered."""
    with FakeSmtpServer(FaultRule(step, fault)) as server:
        transport = SmtpTransport(smtp_config(server.port), None, answer_limit=_LIMIT)
        transport.open()
        started = monotonic()
        with pytest.raises(kind) as raised:
            transport.send(numbered_message(1, TEXT), "a@example.org")
        assert type(raised.value) is kind
        assert words in str(raised.value)
        assert monotonic() - started < 3 * _LIMIT
        transport.open()
        transport.send(numbered_message(2, TEXT), "b@example.org")
        transport.close()
        assert server.copies()["b@example.org"] == 1


@pytest.mark.parametrize(
    ("fault", "timed_out"), [(delay(), True), (dribble(0.1), True), (close(), False), (garbage(), False)]
)
@pytest.mark.parametrize("step", [Step.RCPT, Step.END], ids=str)
def test_a_lost_connection_says_whether_time_was_lost_with_it(
    step: Step, fault: Fault, timed_out: bool
) -> None:
    """`timed_out` tells a time-out; after the final dot the error says that the mail may have arrived."""
    with FakeSmtpServer(FaultRule(step, fault)) as server:
        transport = SmtpTransport(smtp_config(server.port), None, answer_limit=_LIMIT)
        with pytest.raises(ConnectionLostError) as raised:
            transport.send(numbered_message(1, TEXT), "a@example.org")
    assert raised.value.timed_out is timed_out
    assert isinstance(raised.value, DeliveryUnknownError) is (step is Step.END)


@pytest.mark.parametrize("step", [Step.CONNECT, Step.GREETING, Step.EHLO], ids=str)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (reply("421 4.3.2 come back"), ThrottledError),
        (reply("450 4.3.2 come back"), ThrottledError),
        (reply("554 5.7.1 go away"), PermanentServerError),
        (close(), ServerUnavailableError),
        (reset(), ServerUnavailableError),
        (delay(), ServerUnavailableError),
        (garbage(), PermanentServerError),
    ],
    ids=lambda value: f"{value.kind} {value.text[:3]}" if isinstance(value, Fault) else None,
)
def test_a_connection_that_cannot_be_opened_is_temporary_or_not(
    step: Step, fault: Fault, kind: type[CavecronError]
) -> None:
    """The fault stays, because HELO is tried after a permanent refusal of EHLO."""
    with FakeSmtpServer(FaultRule(step, fault, times=None)) as server, pytest.raises(kind) as raised:
        SmtpTransport(smtp_config(server.port), None, answer_limit=_LIMIT).open()
    assert type(raised.value) is kind


def test_a_server_that_answered_before_is_not_probed() -> None:
    """A refused second connection causes no further connections."""
    with FakeSmtpServer(FaultRule(Step.GREETING, close(), first=2, times=None)) as server:
        connect = connector(smtp_config(server.port), None, answer_limit=_LIMIT)
        first = connect()
        first.open()
        with pytest.raises(ServerUnavailableError):
            connect().open()
        assert server.connections == 2
        first.close()


def test_a_refusal_in_the_middle_of_the_message_is_reported() -> None:
    """The server sends the reason and closes the connection before it has read the whole message."""
    message = numbered_message(1, TEXT)
    message.set_content("x" * 70 + "\n" + ("y" * 70 + "\n") * 200_000)
    with FakeSmtpServer(FaultRule(Step.BODY, reply("421 4.3.1 no room for that"))) as server:
        transport = SmtpTransport(smtp_config(server.port), None, answer_limit=_LIMIT)
        with pytest.raises(ThrottledError, match="no room for that"):
            transport.send(message, "a@example.org")
        assert server.accepted == []


def test_a_mail_is_transmitted_unchanged() -> None:
    """Lines that begin with a dot are kept, and so is an accent in an address if the server allows it."""
    message = numbered_message(1, TEXT)
    with FakeSmtpServer() as server:
        transport = SmtpTransport(smtp_config(server.port), None, answer_limit=_LIMIT)
        transport.send(message, "a@example.org")
        transport.send(message, "zoé@exämple.org")
        plain, accented = server.accepted
    assert plain.content.replace(b"\r\n", b"\n").strip() == message.as_bytes().strip()
    assert accented.recipient == "zoé@exämple.org"


def _without_extensions(visit: Visit) -> Fault | None:
    return reply("250 hostile.example") if visit.step is Step.EHLO else None


@pytest.mark.parametrize(
    ("sender", "recipient", "kind"),
    [
        ("cave@example.org", "zoé@example.org", RecipientRefusedError),
        ("cavé@example.org", "zoe@example.org", PermanentServerError),
    ],
    ids=["recipient", "sender"],
)
def test_accents_that_a_server_does_not_accept_are_an_error(
    sender: str, recipient: str, kind: type[CavecronError]
) -> None:
    """An accent in the recipient's address concerns one mail, in the sender's all; nothing is sent."""
    with FakeSmtpServer(_without_extensions) as server:
        with pytest.raises(kind, match="SMTPUTF8"):
            SmtpTransport(smtp_config(server.port, sender_email=sender), None, answer_limit=_LIMIT).send(
                numbered_message(1, TEXT), recipient
            )
        assert server.visits[Step.MAIL] == 0


@pytest.mark.parametrize("address", ["a@x\r\nRCPT TO:<b@x>", "a@x, b@x", "pas une adresse"])
def test_an_invalid_address_never_reaches_the_server(address: str) -> None:
    """The error concerns only that recipient, and no connection is opened."""
    with FakeSmtpServer() as server:
        with pytest.raises(RecipientRefusedError):
            SmtpTransport(smtp_config(server.port), None, answer_limit=_LIMIT).send(
                numbered_message(1, TEXT), address
            )
        assert server.connections == 0
