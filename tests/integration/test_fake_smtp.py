"""The fake mail server of the tests as smtplib sees it, and the records that it keeps."""

import smtplib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import create_default_context

import pytest

from tests.support.authority import authority
from tests.support.fake_smtp.faults import (
    Fault,
    FaultRule,
    Greylist,
    Step,
    close,
    delay,
    dribble,
    garbage,
    reply,
    reset,
)
from tests.support.fake_smtp.server import FakeSmtpServer

_MESSAGE = "Message-ID: <1@x>\r\nSubject: Bonjour\r\n\r\n.point\r\n"


@contextmanager
def _client(server: FakeSmtpServer) -> Iterator[smtplib.SMTP]:
    client = smtplib.SMTP("127.0.0.1", server.port, timeout=0.3)
    try:
        yield client
    finally:
        client.close()


def test_an_honest_server_keeps_what_it_accepted() -> None:
    """The record has Message-ID, recipient, connection, and the content without dot-stuffing."""
    with FakeSmtpServer() as server, _client(server) as client:
        client.sendmail("a@x", ["b@x"], _MESSAGE)
        (mail,) = server.accepted
    assert (mail.message_id, mail.recipient, mail.connection) == ("<1@x>", "b@x", 1)
    assert mail.content.endswith(b"\r\n.point")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (delay(), "timed out"),
        (reset(), "reset by peer"),
        (close(), "unexpectedly closed"),
        (reply("451 later"), "451, b'later'"),
        (reply("421 closing"), "421, b'closing'"),
        (garbage(), "ipsum"),
        (dribble(0.4), "timed out"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_a_fault_at_the_end_is_what_the_client_sees(fault: Fault, message: str) -> None:
    """The mail is accepted before a delay or a slow reply, and else only if the fault says so."""
    with FakeSmtpServer(FaultRule(Step.END, fault)) as server, _client(server) as client:
        with pytest.raises(smtplib.SMTPException, match=message):
            client.sendmail("a@x", ["b@x"], _MESSAGE)
        assert bool(server.accepted) is fault.kept


def test_a_trap_affects_one_recipient_and_is_used_up() -> None:
    """Other recipients are accepted, and so is the second try."""
    with FakeSmtpServer(FaultRule(Step.RCPT, reply("450 later"), recipient="b@x")) as server:
        with _client(server) as client:
            client.sendmail("a@x", ["a@x"], _MESSAGE)
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@x", ["b@x"], _MESSAGE)
            client.sendmail("a@x", ["b@x"], _MESSAGE)
        assert server.copies() == {"a@x": 1, "b@x": 1}


def test_a_greylist_lets_a_recipient_pass_after_its_time() -> None:
    """A recipient is refused until the time of the greylist is over."""
    with FakeSmtpServer(Greylist(0.0)) as server, _client(server) as client:
        client.sendmail("a@x", ["a@x"], _MESSAGE)
        assert server.copies() == {"a@x": 1}
    refused = pytest.raises(smtplib.SMTPRecipientsRefused)
    with FakeSmtpServer(Greylist(60.0)) as server, _client(server) as client, refused:
        client.sendmail("a@x", ["a@x"], _MESSAGE)


def test_too_many_connections_at_a_time_are_refused() -> None:
    """The second connection is refused, and accepted after the first one has ended."""
    with FakeSmtpServer(most=1) as server:
        with _client(server), pytest.raises(smtplib.SMTPConnectError), _client(server):
            pass
        server.wait_until(lambda server: server.present == 0)
        with _client(server):
            assert server.connections == 3


def _refuses(server: FakeSmtpServer) -> bool:
    """Return whether the port is closed, which happens just after the last connection was accepted."""
    try:
        socket.create_connection(("127.0.0.1", server.port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_closed_port_refuses_everybody() -> None:
    """The server closes its port after the given number of connections."""
    with FakeSmtpServer(listens_for=1) as server, _client(server) as first:
        first.noop()
        limit = time.monotonic() + 10
        while not _refuses(server):
            assert time.monotonic() < limit
            time.sleep(0.05)


def test_tls_and_login(tmp_path: Path) -> None:
    """Both ways to TLS work with a certificate of the test's authority."""
    ca = authority(tmp_path)
    context = create_default_context(cafile=ca.ca_file)
    with FakeSmtpServer(tls="starttls", context=ca.context(), login=("marie", "secret")) as server:
        with _client(server) as client:
            client.starttls(context=context)
            client.login("marie", "secret")
            client.sendmail("a@x", ["b@x"], _MESSAGE)
        assert server.copies() == {"b@x": 1}
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        with smtplib.SMTP_SSL("127.0.0.1", server.port, context=context, timeout=2) as client:
            client.sendmail("a@x", ["b@x"], _MESSAGE)
        assert server.copies() == {"b@x": 1}
