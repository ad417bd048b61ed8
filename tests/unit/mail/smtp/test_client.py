"""One SMTP session byte by byte: deadlines of whole steps, logins, and malformed replies."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from cavecron.mail.smtp.client import SmtpClient
from cavecron.mail.smtp.errors import BrokenError, GarbledError, MissingError, RefusedError, SmtpError
from tests.support.authority import authority
from tests.support.fake_smtp.faults import Fault, Step, Trap, delay, dribble, endless, reply
from tests.support.fake_smtp.server import HostileServer

_LIMIT = 0.4


@contextmanager
def _greeted(server: HostileServer) -> Iterator[SmtpClient]:
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
    """However much of its reply is there: the limit is for the whole of it."""
    with HostileServer(Trap(step, fault)) as server:
        started = monotonic()
        with pytest.raises(BrokenError) as caught, _greeted(server) as client:
            client.transmit(b"Subject: x\r\n\r\nx\r\n", "a@x", "b@x")
        assert isinstance(caught.value.cause, TimeoutError)
        assert _LIMIT <= monotonic() - started < 4 * _LIMIT


def test_a_reply_without_end_is_not_kept() -> None:
    """It is given up after 64 kB, long before its time is over."""
    garbled = pytest.raises(GarbledError)
    with HostileServer(Trap(Step.MAIL, endless())) as server, _greeted(server) as client, garbled:
        client.transmit(b"x\r\n", "a@x", "b@x")


@pytest.mark.parametrize("fault", [delay(), dribble(0.05)], ids=["silence", "a byte now and then"])
def test_a_farewell_is_not_waited_for(fault: Fault) -> None:
    """Everything is delivered by then."""
    with HostileServer(Trap(Step.QUIT, fault)) as server, _greeted(server) as client:
        started = monotonic()
        client.quit(0.1)
        assert monotonic() - started < 0.35


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(delay(), BrokenError), (reply("421 closing"), RefusedError), (reply("550 no"), RefusedError)],
    ids=["silence", "421", "550"],
)
def test_a_refused_reset_means_a_new_connection(fault: Fault, kind: type[SmtpError]) -> None:
    """Within the limit that it is given, and the connection has its own one again."""
    with HostileServer(Trap(Step.RSET, fault)) as server, _greeted(server) as client:
        started = monotonic()
        with pytest.raises(kind):
            client.reset(0.1)
        assert monotonic() - started < 0.35


@pytest.mark.parametrize("ways", ["PLAIN", "LOGIN", "CRAM-MD5", "LOGIN PLAIN CRAM-MD5", "PLAIN XOAUTH2"])
@pytest.mark.parametrize("password", ["secret", "sésame ☂", "wrong"])
def test_a_login_works_in_each_way_that_both_know(ways: str, password: str) -> None:
    """A password in UTF-8 too; a wrong one is refused in each."""
    right = "secret" if password == "wrong" else password
    with HostileServer(login=("marie", right), ways=ways) as server, _greeted(server) as client:
        if password == right:
            client.login(client.login_ways()[0], "marie", password)
            client.transmit(b"x\r\n", "a@x", "b@x")
            assert server.copies() == {"b@x": 1}
        else:
            with pytest.raises(RefusedError) as caught:
                client.login(client.login_ways()[0], "marie", password)
            assert caught.value.code == 535


def test_a_login_that_nobody_knows_is_missing() -> None:
    """What the server offers instead is told."""
    with (
        HostileServer(login=("marie", "secret"), ways="XOAUTH2 GSSAPI") as server,
        _greeted(server) as client,
    ):
        with pytest.raises(MissingError) as caught:
            client.login_ways()
        assert caught.value.reply == b"XOAUTH2 GSSAPI"


def test_what_is_smuggled_in_before_tls_is_not_believed(tmp_path: Path) -> None:
    """A reply in clear behind the one to STARTTLS would be taken for an encrypted one."""
    made = authority(tmp_path)
    trap = Trap(Step.STARTTLS, reply("220 go ahead\r\n250 AUTH PLAIN"))
    running, garbled = (
        HostileServer(trap, tls="starttls", context=made.context()),
        pytest.raises(GarbledError),
    )
    with running as server, _greeted(server) as client, garbled:
        client.start_tls(ssl.create_default_context(cafile=made.ca_file), "127.0.0.1")


def test_a_server_without_starttls_is_not_spoken_to_in_clear() -> None:
    """The step is missing; nothing is sent instead."""
    missing = pytest.raises(MissingError, match="STARTTLS")
    with HostileServer() as server, _greeted(server) as client, missing:
        client.start_tls(ssl.create_default_context(), "127.0.0.1")


def test_a_server_of_long_ago_is_greeted_with_helo() -> None:
    """It refuses EHLO for good; what it does not offer is not used."""
    with HostileServer(Trap(Step.EHLO, reply("502 5.5.1 what?"))) as server, _greeted(server) as client:
        client.transmit(b"Subject: x\r\n\r\nx\r\n", "a@x", "b@x")
        assert [command.replace("FROM", "from") for _, command in server.commands][
            1:3
        ] == [  # as smtplib of 3.13
            f"helo {client.local_hostname}",
            "mail from:<a@x>",
        ]


@pytest.mark.parametrize(
    "content",
    [b".\r\n", b"..\r\n.\r\n", b"x\r\n.\r\n.y\r\n", b"no end of line", b"\r\n\r\n"],
    ids=["dot", "dots", "dots within", "no end", "blank"],
)
def test_a_message_cannot_end_itself(content: bytes) -> None:
    """A dot on a line of its own is part of the message (RFC 5321, 4.5.2)."""
    with HostileServer() as server, _greeted(server) as client:
        client.transmit(content, "a@x", "b@x")
        client.transmit(b"second\r\n", "a@x", "c@x")
        assert [mail.content for mail in server.accepted] == [content.removesuffix(b"\r\n"), b"second"]
