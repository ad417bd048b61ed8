"""Listing the reports that were not sent because their run failed, in the application's `email_log`.

Each row commits together with the ledger's delivery, which keeps its id: if another attempt of the run
delivers the report, that row changes to sent.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from time import sleep

from cavecron.appdb.recipients import recipients
from cavecron.appdb.smtp_settings import active_id
from cavecron.appdb.tables import MAILING, require
from cavecron.errors import CavecronError, LeaseLostError, NotReadyError, StoppedError, TemporaryError
from cavecron.jobs.context import Run
from cavecron.jobs.report_mailing import row_writer
from cavecron.ledger.deliveries import DeliveryUpdate
from cavecron.ledger.tables import LedgerError
from cavecron.report.model import Recipient

_LOG = logging.getLogger("cavecron.jobs.weekly_reports")

#: Stands before the reason: the error came with another user's mail, or this mail may have arrived.
_NOT_REACHED = "envoi arrêté avant ce mail"
_IN_DOUBT = "envoi coupé net, le message est peut-être arrivé"
_IN_DOUBT_AGAIN = f"{_IN_DOUBT} ; la reprise a échoué"
_GIVEN_UP = "exécution coupée net, et pas reprise (cavecron run weekly_reports --resume)"

_INCOMPLETE = "La liste des mails de Cave à Vin est incomplète : {}"

#: Rows of one transaction, few enough that the application's writers wait only a moment.
_BATCH = 100
#: Seconds between two transactions, in which a waiting writer gets the lock.
_WRITER_PAUSE = 0.03


def log_unsent(run: Run, people: Sequence[Recipient], error: CavecronError) -> None:
    """Write a row `failed` with the reason for each of `people` whose mail was not sent because of `error`.

    The rows of users whose mail was delivered, or failed for its own reason, are not changed. Nothing is
    written if the run will be resumed or was taken over, or if the database itself is the problem.
    """
    if not (_will_continue(error) or _is_about_database(error)):
        unsent = _unsent(run, people, str(error), _IN_DOUBT_AGAIN)
        try:
            _write(run, unsent, lambda batch: run.deliveries.record(now=run.clock.now(), finished=batch))
        except CavecronError as trouble:
            if not _will_continue(trouble):
                _LOG.warning("%s", _INCOMPLETE.format(trouble))


def log_given_up(run: Run) -> None:
    """Do the same for a run that was killed, once it will not be resumed automatically any more.

    Raises:
        CavecronError: the list is incomplete; a TemporaryError if it can be completed later.

    """
    attempt = run.claim.attempt

    def amend(batch: Mapping[str, DeliveryUpdate]) -> None:
        run.deliveries.amend(now=run.clock.now(), attempt=attempt, finished=batch)

    try:
        require(run.database, MAILING)
        audience = recipients(run.database, run.users, exclude=run.settings.report_exclude)
        _write(run, _unsent(run, audience.recipients, _GIVEN_UP, _IN_DOUBT), amend)
    except CavecronError as trouble:
        kind = TemporaryError if trouble.temporary else CavecronError
        raise kind(_INCOMPLETE.format(trouble)) from trouble


def _write(
    run: Run,
    unsent: Iterator[tuple[str, DeliveryUpdate]],
    record: Callable[[Mapping[str, DeliveryUpdate]], None],
) -> None:
    """Record all updates in short transactions; raises StoppedError or LeaseLostError between two of them."""
    with run.deliveries.session():
        while batch := dict(islice(unsent, _BATCH)):
            record(batch)
            if len(batch) < _BATCH:
                return
            stop_error = run.stop_error()
            if stop_error is not None and _will_continue(stop_error):
                raise stop_error
            sleep(_WRITER_PAUSE)


def _will_continue(error: CavecronError) -> bool:
    """Return whether the run will be resumed, or another process executes it now."""
    return isinstance(error, StoppedError | LeaseLostError)


def _is_about_database(error: CavecronError) -> bool:
    return isinstance(error, NotReadyError | LedgerError) or isinstance(error.__cause__, sqlite3.Error)


def _unsent(
    run: Run, people: Sequence[Recipient], error: str, in_doubt: str
) -> Iterator[tuple[str, DeliveryUpdate]]:
    """Yield recipients whose mail has no result, each with its row; the state of the delivery stays.

    `in_doubt` stands before the reason if the mail may have arrived.
    """
    deliveries = run.deliveries.previous()
    config = None if run.settings.maildir else active_id(run.database)
    any_tried = any(delivery.state != "deferred" or delivery.error for delivery in deliveries.values())
    reason = f"{_NOT_REACHED} : {error}" if any_tried else error
    for user in people:
        delivery = deliveries.get(str(user.id))
        if delivery and (delivery.state in ("sent", "failed", "abandoned") or delivery.error):
            continue
        maybe_sent = delivery is not None and delivery.state == "sending"
        failure = f"{in_doubt} : {error}" if maybe_sent else reason
        write_row = row_writer(run, user, config=config, error=failure)
        state = delivery.state if delivery else "deferred"
        yield str(user.id), DeliveryUpdate(state=state, write_row=write_row)
