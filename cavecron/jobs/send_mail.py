"""Sending a mail from a custom job, once in each run, even if the run is resumed.

It is recorded like the mails of built-in jobs: a row in `email_log`, a delivery in the ledger. It knows
neither SMTP nor SQL.
"""

from collections.abc import Callable
from functools import partial
from time import sleep

from cavecron.appdb.email_log import EmailLogRow, record_mail
from cavecron.errors import CavecronError
from cavecron.jobs.context import Run
from cavecron.jobs.mail_backend import MailBackend, answer_grace, mail_backend
from cavecron.ledger.deliveries import DeliveryState, DeliveryUpdate
from cavecron.mail.errors import DeliveryUnknownError
from cavecron.mail.message import Mail, check_address, plain_message

#: Seconds between two attempts to record that a mail was accepted.
_RECORD_PAUSE = 1.0


def send(run: Run, to: str, subject: str, text: str) -> None:
    """Mail `text` to one address, unless this run has delivered a mail with that subject there before.

    It is a safe point of the run: nothing is sent once the run has to stop, and a mail that is on its way
    then is waited for no longer than the stop's grace allows.

    Raises:
        CavecronError: it was not delivered, or the run has to stop; a TemporaryError if another attempt of
            the run may succeed.

    """
    run.check()
    recipient = check_address(to)
    key = f"{recipient} {subject}"
    previous = run.deliveries.previous().get(key)
    if previous is not None and previous.state == "sent":
        return
    if previous is not None and previous.state == "abandoned":
        raise CavecronError(previous.error or "")
    backend = mail_backend(run.settings, run.database)
    message = plain_message(
        subject,
        text,
        recipient=recipient,
        sender=backend.sender,
        at=run.clock.now().astimezone(run.settings.zone),
        message_id=backend.message_id(run.key, key),
    )
    run.deliveries.record(now=run.clock.now(), started=[key])
    maybe_delivered = previous is not None and previous.state == "sending"
    settle = partial(_settle, run, key, message, backend, maybe_delivered=maybe_delivered)
    try:
        backend.send(
            message,
            recipient,
            must_stop=lambda: run.stop_error() is not None,
            grace=answer_grace(run.settings),
        )
    except CavecronError as error:
        settle(error=error)
        run.check()
        raise
    _settle_delivered(run, partial(settle, error=None))


def _settle_delivered(run: Run, settle: Callable[[], None]) -> None:
    """Record that the mail was accepted, and try again for as long as the run may last.

    Without the record another attempt of the run would send the mail a second time.
    """
    while True:
        try:
            settle()
        except CavecronError as error:
            if not error.temporary or run.stop_error() is not None:
                raise
            sleep(_RECORD_PAUSE)
        else:
            return


def _settle(
    run: Run,
    key: str,
    message: Mail,
    backend: MailBackend,
    *,
    maybe_delivered: bool,
    error: CavecronError | None,
) -> None:
    """Record the result of the mail, in the ledger and for the application's admin pages.

    A mail that was sent twice without an answer is never sent again.
    """
    row = EmailLogRow(
        smtp_config_id=backend.config.id if backend.config else None,
        recipient_email=message.recipient,
        recipient_user_id=None,
        subject=message.subject,
        template_name=run.job.name,
        error_message=str(error) if error else None,
        at=run.clock.now(),
    )
    state: DeliveryState = "sent"
    if error is not None:
        state = "deferred" if error.temporary else "failed"
        if isinstance(error, DeliveryUnknownError):
            state = "abandoned" if maybe_delivered else "sending"
        elif maybe_delivered and state == "deferred":
            state = "sending"
    update = DeliveryUpdate(state=state, error=row.error_message, write_row=partial(record_mail, sent=row))
    run.deliveries.record(now=row.at, finished={key: update})
