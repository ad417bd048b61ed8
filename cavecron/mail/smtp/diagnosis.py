"""Diagnosis of SMTP errors in French: what failed at which step, and which setting to change.

It opens no connection: if an error can have several causes, it calls a function that does (`probe`). No text
of Python or OpenSSL, and no secret, is shown to a person.
"""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from cavecron.errors import NO_THREAD
from cavecron.mail.smtp.certificates import certificate_problem
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.smtp.errors import BrokenError, MissingError, RefusedError, SmtpError, Step
from cavecron.mail.smtp.probe import Protocol
from cavecron.mail.smtp.redaction import redacted
from cavecron.mail.smtp.refusal import is_about_ehlo, is_about_relay, is_about_sender, is_quota

_WHERE = "dans Cave à Vin, Administration, Configuration SMTP"
_LONGEST_QUOTE = 200

#: Advice: which setting to change.
_TO_TLS = f"choisir SSL/TLS {_WHERE}"
_TO_STARTTLS = f"choisir STARTTLS (TLS) au lieu de SSL {_WHERE}, ou donner le port SSL (souvent 465)"
_TO_NOTHING = f"corriger le serveur ou le port {_WHERE} (587 avec STARTTLS, 465 en SSL)"
_TO_NAME = "donner à cette machine un nom complet par la variable CAVECRON_EHLO_NAME"

_STEPS = {
    Step.CONNECT: "à la connexion",
    Step.HANDSHAKE: "au chiffrement TLS",
    Step.GREETING: "à l'accueil",
    Step.HELLO: "à EHLO",
    Step.STARTTLS: "à STARTTLS",
    Step.LOGIN: "à l'identification",
    Step.SENDER: "à l'expéditeur",
    Step.RECIPIENT: "au destinataire",
    Step.CONTENT: "au message",
    Step.DATA_REPLY: "après le message",
    Step.RESET: "à RSET",
    Step.QUIT: "à l'adieu",
}

