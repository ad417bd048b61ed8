"""The diagnosis of `cavecron check` for each problem of a mail server, over sockets."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.support.app_database import CellarFile
from tests.support.authority import Authority, authority
from tests.support.check_helpers import SECURITY, WHERE, check_server, encrypted, line, problem_of
from tests.support.fake_smtp.faults import Fault, FaultRule, Step, close, delay, garbage, reply
from tests.support.fake_smtp.server import FakeSmtpServer


@pytest.fixture(scope="module")
def make_authority(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Authority]:
    """Return a function that creates an authority, or returns the one that it has created before."""

    @cache
    def make() -> Authority:
        return authority(tmp_path_factory.mktemp("authority"))

    return make


@pytest.mark.parametrize(
    ("security", "message"),
    [("plain", "sans chiffrement"), ("starttls", "STARTTLS"), ("tls", "SSL/TLS")],
)
def test_a_healthy_server_gets_a_login_and_no_mail(
    cellar: CellarFile, make_authority: Callable[..., Authority], security: str, message: str
) -> None:
    """`check` connects and logs in, but names no sender, so that nothing can be sent."""
    ca, way = make_authority(), {"plain": "no"}.get(security, security)
    with FakeSmtpServer(tls=way, context=ca.context(), login=("marie", "sésame")) as server:  # type: ignore[arg-type]
        columns = {"username": "marie", "password_encrypted": encrypted("sésame"), **SECURITY[security]}
        result = check_server(cellar, server.port, ca_file=ca.ca_file, **columns)
    assert result.code == 0
    assert line(result) == (
        f"✓ Envoi : 127.0.0.1:{server.port} répond ({message}, identifié comme marie), rien n'a été envoyé"
    )
    verbs = {command.partition(" ")[0].upper() for _connection, command in server.commands}
    assert verbs <= {"EHLO", "STARTTLS", "AUTH", "QUIT"}
    assert server.commands[-1][1].upper() == "QUIT"
    assert server.accepted == []


def test_send_to_sends_one_message(cellar: CellarFile) -> None:
    """`--send-to` sends one message from the configured sender to that address, and no report."""
    with FakeSmtpServer() as server:
        result = check_server(cellar, server.port, "--send-to", "moi@example.org")
    assert result.code == 0
    assert line(result, "Essai") == "✓ Essai : un message d'essai est parti vers moi@example.org"
    (mail,) = server.accepted
    assert mail.recipient == "moi@example.org"
    message = message_from_bytes(mail.content, policy=default)
    assert str(message["From"]) == "Cave à Vin <cave@example.org>"
    assert "cavecron check --send-to" in message.get_content()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("deux@example.org, adresses@example.org", "une seule adresse de la forme nom@domaine est attendue"),
        ("absent@example.org", "refusé par le serveur : 550 5.1.1 no such user"),
    ],
)
def test_a_message_that_cannot_be_sent_is_an_error(cellar: CellarFile, address: str, message: str) -> None:
    """The connection succeeds, and the refused message is an error with exit code 1."""
    with FakeSmtpServer(FaultRule(Step.RCPT, reply("550 5.1.1 no such user"))) as server:
        result = check_server(cellar, server.port, "--send-to", address)
    assert result.code == 1
    assert line(result).startswith("✓")
    assert line(result, "Essai").startswith("✗ Essai : ")
    assert message in line(result, "Essai")
    assert server.accepted == []


@pytest.mark.parametrize("security", ["plain", "starttls"])
def test_a_port_that_expects_tls_is_recognised(
    cellar: CellarFile, make_authority: Callable[..., Authority], security: str
) -> None:
    """Such a server sends nothing before the TLS handshake, so that Python's client would time out."""
    with FakeSmtpServer(tls="tls", context=make_authority().context()) as server:
        message = problem_of(check_server(cellar, server.port, **SECURITY[security]))
    assert message == (
        f"ce port attend SSL/TLS dès la connexion ; choisir SSL/TLS {WHERE}, ou donner le port STARTTLS"
        " (souvent 587)"
    )


@pytest.mark.parametrize("way", ["no", "starttls"])
def test_tls_on_a_port_that_begins_unencrypted_is_recognised(
    cellar: CellarFile, make_authority: Callable[..., Authority], way: str
) -> None:
    """Python's error for this is WRONG_VERSION_NUMBER."""
    with FakeSmtpServer(tls=way, context=make_authority().context()) as server:  # type: ignore[arg-type]
        message = problem_of(check_server(cellar, server.port, use_ssl=1))
    assert message == (
        f"ce port ne parle pas SSL/TLS dès la connexion ; choisir STARTTLS (TLS) au lieu de SSL {WHERE},"
        " ou donner le port SSL (souvent 465)"
    )


