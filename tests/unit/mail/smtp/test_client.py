"""One SMTP session byte by byte: time limits of whole steps, logins, and malformed replies."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from cavecron.mail.smtp.client import SmtpClient
from cavecron.mail.smtp.errors import BrokenError, GarbledError, MissingError, RefusedError, SmtpError
from tests.support.authority import authority
from tests.support.fake_smtp.faults import Fault, FaultRule, Step, delay, dribble, endless, reply
from tests.support.fake_smtp.server import FakeSmtpServer

_LIMIT = 0.4


@contextmanager
def _session(server: FakeSmtpServer) -> Iterator[SmtpClient]:
    client = SmtpClient(_LIMIT, answer_limit=_LIMIT)
    client.connect("127.0.0.1", server.port)
    client.hello()
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("fault", [delay(), dribble(0.05)], ids=["silence", "a byte now and then"])
@pytest.mark.parametrize("step", [Step.CONNECT, Step.EHLO, Step.MAIL, Step.DATA, Step.END], ids=str)
def test_no_step_lasts_longer_than_its_limit(step: Step, fault: Fault) -> None:
    """The limit is for the whole reply, also if parts of it arrive in time."""
    with FakeSmtpServer(FaultRule(step, fault)) as server:
        started = monotonic()
        with pytest.raises(BrokenError) as raised, _session(server) as client:
            client.transmit(b"Subject: x\r\n\r\nx\r\n", "a@x", "b@x")
        assert isinstance(raised.value.cause, TimeoutError)
        assert _LIMIT <= monotonic() - started < 4 * _LIMIT


def test_a_reply_without_end_is_not_kept() -> None:
    """The session ends after 64 kB, long before the time limit."""
    garbled = pytest.raises(GarbledError)
    with FakeSmtpServer(FaultRule(Step.MAIL, endless())) as server, _session(server) as client, garbled:
        client.transmit(b"x\r\n", "a@x", "b@x")


@pytest.mark.parametrize("fault", [delay(), dribble(0.05)], ids=["silence", "a byte now and then"])
def test_quit_does_not_wait_for_the_answer_beyond_its_limit(fault: Fault) -> None:
    """The limit of QUIT is short, because all mails are delivered by then."""
    with FakeSmtpServer(FaultRule(Step.QUIT, fault)) as server, _session(server) as client:
        started = monotonic()
        client.quit(0.1)
        assert monotonic() - started < 0.35


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(delay(), BrokenError), (reply("421 closing"), RefusedError), (reply("550 no"), RefusedError)],
    ids=["silence", "421", "550"],
)
def test_a_reset_that_fails_raises_an_error_within_its_limit(fault: Fault, kind: type[SmtpError]) -> None:
    """The caller opens a new connection then."""
    with FakeSmtpServer(FaultRule(Step.RSET, fault)) as server, _session(server) as client:
        started = monotonic()
        with pytest.raises(kind):
            client.reset(0.1)
        assert monotonic() - started < 0.35


@pytest.mark.parametrize(
    "mechanisms", ["PLAIN", "LOGIN", "CRAM-MD5", "LOGIN PLAIN CRAM-MD5", "PLAIN XOAUTH2"]
)
@pytest.mark.parametrize("password", ["secret", "sésame ☂", "wrong"])
def test_a_login_works_with_each_known_mechanism(mechanisms: str, password: str) -> None:
    """The password may be UTF-8; a wrong one is refused with 535."""
    right = "secret" if password == "wrong" else password
    with FakeSmtpServer(login=("marie", right), ways=mechanisms) as server, _session(server) as client:
        if password == right:
            client.login(client.login_ways()[0], "marie", password)
            client.transmit(b"x\r\n", "a@x", "b@x")
            assert server.copies() == {"b@x": 1}
        else:
            with pytest.raises(RefusedError) as raised:
                client.login(client.login_ways()[0], "marie", password)
            assert raised.value.code == 535


def test_unknown_login_mechanisms_raise_an_error() -> None:
    """The error has the mechanisms that the server offers."""
    with (
        FakeSmtpServer(login=("marie", "secret"), ways="XOAUTH2 GSSAPI") as server,
        _session(server) as client,
    ):
        with pytest.raises(MissingError) as raised:
            client.login_ways()
        assert raised.value.reply == b"XOAUTH2 GSSAPI"


def test_plaintext_behind_the_reply_to_starttls_is_refused(tmp_path: Path) -> None:
    """Otherwise it would be taken for an encrypted reply."""
    ca = authority(tmp_path)
    rule = FaultRule(Step.STARTTLS, reply("220 go ahead\r\n250 AUTH PLAIN"))
    injecting, garbled = (
        FakeSmtpServer(rule, tls="starttls", context=ca.context()),
        pytest.raises(GarbledError),
    )
    with injecting as server, _session(server) as client, garbled:
        client.start_tls(ssl.create_default_context(cafile=ca.ca_file), "127.0.0.1")


def test_a_server_without_starttls_gets_nothing_in_clear() -> None:
    """An error says that the server does not offer STARTTLS."""
    missing = pytest.raises(MissingError, match="STARTTLS")
    with FakeSmtpServer() as server, _session(server) as client, missing:
        client.start_tls(ssl.create_default_context(), "127.0.0.1")


def test_a_server_that_refuses_ehlo_is_greeted_with_helo() -> None:
    """MAIL FROM then has no parameters, because the server offers no extensions."""
    with FakeSmtpServer(FaultRule(Step.EHLO, reply("502 5.5.1 what?"))) as server, _session(server) as client:
        client.transmit(b"Subject: x\r\n\r\nx\r\n", "a@x", "b@x")
        assert [command.replace("FROM", "from") for _, command in server.commands][
            1:3
        ] == [  # smtplib before 3.13 writes "FROM"
            f"helo {client.local_hostname}",
            "mail from:<a@x>",
        ]


@pytest.mark.parametrize(
    "content",
    [b".\r\n", b"..\r\n.\r\n", b"x\r\n.\r\n.y\r\n", b"no end of line", b"\r\n\r\n"],
    ids=["dot", "dots", "dots within", "no end", "blank"],
)
def test_a_message_cannot_end_itself(content: bytes) -> None:
    """A line that is only a dot stays part of the message (RFC 5321, 4.5.2)."""
    with FakeSmtpServer() as server, _session(server) as client:
        client.transmit(content, "a@x", "b@x")
        client.transmit(b"second\r\n", "a@x", "c@x")
        assert [mail.content for mail in server.accepted] == [content.removesuffix(b"\r\n"), b"second"]
