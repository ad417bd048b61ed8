"""Mails by SMTP: one connection, and whether an error on it concerns one mail or all.

It knows no table and no job. Nothing is sent twice here: only the caller may decide that.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Event

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
from cavecron.mail.message import check_address
from cavecron.mail.models import Message
from cavecron.mail.smtp.auth import WAYS
from cavecron.mail.smtp.client import LONGEST_ANSWER, SmtpClient
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.smtp.diagnosis import explain, quoted
from cavecron.mail.smtp.errors import BrokenError, MissingError, RefusedError, SmtpError, Step
from cavecron.mail.smtp.probe import Protocol, probe
from cavecron.mail.smtp.refusal import is_for_everybody, is_quota
from cavecron.mail.smtp.trust import client_context

#: Seconds: no step may last longer, whatever the configuration says; nor RSET, nor QUIT.
_LONGEST_STEP, _LONGEST_RESET, _LONGEST_QUIT = 300.0, 5.0, 1.0

#: A refusal for now that is about the server or our pace, not about the recipient: the mail system's state
#: or its policy (RFC 3463, 3.4 and 3.8); plain words where there is no such code. Greylisting is policy too,
#: but goes by recipient.
_GREYLISTED = re.compile(rb"gr[ae]y-?\s?list", re.IGNORECASE)
_CODED, _CODED_BUSY = re.compile(rb"^4\.\d+\.\d+", re.MULTILINE), re.compile(rb"^4\.[37]\.\d", re.MULTILINE)
_WORDED_BUSY = re.compile(rb"\btoo (many|much|fast)\b|\brate\b|throttl|slow down|\bbusy\b", re.IGNORECASE)


def connector(
    config: SmtpConfig,
    ca_file: Path | None,
    *,
    ehlo_name: str | None = None,
    answer_limit: float = LONGEST_ANSWER,
) -> Callable[[], "SmtpTransport"]:
    """Return what makes connections to the server of `config`; they know of each other whether one worked."""
    reached = Event()
    return lambda: SmtpTransport(
        config, ca_file, ehlo_name=ehlo_name, answer_limit=answer_limit, reached=reached
    )


class SmtpTransport:
    """The server of `config`; `ca_file` adds the certificate authorities in a PEM file to the system's.

    `ehlo_name` is what this machine calls itself, its address where that is None. The answer to a message
    is waited for `answer_limit` seconds, whatever `config` says of the other steps.
    """

    def __init__(
        self,
        config: SmtpConfig,
        ca_file: Path | None,
        *,
        ehlo_name: str | None = None,
        answer_limit: float = LONGEST_ANSWER,
        reached: Event | None = None,
    ) -> None:
        self._config = config
        self._ca_file = ca_file
        self._limit = min(config.timeout, _LONGEST_STEP)
        self._answer_limit, self._ehlo_name = answer_limit, ehlo_name
        self._client: SmtpClient | None = None
        self._reached = reached or Event()

    def open(self) -> None:
        """Connect and log in, where that is not done yet.

        Raises:
            PermanentServerError: it will not work before somebody changes something.
            ThrottledError: the server says that it may work later.
            ServerUnavailableError: it may work later.

        """
        self._connected()

    def send(self, message: Message, address: str) -> None:
        """Deliver `message` to `address`.

        Raises:
            RecipientRefusedError: this mail is refused for good; SenderRefusedError, because of
                whom it is from.
            TemporaryRecipientError: it is refused for now; ServerBusyError, and not because of its recipient;
                ConnectionLostError, the connection was lost; DeliveryUnknownError, and the mail may have
                arrived.
            ThrottledError: the server wants no mail at all for now.
            PermanentServerError: every mail would be refused.
            ServerUnavailableError: there was no connection, and the server cannot be reached.

        """
        try:
            recipient = check_address(address)
        except CavecronError as error:
            raise RecipientRefusedError(str(error)) from error
        content = bytes(message).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        client = self._connected()
        try:
            client.transmit(content, self._config.sender_email, recipient)
        except SmtpError as error:
            self._let_go(error)
            raise self._judged(error, recipient) from error

    def close(self) -> None:
        """Say QUIT and close the connection, if there is one."""
        client, self._client = self._client, None
        if client:
            client.quit(_LONGEST_QUIT)

    def _connected(self) -> SmtpClient:
        if self._client is None:
            self._client = self._opened()
            self._reached.set()
        return self._client

    def _opened(self) -> SmtpClient:
        """Return a client that is logged in; each way to log in gets a connection of its own.

        Servers hang up after a refusal, or wait for the rest of a dialogue that they began in a wrong way.
        """
        refused: dict[str, SmtpError] = {}
        while True:
            client = SmtpClient(self._limit, answer_limit=self._answer_limit, ehlo_name=self._ehlo_name)
            tried = len(refused)
            try:
                self._introduce(client, refused)
            except SmtpError as error:
                client.close()
                if len(refused) > tried and not _timed_out(error) and set(client.login_ways()) - set(refused):
                    continue
                raise self._diagnosed(_most_telling(refused) or error) from error
            return client

    def _introduce(self, client: SmtpClient, refused: dict[str, SmtpError]) -> None:
        config = self._config
        context = None if config.security == "plain" else client_context(self._ca_file)
        client.connect(config.host, config.port, context if config.security == "tls" else None)
        client.hello()
        if config.security == "starttls" and context:
            client.start_tls(context, config.host)
        if config.username is not None and config.password is not None:
            way = next(way for way in client.login_ways() if way not in refused)
            try:
                client.login(way, config.username, config.password)
            except SmtpError as error:
                refused[way] = error
                raise

    def _let_go(self, error: SmtpError) -> None:
        """Make the connection ready for the next message, or give it up."""
        if self._client is None or isinstance(error, MissingError):
            return
        try:
            if isinstance(error, RefusedError) and error.code != 421:
                self._client.reset(_LONGEST_RESET)
                return
        except SmtpError:
            pass
        self._client.close()
        self._client = None

    def _diagnosed(self, error: SmtpError) -> CavecronError:
        config = self._config
        ask = partial(probe, config.host, config.port, self._limit)
        if self._reached.is_set():  # the protocol was right before; the server takes no more connections now
            ask = partial(_expected_protocol, config)
        diagnosis = explain(error, config, ask)
        if not diagnosis.temporary:
            return PermanentServerError(diagnosis.text)
        kind = ThrottledError if isinstance(error, RefusedError) else ServerUnavailableError
        return kind(diagnosis.text)

    def _judged(self, error: SmtpError, recipient: str) -> CavecronError:
        """Return whom the trouble with one mail concerns: its reader, or everybody."""
        if isinstance(error, MissingError):
            return self._without_accents(recipient)
        if isinstance(error, RefusedError):
            return self._refused(error)
        if error.step is Step.DATA_REPLY:
            return DeliveryUnknownError(
                "le serveur n'a pas dit s'il acceptait le message : il est peut-être arrivé"
                " ; s'il arrive deux fois, c'est avec le même Message-ID",
                timed_out=_timed_out(error),
            )
        return ConnectionLostError(str(self._diagnosed(error)), timed_out=_timed_out(error))

    def _without_accents(self, recipient: str) -> CavecronError:
        ours = not self._config.sender_email.isascii()
        text = (
            f"{self._config.sender_email if ours else recipient} : le serveur {self._config.host}"
            " n'accepte pas d'adresse hors ASCII (SMTPUTF8) ; donner une adresse sans accent dans Cave à Vin"
        )
        return PermanentServerError(text) if ours else RecipientRefusedError(text)

    def _refused(self, error: RefusedError) -> CavecronError:
        reply = quoted(error, self._config)
        if error.code == 421:
            return ThrottledError(str(self._diagnosed(error)), closing=not is_quota(error))
        if error.code == 530:
            return self._diagnosed(error)
        if is_quota(error) or (error.step is Step.SENDER and error.code < 500):
            return ThrottledError(str(self._diagnosed(error)))
        if error.code >= 500 and is_for_everybody(error):
            return SenderRefusedError(str(self._diagnosed(error)))
        if error.code >= 500:
            return RecipientRefusedError(f"refusé par le serveur : {reply}")
        return (ServerBusyError if _busy(error.reply) else TemporaryRecipientError)(
            f"refus passager du serveur : {reply}"
        )


def _timed_out(error: SmtpError) -> bool:
    return isinstance(error, BrokenError) and isinstance(error.cause, TimeoutError)


def _most_telling(refused: Mapping[str, SmtpError]) -> SmtpError | None:
    """Return the error of the most common way, but for one that only says that the way is not known."""
    errors = [refused[way] for way in WAYS if way in refused]
    telling = [
        error for error in errors if not (isinstance(error, RefusedError) and error.code in (500, 501, 504))
    ]
    return next(iter(telling or errors), None)


def _busy(reply: bytes) -> bool:
    if _GREYLISTED.search(reply):
        return False
    return bool((_CODED_BUSY if _CODED.search(reply) else _WORDED_BUSY).search(reply))


def _expected_protocol(config: SmtpConfig) -> Protocol:
    return "tls" if config.security == "tls" else "smtp"