def test_a_server_without_starttls_is_an_error(cellar: CellarFile) -> None:
    """The connection is not continued without encryption."""
    with FakeSmtpServer() as server:
        message = problem_of(check_server(cellar, server.port, use_tls=1))
    assert message.startswith(f"STARTTLS n'est pas proposé ; choisir SSL/TLS {WHERE} (souvent port 465), ou")


@pytest.mark.parametrize(
    ("login", "columns", "message"),
    [
        (
            ("marie", "juste"),
            {"username": "marie", "password_encrypted": encrypted("faux")},
            "identification refusée (535 5.7.8 wrong name or password) ; corriger le nom d'utilisateur et le"
            f" mot de passe {WHERE} (beaucoup de fournisseurs demandent un mot de passe d'application)",
        ),
        (
            None,
            {"username": "marie", "password_encrypted": encrypted("faux")},
            f"l'identification n'est pas proposée ; choisir STARTTLS ou SSL/TLS {WHERE}, ou y effacer le nom"
            " d'utilisateur et le mot de passe",
        ),
    ],
    ids=["wrong password", "not offered"],
)
def test_a_login_that_fails_is_an_error(
    cellar: CellarFile, login: tuple[str, str] | None, columns: dict[str, object], message: str
) -> None:
    """The message has the server's reply and what to correct, but no password."""
    with FakeSmtpServer(login=login) as server:
        result = check_server(cellar, server.port, **columns)
    assert problem_of(result) == message
    assert "faux" not in result.out


def test_a_user_name_without_a_password_is_mentioned(cellar: CellarFile) -> None:
    """Without a password there is no login, which `check` mentions because it is hardly intended."""
    with FakeSmtpServer() as server:
        result = check_server(cellar, server.port, username="marie")
    assert result.code == 0
    assert "sans identification, car marie est sans mot de passe" in line(result)


@pytest.mark.parametrize(
    "host", ["mail.example.invalid", "mail example", "a..b", "x" * 64 + ".fr", "smtp://x"]
)
def test_a_name_that_does_not_resolve_is_an_error(cellar: CellarFile, host: str) -> None:
    """An unknown name and one with a wrong form have the same message."""
    message = problem_of(check_server(cellar, 25, host=host, timeout=20))
    assert (
        message
        == f"ce nom ne se résout pas ; corriger le serveur {WHERE}, ou vérifier le DNS de cette machine"
    )


@pytest.mark.parametrize("security", ["plain", "starttls", "tls"])
def test_a_closed_port_is_an_error(cellar: CellarFile, security: str) -> None:
    """The message is the same for every kind of encryption."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    message = problem_of(check_server(cellar, port, **SECURITY[security]))
    assert message == f"port fermé ; corriger le serveur ou le port {WHERE} (587 avec STARTTLS, 465 en SSL)"


class _WebPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer as a web server does."""
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Log nothing."""


@contextmanager
def _web_server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _WebPage) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("security", ["plain", "starttls", "tls"])
def test_a_web_server_is_recognised(cellar: CellarFile, security: str) -> None:
    """The port may be that of the web mail."""
    with _web_server() as port:
        message = problem_of(check_server(cellar, port, **SECURITY[security]))
    assert message.startswith(
        "un serveur web répond sur ce port, pas un serveur de mail ; corriger le serveur"
    )


NOTHING = "pas de réponse à l'accueil en 0.5 s ; corriger le serveur ou le port"


@pytest.mark.parametrize(
    ("fault", "security", "message"),
    [
        (delay(), "plain", NOTHING),
        (delay(), "starttls", NOTHING),
        (delay(), "tls", "pas de réponse au chiffrement TLS en 0.5 s ; corriger le serveur ou le port"),
        (
            reply("SSH-2.0-OpenSSH"),
            "plain",
            "réponse incompréhensible à l'accueil (« SSH-2.0-OpenSSH »)",
        ),
        (reply("SSH-2.0-OpenSSH"), "tls", "ce port ne parle pas TLS et ne répond pas comme un serveur"),
        (garbage(), "plain", "réponse incompréhensible à l'accueil (« \ufffd lorem ipsum ») ; corriger le"),
        (close(), "plain", "connexion coupée par le serveur à l'accueil ; réessayer plus tard"),
        (reply("421 4.3.2 closing"), "plain", "refus passager à l'accueil (421 4.3.2 closing) ; réessayer"),
        (
            reply("554 5.7.1 go away"),
            "plain",
            "refus à l'accueil (554 5.7.1 go away) ; ce serveur",
        ),
    ],
    ids=lambda value: getattr(value, "text", "") or getattr(value, "kind", None),
)
def test_a_port_of_no_mail_server_is_an_error(
    cellar: CellarFile, fault: Fault, security: str, message: str
) -> None:
    """A server that is silent, of another protocol, or refuses is diagnosed within a few time limits."""
    with FakeSmtpServer(FaultRule(Step.CONNECT, fault, times=None)) as server:
        assert problem_of(check_server(cellar, server.port, **SECURITY[security])).startswith(message)
