"""Mails by SMTP: one connection, and whom each trouble on it concerns.

It knows no table and no job. Nothing is sent twice here: only the caller may decide that.
"""

import re
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event

from cavecron.errors import CavecronError
from cavecron.mail.errors import (
    BusyError,
    LostError,
    RecipientError,
    SenderRefusedError,
    ServerError,
    ServerUnavailableError,
    TemporaryRecipientError,
    ThrottledError,
    UnknownFateError,
)
from cavecron.mail.message import check_address
from cavecron.mail.models import Message
from cavecron.mail.smtp.client import BrokenError, MissingError, RefusedError, Step, Wire, WireError
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.smtp.diagnosis import explain, quoted
from cavecron.mail.smtp.probe import Tongue, tongue

#: Seconds: no step may last longer, whatever the configuration says; nor RSET, nor a farewell.
_LONGEST_STEP, _LONGEST_RESET, _FAREWELL = 300.0, 5.0, 1.0

#: A refusal for now that is about the server or our pace, not about the recipient: the mail system's state
#: or its policy (RFC 3463, 3.4 and 3.8); plain words where there is no such code. Greylisting is policy too,
#: but goes by recipient.
_GREYLISTED = re.compile(rb"gr[ae]y-?\s?list", re.IGNORECASE)
_CODED, _CODED_BUSY = re.compile(rb"^4\.\d+\.\d+", re.MULTILINE), re.compile(rb"^4\.[37]\.\d", re.MULTILINE)
_WORDED_BUSY = re.compile(rb"\btoo (many|much|fast)\b|\brate\b|throttl|slow down|\bbusy\b", re.IGNORECASE)


def connector(config: SmtpConfig, ca_file: Path | None) -> Callable[[], "SmtpTransport"]:
    """Return what makes connections to the server of `config`; they know of each other whether one worked."""
    reached = Event()
    return lambda: SmtpTransport(config, ca_file, reached)


class SmtpTransport:
    """The server of `config`; `ca_file` adds the certificate authorities in a PEM file to the system's."""

    def __init__(self, config: SmtpConfig, ca_file: Path | None, reached: Event | None = None) -> None:
        self._config = config
        self._ca_file = ca_file
        self._limit = min(config.timeout, _LONGEST_STEP)
        self._wire: Wire | None = None
        self._reached = reached or Event()

    def open(self) -> None:
        """Connect and log in, where that is not done yet.

        Raises:
            ServerError: it will not work before somebody changes something.
            ThrottledError: the server says that it may work later.
            ServerUnavailableError: it may work later.

        """
        self._connected()

    def send(self, message: Message, address: str) -> None:
        """Deliver `message` to `address`.

        Raises:
            RecipientError: this mail is refused for good; SenderRefusedError, because of whom it is from.
            TemporaryRecipientError: it is refused for now; BusyError, and not because of its recipient;
                LostError, the connection was lost; UnknownFateError, and the mail may have arrived.
            ThrottledError: the server wants no mail at all for now.
            ServerError: every mail would be refused.
            ServerUnavailableError: there was no connection, and the server cannot be reached.

        """
        try:
            recipient = check_address(address)
        except CavecronError as error:
            raise RecipientError(str(error)) from error
        content = bytes(message).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        wire = self._connected()
        try:
            wire.carry(content, self._config.sender_email, recipient)
        except WireError as error:
            self._let_go(error)
            raise self._judged(error, recipient) from error

    def close(self) -> None:
        """Take leave of the server."""
        wire, self._wire = self._wire, None
        if wire:
            wire.take_leave(_FAREWELL)

    def _connected(self) -> Wire:
        if self._wire is None:
            wire = Wire(self._limit)
            try:
                self._introduce(wire)
            except WireError as error:
                wire.close()
                raise self._diagnosed(error) from error
            self._wire = wire
            self._reached.set()
        return self._wire

    def _introduce(self, wire: Wire) -> None:
        config = self._config
        context = None if config.security == "plain" else self._context()
        wire.reach(config.host, config.port, context if config.security == "tls" else None)
        wire.greet()
        if config.security == "starttls" and context:
            wire.encrypt(context, config.host)
        if config.username is not None and config.password is not None:
            wire.log_in(config.username, config.password)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            try:
                context.load_verify_locations(self._ca_file)
            except OSError as error:  # ssl.SSLError, for what is not PEM, is one of them
                raise ServerError(
                    f"SMTP_CA_FILE={str(self._ca_file)!r} : un fichier lisible de certificats PEM est attendu"
                ) from error
        return context

    def _let_go(self, error: WireError) -> None:
        """Make the connection ready for the next message, or give it up."""
        if self._wire is None or isinstance(error, MissingError):
            return
        try:
            if isinstance(error, RefusedError) and error.code != 421:
                self._wire.forget(_LONGEST_RESET)
                return
        except WireError:
            pass
        self._wire.close()
        self._wire = None

    def _diagnosed(self, error: WireError) -> CavecronError:
        config = self._config
        ask = partial(tongue, config.host, config.port, self._limit)
        if self._reached.is_set():  # it spoke what it should, and likes no more connections now
            ask = partial(_expected_tongue, config)
        diagnosis = explain(error, config, ask)
        if not diagnosis.temporary:
            return ServerError(diagnosis.text)
        kind = ThrottledError if isinstance(error, RefusedError) else ServerUnavailableError
        return kind(diagnosis.text)

    def _judged(self, error: WireError, recipient: str) -> CavecronError:
        """Return whom the trouble with one mail concerns: its reader, or everybody."""
        if isinstance(error, MissingError):
            return self._without_accents(recipient)
        if isinstance(error, RefusedError):
            return self._refused(error)
        timed_out = isinstance(error, BrokenError) and isinstance(error.cause, TimeoutError)
        if error.step is Step.VERDICT:
            return UnknownFateError(
                "le serveur n'a pas dit s'il acceptait le message : il est peut-être arrivé"
                " ; s'il arrive deux fois, c'est avec le même Message-ID",
                timed_out=timed_out,
            )
        return LostError(str(self._diagnosed(error)), timed_out=timed_out)

    def _without_accents(self, recipient: str) -> CavecronError:
        ours = not self._config.sender_email.isascii()
        text = (
            f"{self._config.sender_email if ours else recipient} : le serveur {self._config.host}"
            " n'accepte pas d'adresse hors ASCII (SMTPUTF8) ; donner une adresse sans accent dans Cave à Vin"
        )
        return ServerError(text) if ours else RecipientError(text)

    def _refused(self, error: RefusedError) -> CavecronError:
        said = quoted(error, self._config)
        if error.code == 421:
            return ThrottledError(str(self._diagnosed(error)), at_once=True)
        if error.code == 530:
            return self._diagnosed(error)
        if error.step is Step.SENDER and error.code < 500:
            return ThrottledError(str(self._diagnosed(error)))
        if error.step is Step.SENDER and error.code != 552:  # 552 is about the size of the mail
            return SenderRefusedError(str(self._diagnosed(error)))
        if error.code >= 500:
            return RecipientError(f"refusé par le serveur : {said}")
        return (BusyError if _busy(error.said) else TemporaryRecipientError)(
            f"refus passager du serveur : {said}"
        )


def _busy(said: bytes) -> bool:
    if _GREYLISTED.search(said):
        return False
    return bool((_CODED_BUSY if _CODED.search(said) else _WORDED_BUSY).search(said))


def _expected_tongue(config: SmtpConfig) -> Tongue:
    return "tls" if config.security == "tls" else "smtp"
