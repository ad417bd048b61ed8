"""What the application's list of mails says of a run that failed as a whole: one row for each report owed.

Its rows commit together with the ledger's deliveries, which keep their ids: what another attempt of the run
delivers after all changes its row to sent.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from time import sleep

from cavecron.appdb.email_log import EmailLogRow, record_mail
from cavecron.appdb.recipients import recipients
from cavecron.appdb.smtp_settings import active_id
from cavecron.appdb.tables import MAILING, require
from cavecron.errors import CavecronError, LeaseLostError, NotReadyError, StoppedError
from cavecron.jobs.context import Run
from cavecron.jobs.report_mailing import TEMPLATE
from cavecron.ledger.deliveries import DeliveryUpdate
from cavecron.ledger.tables import LedgerError
from cavecron.report.message import SUBJECT
from cavecron.report.model import Recipient

_LOG = logging.getLogger("cavecron.jobs.weekly_reports")

#: What stands before the reason where it came by another user's mail; and where this one may have arrived.
_NOT_REACHED = "envoi arrêté avant ce mail"
_IN_DOUBT = "envoi coupé net, le message est peut-être arrivé"
_IN_DOUBT_AGAIN = f"{_IN_DOUBT} ; la reprise a échoué"
_GIVEN_UP = "exécution coupée net, et pas reprise (cavecron run weekly_reports --resume)"

#: Rows of one transaction: few enough that writers of the application wait only a moment.
_BATCH = 100
#: Seconds between two of them, in which a writer that waits gets in.
_PAUSE = 0.03


def log_unsent(run: Run, people: Sequence[Recipient], error: CavecronError) -> None:
    """Write a row `failed`, with the reason, for each of `people` who was owed a mail when `error` came.

    The rows of users who have the mail, or whose mail failed for its own reason, stay as they are. Nothing
    is written if the run goes on (stopped, or taken over), or if the database itself is the problem.
    """
    if not (_goes_on(error) or _is_about_database(error)):
        with _warning_where_incomplete():
            owed = _owed(run, people, str(error), _IN_DOUBT_AGAIN)
            _write(run, owed, lambda batch: run.deliveries.record(now=run.clock.now(), finished=batch))


def log_given_up(run: Run) -> None:
    """Do the same for a run that was killed, once nobody takes it up any more by himself."""
    attempt = run.claim.attempt

    def amend(batch: Mapping[str, DeliveryUpdate]) -> None:
        run.deliveries.amend(now=run.clock.now(), attempt=attempt, finished=batch)

    with _warning_where_incomplete():
        require(run.database, MAILING)
        audience = recipients(run.database, run.users, exclude=run.settings.report_exclude)
        _write(run, _owed(run, audience.recipients, _GIVEN_UP, _IN_DOUBT), amend)


@contextmanager
def _warning_where_incomplete() -> Iterator[None]:
    try:
        yield
    except CavecronError as trouble:
        _LOG.warning("La liste des mails de Cave à Vin est incomplète : %s", trouble)


def _write(
    run: Run,
    owed: Iterator[tuple[str, DeliveryUpdate]],
    record: Callable[[Mapping[str, DeliveryUpdate]], None],
) -> None:
    with run.deliveries.session():
        while batch := dict(islice(owed, _BATCH)):
            record(batch)
            halted = run.halt()
            if halted is not None and _goes_on(halted):
                return
            if len(batch) == _BATCH:
                sleep(_PAUSE)


def _goes_on(error: CavecronError) -> bool:
    return isinstance(error, StoppedError | LeaseLostError)


def _is_about_database(error: CavecronError) -> bool:
    return isinstance(error, NotReadyError | LedgerError) or isinstance(error.__cause__, sqlite3.Error)


def _owed(
    run: Run, people: Sequence[Recipient], error: str, in_doubt: str
) -> Iterator[tuple[str, DeliveryUpdate]]:
    """Yield what is to be recorded, by recipient; the state of a delivery stays as it is.

    `in_doubt` stands before the reason where a mail may have arrived.
    """
    known = run.deliveries.previous()
    config = None if run.settings.maildir else active_id(run.database)
    begun = any(delivery.state != "deferred" or delivery.error for delivery in known.values())
    reason = f"{_NOT_REACHED} : {error}" if begun else error
    for user in people:
        before = known.get(str(user.id))
        if before is not None and (before.state in ("sent", "failed", "abandoned") or before.error):
            continue
        maybe_sent = before is not None and before.state == "sending"
        row = EmailLogRow(
            smtp_config_id=config,
            recipient_email=user.email,
            recipient_user_id=user.id,
            subject=SUBJECT,
            template_name=TEMPLATE,
            error_message=f"{in_doubt} : {error}" if maybe_sent else reason,
            at=run.clock.now(),
        )
        log = partial(record_mail, sent=row)
        yield str(user.id), DeliveryUpdate(state=before.state if before else "deferred", log=log)
