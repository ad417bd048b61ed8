"""Sending many mails over a few connections: the next are composed while some are on their way.

It knows neither SMTP nor what a mail says, and no database: where starts and results are recorded is handed
in.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from cavecron.errors import CavecronError, StoppedError
from cavecron.mail.delivery.batching import BatchingLog
from cavecron.mail.delivery.dispatcher import Dispatcher
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.delivery.workers import WorkerPool
from cavecron.mail.errors import ServerUnavailableError
from cavecron.mail.models import DeliveryLog, OutgoingMail
from cavecron.mail.transport import Transport

_LOG = logging.getLogger(__name__)

#: Seconds between two looks at whether the run has to stop.
_GLANCE = 0.2
_NO_ANSWER = "le serveur n'avait pas encore répondu à la fin de l'envoi : le message est peut-être arrivé"


def deliver(
    mails: Iterable[OutgoingMail],
    connect: Callable[[], Transport],
    log: DeliveryLog,
    *,
    policy: DeliveryPolicy | None = None,
    check: Callable[[], None],
) -> None:
    """Send the mails over connections that `connect` makes, each tried once more, later, where that may help.

    Nothing is sent before `log` has recorded its start; each start has one result, recorded before its worker
    starts another, so that a killed process leaves one mail a connection in doubt. `check` is called before
    each start and a few times a second. What it or `mails` raises ends the delivery: nothing more starts, and
    what is on its way gets `policy.grace` seconds, then it is recorded as UNKNOWN.

    Raises:
        CavecronError: what `check`, `mails` or `log` raised, or a trouble that concerns every mail;
            `temporary` where a later delivery may fare better.

    """
    policy = policy or DeliveryPolicy()
    dispatcher = Dispatcher(policy)
    pool = WorkerPool(connect, dispatcher, BatchingLog(log, lambda: len(dispatcher.in_doubt)), check)
    try:
        _feed(mails, dispatcher, pool, check)
    except CavecronError as error:
        dispatcher.fail(error)
        unanswered = dispatcher.wait_for_answers(policy.grace, _NO_ANSWER)
        if unanswered:
            with suppress(CavecronError):  # it keeps what it could not record; why it ended is in `error`
                log.record(unanswered, ())
        if not (isinstance(error, ServerUnavailableError) and dispatcher.has_tried_everybody()):
            raise
    finally:
        dispatcher.fail(StoppedError("envoi terminé"))
        pool.shut_down()


def _feed(
    mails: Iterable[OutgoingMail], dispatcher: Dispatcher, pool: WorkerPool, check: Callable[[], None]
) -> None:
    """Compose mails as fast as they are sent, and return once each has its final result."""

    def wait(condition: Callable[[float], bool]) -> None:
        while True:
            check()
            pool.grow()
            is_met = condition(_GLANCE)
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
