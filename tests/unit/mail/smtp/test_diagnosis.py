"""The sentence for each error of a session, without secrets."""

import errno
import socket
import ssl

import pytest

from cavecron.mail.smtp.config import Security
from cavecron.mail.smtp.diagnosis import explain
from cavecron.mail.smtp.errors import BrokenError, GarbledError, MissingError, RefusedError, SmtpError, Step
from cavecron.mail.smtp.probe import Protocol
from tests.support.check_helpers import WHERE
from tests.support.smtp_configs import remote_config

PORTS = f"corriger le serveur ou le port {WHERE} (587 avec STARTTLS, 465 en SSL)"


def _unexpected_probe() -> Protocol:
    raise AssertionError("the port was probed although nothing suggests a wrong port")


def _certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("error", "security", "problem", "temporary"),
    [
        pytest.param(
            RefusedError(Step.SENDER, 550, b"5.7.1 not yours"),
            "starttls",
            f"expéditeur 'cave@example.org' refusé (550 5.7.1 not yours) ; le corriger {WHERE}",
            False,
            id="sender refused",
        ),
        pytest.param(
            RefusedError(Step.SENDER, 530, b"5.7.0 authenticate"),
            "plain",
            "identification exigée (530 5.7.0 authenticate) ; donner un nom d'utilisateur et un mot de"
            f" passe {WHERE}",
            False,
            id="login required",
        ),
        pytest.param(
            RefusedError(Step.LOGIN, 454, b"4.7.0 try later"),
            "starttls",
            "refus passager à l'identification (454 4.7.0 try later) ; réessayer plus tard",
            True,
            id="login refused temporarily",
        ),
        pytest.param(
            MissingError(Step.LOGIN, "AUTH"),
            "starttls",
            f"l'identification n'est pas proposée ; {WHERE}, effacer le nom d'utilisateur et le mot de passe",
            False,
            id="no login in TLS",
        ),
        pytest.param(
            MissingError(Step.LOGIN, "AUTH", b"XOAUTH2 NTLM"),
            "starttls",
            "ce serveur ne propose que XOAUTH2 NTLM (OAuth), que cavecron ne connaît pas ; demander au"
            f" fournisseur un mot de passe d'application ou un relais SMTP, et les donner {WHERE}",
            False,
            id="only OAuth",
        ),
        pytest.param(
            MissingError(Step.LOGIN, "AUTH", b"GSSAPI NTLM"),
            "starttls",
            "aucune identification que cavecron connaisse (PLAIN, LOGIN, CRAM-MD5) dans : GSSAPI NTLM",
            False,
            id="unknown ways to log in",
        ),
        pytest.param(
            BrokenError(Step.HANDSHAKE, ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL]")),
            "starttls",
            "le chiffrement TLS échoue ; le serveur doit proposer TLS 1.2 ou plus, avec une clé assez longue",
            False,
            id="old TLS",
        ),
        pytest.param(
            BrokenError(Step.HANDSHAKE, _certificate(64)),
            "tls",
            f"il présente un certificat établi pour un autre nom ; donner {WHERE} le nom que porte le"
            " certificat (une adresse n'y compte que comme IP:… dans subjectAltName)",
            False,
            id="other address",
        ),
        pytest.param(
            BrokenError(Step.CONNECT, TimeoutError()),
            "plain",
            f"pas de réponse à la connexion en 10 s ; {PORTS}, ou vérifier le pare-feu",
            True,
            id="no answer at all",
        ),
        pytest.param(
            BrokenError(Step.DATA_REPLY, TimeoutError()),
            "plain",
            "pas de réponse après le message en 10 s ; réessayer plus tard",
            True,
            id="no answer to a message",
        ),
        pytest.param(
            BrokenError(Step.RECIPIENT, ConnectionResetError()),
            "plain",
            "connexion coupée par le serveur au destinataire ; réessayer plus tard",
            True,
            id="cut",
        ),
        pytest.param(
            BrokenError(Step.CONNECT, OSError(errno.ENETUNREACH, "Network is unreachable")),
            "plain",
            f"injoignable à la connexion ; vérifier le réseau de cette machine, ou {PORTS}",
            True,
            id="no network",
        ),
        pytest.param(
            BrokenError(Step.CONNECT, socket.gaierror(socket.EAI_AGAIN, "mail.example.org")),
            "plain",
            f"ce nom ne se résout pas ; corriger le serveur {WHERE}, ou vérifier le DNS de cette machine",
            True,
            id="no DNS",
        ),
        pytest.param(
            GarbledError(Step.HELLO, b"\x1b[31m250\r\n\xff"),
            "plain",
            f"réponse incompréhensible à EHLO (« [31m250 \ufffd ») ; {PORTS}",
            False,
            id="no SMTP",
        ),
    ],
)
def test_a_failure_is_explained_with_what_to_do(
    *, error: SmtpError, security: Security, problem: str, temporary: bool
) -> None:
    """The sentence begins with the server, and the port is probed only if that can explain the failure."""
    explanation = explain(error, remote_config(security=security), _unexpected_probe)
    assert explanation.text == f"serveur SMTP mail.example.org:587 : {problem}"
    assert explanation.temporary is temporary


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize(
    "make",
    [
        lambda step: RefusedError(step, 451, b"x"),
        lambda step: RefusedError(step, 550, b"x"),
        lambda step: BrokenError(step, TimeoutError()),
        lambda step: BrokenError(step, ConnectionResetError()),
        lambda step: GarbledError(step, b"x"),
    ],
    ids=["4xx", "5xx", "silence", "cut", "garbled"],
)
def test_every_failure_at_every_step_has_a_sentence(step: Step, make: type[SmtpError]) -> None:
    """Each kind of error at each step names the server and says what to do."""
    text = explain(make(step), remote_config(), lambda: "unknown").text
    assert text.startswith("serveur SMTP mail.example.org:587 : ")
    assert " ; " in text


@pytest.mark.parametrize(
    ("security", "step", "protocol", "words"),
    [
        ("tls", Step.HANDSHAKE, "smtp", "ce port ne parle pas SSL/TLS dès la connexion"),
        ("tls", Step.HANDSHAKE, "unknown", "ce port ne parle pas TLS et ne répond pas comme un serveur"),
        ("tls", Step.HANDSHAKE, "tls", "le chiffrement TLS échoue"),
        ("starttls", Step.GREETING, "tls", "ce port attend SSL/TLS dès la connexion"),
        ("plain", Step.GREETING, "http", "un serveur web répond sur ce port"),
        ("plain", Step.GREETING, "smtp", "le chiffrement TLS échoue"),
        ("plain", Step.GREETING, "unknown", "le chiffrement TLS échoue"),
    ],
)
def test_the_protocol_of_the_port_explains_a_failed_handshake(
    security: Security, step: Step, protocol: Protocol, words: str
) -> None:
    """If the protocol does not explain the failure, the sentence tells the failure itself."""
    error = BrokenError(step, ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"))
    assert words in explain(error, remote_config(security=security), lambda: protocol).text
