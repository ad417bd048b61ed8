"""Notifications outside of the log: a monitoring service, and the operator by mail.

An error here is only a warning. It decides nothing about the run.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from cavecron.clock import Clock
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.french import duration, local_minute
from cavecron.jobs.job import Job
from cavecron.jobs.mail_backend import mail_backend
from cavecron.ledger.models import Claim, RunResult, ScanResult
from cavecron.mail.errors import DeliveryUnknownError
from cavecron.mail.message import check_address, plain_message
from cavecron.scheduler.ping import ping
from cavecron.scheduler.run_log import resume_hint

_LOG = logging.getLogger("cavecron.notify")

#: Time limit of an alert in seconds; callers wait a little longer.
LONGEST_ALERT = 45.0

_WAITING = "Le planificateur attend sa base depuis une heure, aucun job ne tourne"


def notify_finished(claim: Claim, result: RunResult, *, job: Job, settings: Settings, clock: Clock) -> None:
    """Notify that a run has succeeded, or failed for good."""
    failed = result.state == "failed"
    text = "\n".join(part for part in (result.summary, result.reason) if part)
    if url := settings.jobs[job.name].ping_url:
        ping(url, "failure" if failed else "success", text)
    if failed and settings.alert_to is not None:
        slot = local_minute(claim.slot, settings.zone)
        _alert(
            f"échec du job {job.name}",
            f"Le job {job.name} ({job.title}) du {slot} a échoué.\n\n{text}\n\n"
            f"{_history_hint(job)}{resume_hint(job)}\n",
            key=f"{job.name}.{slot}.{claim.run}.{claim.attempt}",
            settings=settings,
            clock=clock,
        )


def notify_losses(
    result: ScanResult, sentences: Sequence[str], *, job: Job, settings: Settings, clock: Clock
) -> None:
    """Notify of slots of a job that will not run any more, found by a scan, in French `sentences`."""
    text = "\n".join(sentences)
    event = "créneau manqué" if result.missed else "exécution inachevée"
    # A run that was given up may have sent mails already: a new one would send them again.
    advice = f"{resume_hint(job)}\n" if result.given_up else ""
    advice += f"Exécuter le créneau manqué : cavecron run {job.name}\n" if result.missed else ""
    if url := settings.jobs[job.name].ping_url:
        ping(url, "failure", text)
    if settings.alert_to is not None:
        _alert(
            f"{event} du job {job.name}",
            f"Le job {job.name} ({job.title}) n'a pas tourné comme prévu.\n\n{text}\n\n"
            f"{_history_hint(job)}{advice}",
            key=f"{job.name}.{clock.now():%Y%m%dT%H%M%S.%f}",
            settings=settings,
            clock=clock,
        )


def ping_absence(reason: str, settings: Settings) -> None:
    """Ping the services of all enabled jobs: the database has been unavailable for an hour, and why."""
    for job in settings.jobs.values():
        if job.enabled and job.ping_url:
            ping(job.ping_url, "failure", f"{_WAITING}.\n\n{reason}\n")


def mail_absence(reason: str, settings: Settings, clock: Clock, *, lasted: float | None = None) -> bool:
    """Mail the operator that the database is unavailable, or was for `lasted` seconds.

    Return whether nothing is left to send: the mail settings are in the database, so that the mail may only
    be possible when it is back.
    """
    if settings.alert_to is None:
        return True
    text = f"{_WAITING}.\n\n{reason}\n"
    if lasted is not None:
        text = (
            f"Le planificateur a attendu sa base pendant {duration(timedelta(seconds=lasted))} ; elle répond"
            f" à nouveau.\n\n{reason}\n\nCe qui fut manqué : cavecron history\n"
        )
    key = f"database.{clock.now():%Y%m%dT%H%M%S.%f}"
    return _alert("le planificateur attend sa base", text, key=key, settings=settings, clock=clock)


def _history_hint(job: Job) -> str:
    return f"Ce qui s'est passé : cavecron history {job.name}\n"


def _alert(subject: str, text: str, *, key: str, settings: Settings, clock: Clock) -> bool:
    """Mail the operator; return whether the mail may have arrived.

    `key` identifies this alert in its Message-ID.
    """
    to = settings.alert_to or ""
    try:
        backend = mail_backend(settings, Database(settings.database))
        message = plain_message(
            f"Cave à Vin : {subject}",
            text,
            recipient=check_address(to),
            sender=backend.sender,
            at=clock.now().astimezone(settings.zone),
            message_id=backend.message_id(f"alert.{key}", to),
        )
        latest = clock.monotonic() + LONGEST_ALERT
        backend.send(message, to, must_stop=lambda: clock.monotonic() > latest)
    except DeliveryUnknownError as error:  # a second one would have another Message-ID
        _LOG.warning("L'alerte à CAVECRON_ALERT_TO est peut-être partie : %s", error)
        return True
    except CavecronError as error:
        _LOG.warning("L'alerte à CAVECRON_ALERT_TO n'est pas partie : %s", error)
        return False
    return True
