"""Sending many mails over a few connections; the next mails are composed while others are being sent.

It knows neither SMTP nor the content of a mail, and no database: a `DeliveryLog` records starts and results.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from cavecron.errors import CavecronError, StoppedError
from cavecron.mail.delivery.batching import BatchingLog
from cavecron.mail.delivery.dispatcher import Dispatcher
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.delivery.workers import WorkerPool
from cavecron.mail.errors import NO_ANSWER, ServerUnavailableError
from cavecron.mail.models import DeliveryLog, OutgoingMail
from cavecron.mail.transport import Transport

_LOG = logging.getLogger(__name__)

#: Seconds between two checks whether the run has to stop.
_CHECK_INTERVAL = 0.2


def deliver(
    mails: Iterable[OutgoingMail],
    connect: Callable[[], Transport],
    log: DeliveryLog,
    *,
    policy: DeliveryPolicy | None = None,
    check: Callable[[], None],
) -> None:
    """Send the mails over connections that `connect` creates; after some errors a mail is tried once more.

    The contract: before each try, `log` records its start; before the worker starts its next mail, it records
    the result of that try. So a killed process leaves at most one mail per connection without a result.
    `check` is called before each start and a few times a second. An error that it or `mails` raises ends the
    delivery: no mail is started any more, and those that are being sent get `policy.grace` seconds before
    they are recorded as UNKNOWN.

    Raises:
        CavecronError: what `check`, `mails` or `log` raised, or an error that concerns all mails;
            `temporary` if a later delivery may succeed.

    """
    policy = policy or DeliveryPolicy()
    dispatcher = Dispatcher(policy)
    pool = WorkerPool(connect, dispatcher, BatchingLog(log, lambda: len(dispatcher.unrecorded)), check)
    try:
        _feed(mails, dispatcher, pool, check)
    except CavecronError as error:
        dispatcher.fail(error)
        unanswered = dispatcher.wait_for_answers(policy.grace, NO_ANSWER)
        if unanswered:
            with suppress(CavecronError):  # `log` keeps what it could not record; `error` is raised
                log.record(unanswered, ())
        if not (isinstance(error, ServerUnavailableError) and dispatcher.has_tried_everybody()):
            raise
    finally:
        dispatcher.fail(StoppedError("envoi terminé"))
        pool.shut_down()


def _feed(
    mails: Iterable[OutgoingMail], dispatcher: Dispatcher, pool: WorkerPool, check: Callable[[], None]
) -> None:
    """Take mails from the iterator as fast as they are sent, and return once each has its final result."""

    def wait(condition: Callable[[float], bool]) -> None:
        while True:
            check()
            pool.grow()
            is_met = condition(_CHECK_INTERVAL)
            if dispatcher.failure:
                raise dispatcher.failure
            if is_met:
                return

    for mail in mails:
        dispatcher.put(mail)
        wait(dispatcher.wait_for_room)
    waiting = dispatcher.close()
    if waiting:
        _LOG.info("Mails à présenter une seconde fois: %d", waiting)
    wait(dispatcher.wait_until_done)
