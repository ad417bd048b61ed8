"""Sending mails over one SMTP connection.

It knows no table and no job, and never sends a mail twice: only the caller may decide that.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event

from cavecron.errors import CavecronError
from cavecron.mail.errors import RecipientRefusedError
from cavecron.mail.message import check_address
from cavecron.mail.models import Message
from cavecron.mail.smtp.auth import WAYS
from cavecron.mail.smtp.client import LONGEST_ANSWER, SmtpClient
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.smtp.errors import MissingError, RefusedError, SmtpError, timed_out
from cavecron.mail.smtp.translation import ErrorTranslator
from cavecron.mail.smtp.trust import client_context

#: The most seconds of a step, whatever is configured, and of RSET and QUIT.
_LONGEST_STEP, _LONGEST_RESET, _LONGEST_QUIT = 300.0, 5.0, 1.0


def connector(
    config: SmtpConfig,
    ca_file: Path | None,
    *,
    ehlo_name: str | None = None,
    answer_limit: float = LONGEST_ANSWER,
) -> Callable[[], "SmtpTransport"]:
    """Return a function that creates transports to the server of `config`.

    All of them share one flag, set by the first connection that works. A connection that is refused after
    that means that the server is full; before it, a setting may be wrong.
    """
    reached = Event()
    return lambda: SmtpTransport(
        config, ca_file, ehlo_name=ehlo_name, answer_limit=answer_limit, reached=reached
    )


class SmtpTransport:
    """One connection to the server of `config`; `ca_file` is a PEM file with additional authorities.

    `ehlo_name` is the name of this machine in EHLO; None is its address. The answer to a message may take
    `answer_limit` seconds, every other step `config.timeout` seconds. `reached` is set once a connection has
    worked.
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
        self._translator = ErrorTranslator(config=config, limit=self._limit, reached=self._reached)

    def open(self) -> None:
        """Connect and log in, unless the connection is open already.

        Raises:
            PermanentServerError: it will fail again until a person changes something.
            ThrottledError: the server refused for now.
            ServerUnavailableError: the server cannot be reached now.

        """
        self._connected()

    def send(self, message: Message, address: str) -> None:
        """Deliver `message` to `address`.

        Raises:
            RecipientRefusedError: this mail is refused permanently.
            SenderRefusedError: it is refused because of its sender, or of the account.
            TemporaryRecipientError: it is refused for now.
            ServerBusyError: it is refused for now, because of the server's load or our rate.
            ConnectionLostError: the connection was lost; DeliveryUnknownError if the mail may have arrived.
            ThrottledError: the server accepts no mail at all for now.
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
            self._recover(error)
            raise self._translator.delivery_error(error, recipient) from error

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
        """Return a client that is logged in; each authentication mechanism is tried on a new connection.

        After a refusal servers hang up, or wait for the rest of an exchange that they did not understand.
        """
        refused: dict[str, SmtpError] = {}
        while True:
            client = SmtpClient(self._limit, answer_limit=self._answer_limit, ehlo_name=self._ehlo_name)
            tried = len(refused)
            try:
                self._connect(client, refused)
            except SmtpError as error:
                client.close()
                if len(refused) > tried and not timed_out(error) and set(client.login_ways()) - set(refused):
                    continue
                raise self._translator.connection_error(_most_informative(refused) or error) from error
            return client

    def _connect(self, client: SmtpClient, refused: dict[str, SmtpError]) -> None:
        """Connect and log in; a mechanism that fails is added to `refused` with its error."""
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

    def _recover(self, error: SmtpError) -> None:
        """Make the connection ready for the next message, or close it."""
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


def _most_informative(refused: Mapping[str, SmtpError]) -> SmtpError | None:
    """Return the error of the most common mechanism that the server knows; None if none was refused."""
    errors = [refused[way] for way in WAYS if way in refused]
    informative = [
        error for error in errors if not (isinstance(error, RefusedError) and error.code in (500, 501, 504))
    ]
    return next(iter(informative or errors), None)