_EARLY = (Step.CONNECT, Step.HANDSHAKE, Step.GREETING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One French sentence; `temporary` if another attempt may succeed although nothing was changed."""

    text: str
    temporary: bool


def explain(error: SmtpError, config: SmtpConfig, ask: Callable[[], Protocol]) -> Diagnosis:
    """Return the cause of `error` and which setting to change; `ask` finds out the protocol of the port."""
    text, temporary = _meaning(error, config, ask)
    return Diagnosis(text=f"serveur SMTP {config.host}:{config.port} : {text}", temporary=temporary)


def quoted_reply(error: SmtpError, config: SmtpConfig) -> str:
    """Return the server's reply, printable, of at most 200 characters, without our secrets."""
    reply = redacted(error.reply, config.username, config.password).decode("utf-8", "replace")
    words = "".join(letter if letter.isprintable() else " " for letter in reply)
    code = f"{error.code} " if isinstance(error, RefusedError) else ""
    text = (code + " ".join(words.split())).strip()
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _meaning(error: SmtpError, config: SmtpConfig, ask: Callable[[], Protocol]) -> tuple[str, bool]:
    if isinstance(error, MissingError):
        return _missing(error, config), False
    if isinstance(error, RefusedError):
        return _refusal(error, config), error.code < 500 or is_quota(error)
    if _may_be_wrong_port(error, config):
        problem = _by_protocol(ask(), config)
        if problem:
            return problem, False
    if isinstance(error, BrokenError):
        if isinstance(error.cause, ssl.SSLError) and not _is_hiccup(error.cause):
            return _encryption(error.cause), False
        return _network(error, config), True
    reply = quoted_reply(error, config)
    return f"réponse incompréhensible {_STEPS[error.step]} (« {reply} ») ; {_TO_NOTHING}", False


def _may_be_wrong_port(error: SmtpError, config: SmtpConfig) -> bool:
    """Return whether the error may come from a port that expects another protocol."""
    if isinstance(error, BrokenError) and isinstance(error.cause, ssl.SSLCertVerificationError):
        return False
    return error.step is (Step.HANDSHAKE if config.security == "tls" else Step.GREETING)


def _is_hiccup(error: ssl.SSLError) -> bool:
    """Return whether a handshake failed without a refusal: the connection was closed, or data damaged."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        return True
    return getattr(error, "reason", "") in (
        "UNEXPECTED_EOF_WHILE_READING",
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    )


def _by_protocol(protocol: Protocol, config: SmtpConfig) -> str:
    """Return the problem if the port speaks `protocol`, '' if that does not explain the error."""
    if protocol == "http":
        return f"un serveur web répond sur ce port, pas un serveur de mail ; {_TO_NOTHING}"
    if config.security == "tls" and protocol == "smtp":
        return f"ce port ne parle pas SSL/TLS dès la connexion ; {_TO_STARTTLS}"
    if config.security != "tls" and protocol == "tls":
        return (
            f"ce port attend SSL/TLS dès la connexion ; {_TO_TLS}, ou donner le port STARTTLS (souvent 587)"
        )
    if config.security == "tls" and protocol == "unknown":
        return f"ce port ne parle pas TLS et ne répond pas comme un serveur de mail ; {_TO_NOTHING}"
    return ""


def _missing(error: MissingError, config: SmtpConfig) -> str:
    if error.extension == "STARTTLS":
        return (
            f"STARTTLS n'est pas proposé ; {_TO_TLS} (souvent port 465),"
            " ou n'en choisir aucun si le serveur est sur le réseau local"
        )
    ways = quoted_reply(error, config)
    if "OAUTH" in ways:
        return (
            f"ce serveur ne propose que {ways} (OAuth), que cavecron ne connaît pas ; demander au fournisseur"
            f" un mot de passe d'application ou un relais SMTP, et les donner {_WHERE}"
        )
    if ways == "CRAM-MD5":
        return (
            "ce serveur ne propose que CRAM-MD5, et cette machine interdit MD5 (mode FIPS)"
            f" ; choisir un serveur qui propose PLAIN ou LOGIN {_WHERE}"
        )
    if ways:
        return f"aucune identification que cavecron connaisse (PLAIN, LOGIN, CRAM-MD5) dans : {ways}"
    advice = f"choisir STARTTLS ou SSL/TLS {_WHERE}, ou y" if config.security == "plain" else f"{_WHERE},"
    return f"l'identification n'est pas proposée ; {advice} effacer le nom d'utilisateur et le mot de passe"


def _refusal(error: RefusedError, config: SmtpConfig) -> str:
    reply = quoted_reply(error, config)
    if is_quota(error):
        return (
            f"quota d'envoi atteint ({reply}) ; le reste partira plus tard, ou demander une limite plus haute"
            " au fournisseur"
        )
    if error.code < 500:
        name = f", ou {_TO_NAME}" if is_about_ehlo(error) else ""
        return f"refus passager {_STEPS[error.step]} ({reply}) ; réessayer plus tard{name}"
    if error.step is Step.LOGIN:
        return (
            f"identification refusée ({reply}) ; corriger le nom d'utilisateur et le mot de passe {_WHERE}"
            " (beaucoup de fournisseurs demandent un mot de passe d'application)"
        )
    return _setting(error, config, reply)


def _setting(error: RefusedError, config: SmtpConfig, reply: str) -> str:
    """Return the sentence about a permanent refusal, with the setting to change."""
    name = f", ou {_TO_NAME}" if error.step is Step.HELLO else ""
    text = (
        f"refus {_STEPS[error.step]} ({reply}) ; ce serveur accepte-t-il cette machine ? {_TO_NOTHING}{name}"
    )
    if error.code == 530:
        text = f"identification exigée ({reply}) ; donner un nom d'utilisateur et un mot de passe {_WHERE}"
    elif error.step is not Step.HELLO and is_about_ehlo(error):
        text = f"le nom de cette machine est refusé ({reply}) ; {_TO_NAME}"
    elif is_about_relay(error):
        text = f"relais refusé ({reply}) ; donner un nom d'utilisateur et un mot de passe {_WHERE}"
    elif is_about_sender(error):
        text = f"expéditeur {config.sender_email!r} refusé ({reply}) ; le corriger {_WHERE}"
    return text


def _encryption(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"il présente un certificat {certificate_problem(error.verify_code)}"
    return "le chiffrement TLS échoue ; le serveur doit proposer TLS 1.2 ou plus, avec une clé assez longue"


def _network(error: BrokenError, config: SmtpConfig) -> str:
    where = _STEPS[error.step]
    if isinstance(error.cause, BlockingIOError):
        return NO_THREAD
    if isinstance(error.cause, socket.gaierror):
        return f"ce nom ne se résout pas ; corriger le serveur {_WHERE}, ou vérifier le DNS de cette machine"
    if isinstance(error.cause, ConnectionRefusedError):
        return f"port fermé ; {_TO_NOTHING}"
    if isinstance(error.cause, TimeoutError):
        advice = (
            f"; {_TO_NOTHING}, ou vérifier le pare-feu" if error.step in _EARLY else "; réessayer plus tard"
        )
        return f"pas de réponse {where} en {config.timeout:g} s {advice}"
    if isinstance(error.cause, ConnectionError):
        return f"connexion coupée par le serveur {where} ; réessayer plus tard"
    return f"injoignable {where} ; vérifier le réseau de cette machine, ou {_TO_NOTHING}"
