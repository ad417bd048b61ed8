"""Mails by SMTP: one connection for all of them, and whom each trouble concerns.

It knows no table and no job. What was handed over with its final dot is never sent again here: only the
caller may decide that.
"""

import ssl
from email.message import EmailMessage
from functools import partial
from pathlib import Path

from cavecron.cellar.smtp_config import SmtpConfig
from cavecron.errors import CavecronError
from cavecron.mail.diagnosis import explain, quoted
from cavecron.mail.message import check_address
from cavecron.mail.tongue import tongue
from cavecron.mail.trouble import (
    RecipientError,
    ServerError,
    ServerUnavailableError,
    TemporaryRecipientError,
)
from cavecron.mail.wire import BrokenError, MissingError, RefusedError, Step, Wire, WireError

#: Seconds: no step may last longer, whatever the configuration says; nor a farewell.
_LONGEST_STEP, _FAREWELL = 300.0, 1.0


class SmtpTransport:
    """The server of `config`; `ca_file` adds the certificate authorities in a PEM file to the system's."""

    def __init__(self, config: SmtpConfig, ca_file: Path | None) -> None:
        self._config = config
        self._ca_file = ca_file
        self._limit = min(config.timeout, _LONGEST_STEP)
        self._wire: Wire | None = None
        #: To whom the connection was lost, with no mail delivered since.
        self._lost_to = ""

    def open(self) -> None:
        """Connect and log in, where that is not done yet.

        Raises:
            ServerError: it will not work before somebody changes something.
            ServerUnavailableError: it may work later.

        """
        self._connected()

    def send(self, message: EmailMessage, address: str) -> None:
        """Deliver `message` to `address`; the connection is opened again, once, where the server closed it.

        Raises:
            RecipientError: this mail is refused for good.
            TemporaryRecipientError: it is refused for now, or nobody knows what became of it.
            ServerError: every mail would be refused.
            ServerUnavailableError: the server cannot be reached, or breaks off with one user after another.

        """
        try:
            recipient = check_address(address)
        except CavecronError as error:
            raise RecipientError(str(error)) from error
        content = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        try:
            self._carry_persistently(content, recipient)
        except WireError as error:
            raise self._judged(error, recipient) from error
        self._lost_to = ""

    def close(self) -> None:
        """Take leave of the server."""
        wire, self._wire = self._wire, None
        if wire:
            wire.take_leave(_FAREWELL)

    def _carry_persistently(self, content: bytes, recipient: str) -> None:
        try:
            self._connected().carry(content, self._config.sender_email, recipient)
        except WireError as error:
            self._let_go(error)
            if not _closed_before_the_message(error):
                raise
            try:
                self._connected().carry(content, self._config.sender_email, recipient)
            except WireError as second:
                self._let_go(second)
                raise

    def _connected(self) -> Wire:
        if self._wire is None:
            wire = Wire(self._limit)
            try:
                self._introduce(wire)
            except WireError as error:
                wire.close()
                raise self._diagnosed(error) from error
            self._wire = wire
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
                self._wire.rset()
                return
        except WireError:
            pass
        self._wire.close()
        self._wire = None

    def _diagnosed(self, error: WireError) -> CavecronError:
        config = self._config
        diagnosis = explain(error, config, partial(tongue, config.host, config.port, self._limit))
        return (ServerUnavailableError if diagnosis.temporary else ServerError)(diagnosis.text)

    def _judged(self, error: WireError, recipient: str) -> CavecronError:
        """Return whom the trouble with one mail concerns: its reader, or everybody."""
        if isinstance(error, MissingError):
            return self._without_accents(recipient)
        if isinstance(error, RefusedError) and error.code != 421:
            self._lost_to = ""
            return self._refused(error)
        before, self._lost_to = self._lost_to, recipient
        if before not in ("", recipient):
            return ServerUnavailableError(self._diagnosed(error).args[0])
        return TemporaryRecipientError(self._interrupted(error))

    def _without_accents(self, recipient: str) -> CavecronError:
        ours = not self._config.sender_email.isascii()
        text = (
            f"{self._config.sender_email if ours else recipient} : le serveur {self._config.host}"
            " n'accepte pas d'adresse hors ASCII (SMTPUTF8) ; donner une adresse sans accent dans Cave à Vin"
        )
        return ServerError(text) if ours else RecipientError(text)

    def _refused(self, error: RefusedError) -> CavecronError:
        if error.code == 530 or (error.step is Step.SENDER and error.code >= 500 and error.code != 552):
            return self._diagnosed(error)
        said = quoted(error, self._config)
        if error.code < 500:
            return TemporaryRecipientError(f"refus passager du serveur : {said}")
        return RecipientError(f"refusé par le serveur : {said}")

    def _interrupted(self, error: WireError) -> str:
        if error.step is Step.VERDICT and not isinstance(error, RefusedError):
            return (
                "le serveur n'a pas dit s'il acceptait le message : il est peut-être arrivé"
                " ; s'il arrive deux fois, c'est avec le même Message-ID"
            )
        return str(self._diagnosed(error))


def _closed_before_the_message(error: WireError) -> bool:
    """Return whether the server has closed the connection and cannot have accepted the message."""
    if isinstance(error, RefusedError):
        return error.code == 421
    if isinstance(error, BrokenError) and error.step is not Step.VERDICT:
        return not isinstance(error.cause, TimeoutError)
    return False
