"""What an SmtpError means for the delivery: which of `mail.errors` it is, with a French sentence.

It sends nothing; only to find out what a port speaks it may open a connection of its own (`probe`).
"""

from dataclasses import dataclass
from functools import partial
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
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.smtp.diagnosis import explain, quoted_reply
from cavecron.mail.smtp.errors import MissingError, RefusedError, SmtpError, Step, timed_out
from cavecron.mail.smtp.probe import Protocol, probe
from cavecron.mail.smtp.refusal import is_busy, is_for_everybody, is_quota


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorTranslator:
    """Translates the errors of connections to the server of `config`; `limit` in seconds for a probe.

    `reached` is set once a connection has worked.
    """

    config: SmtpConfig
    limit: float
    reached: Event

    def connection_error(self, error: SmtpError) -> CavecronError:
        """Return the error for a connection that could not be opened; it concerns all mails."""
        ask = partial(probe, self.config.host, self.config.port, self.limit)
        if self.reached.is_set():  # the protocol was right before; the server takes no more connections now
            ask = partial(_expected_protocol, self.config)
        diagnosis = explain(error, self.config, ask)
        if not diagnosis.temporary:
            return PermanentServerError(diagnosis.text)
        kind = ThrottledError if isinstance(error, RefusedError) else ServerUnavailableError
        return kind(diagnosis.text)

    def delivery_error(self, error: SmtpError, recipient: str) -> CavecronError:
        """Return the error for a mail that was not delivered; it concerns this mail, or all."""
        if isinstance(error, MissingError):
            return self._no_smtputf8(recipient)
        if isinstance(error, RefusedError):
            return self._refused(error)
        if error.step is Step.DATA_REPLY:
            return DeliveryUnknownError(
                "le serveur n'a pas dit s'il acceptait le message : il est peut-être arrivé"
                " ; s'il arrive deux fois, c'est avec le même Message-ID",
                timed_out=timed_out(error),
            )
        return ConnectionLostError(str(self.connection_error(error)), timed_out=timed_out(error))

    def _no_smtputf8(self, recipient: str) -> CavecronError:
        sender = self.config.sender_email
        text = (
            f"{recipient if sender.isascii() else sender} : le serveur {self.config.host}"
            " n'accepte pas d'adresse hors ASCII (SMTPUTF8) ; donner une adresse sans accent dans Cave à Vin"
        )
        return RecipientRefusedError(text) if sender.isascii() else PermanentServerError(text)

    def _refused(self, error: RefusedError) -> CavecronError:
        reply = quoted_reply(error, self.config)
        if error.code == 421:
            return ThrottledError(str(self.connection_error(error)), closing=not is_quota(error))
        if error.code == 530:
            return self.connection_error(error)
        if is_quota(error) or (error.step is Step.SENDER and error.code < 500):
            return ThrottledError(str(self.connection_error(error)))
        if error.code >= 500 and is_for_everybody(error):
            return SenderRefusedError(str(self.connection_error(error)))
        if error.code >= 500:
            return RecipientRefusedError(f"refusé par le serveur : {reply}")
        return (ServerBusyError if is_busy(error) else TemporaryRecipientError)(
            f"refus passager du serveur : {reply}"
        )


def _expected_protocol(config: SmtpConfig) -> Protocol:
    return "tls" if config.security == "tls" else "smtp"
