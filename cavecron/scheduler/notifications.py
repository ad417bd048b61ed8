"""Telling somebody who does not read logs: a dead-man service, and the operator by mail.

What goes wrong here is a warning, nothing more. It decides nothing about the run.
"""

import logging
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Literal

from cavecron.clock import Clock
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.job import Job
from cavecron.jobs.mail_backend import mail_backend
from cavecron.ledger.models import Claim, RunResult
from cavecron.mail.message import check_address, plain_message

_LOG = logging.getLogger("cavecron.notify")

#: How a dead-man service hears of it: what follows its URL, as healthchecks.io and its kin have it.
_PATHS = {"start": "/start", "success": "", "failure": "/fail"}
_PATIENCE = 10.0
_LONGEST_BODY = 10_000


def ping(url: str, event: Literal["start", "success", "failure"], body: str = "") -> None:
    """Tell the service at `url` of a run's start, success or failure, within ten seconds."""
    place, mark, query = url.partition("?")
    request = urllib.request.Request(  # noqa: S310 - settings let only http and https through
        f"{place.rstrip('/')}{_PATHS[event]}{mark}{query}",
        data=body.encode("utf-8", "replace")[:_LONGEST_BODY],
        headers={"User-Agent": "cavecron", "Content-Type": "text/plain; charset=utf-8"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE):  # noqa: S310
            pass
    except (OSError, ValueError, HTTPException) as error:  # the URL is a secret: the error's name must do
        said = error.code if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        _LOG.warning("Le service de surveillance (PING_URL) n'a pas reçu « %s » : %s", event, said)


def ended(claim: Claim, ending: RunResult, *, job: Job, settings: Settings, clock: Clock) -> None:
    """Tell whoever asked to be told that a run is over: succeeded, or failed for good."""
    failed = ending.state == "failed"
    told = "\n".join(text for text in (ending.summary, ending.reason) if text)
    if url := settings.jobs[job.name].ping_url:
        ping(url, "failure" if failed else "success", told)
    if failed and settings.alert_to is not None:
        _alert(settings.alert_to, claim, told, job=job, settings=settings, clock=clock)


def _alert(to: str, claim: Claim, told: str, *, job: Job, settings: Settings, clock: Clock) -> None:
    """Mail the operator, where mail itself works."""
    slot = f"{claim.slot.astimezone(settings.zone):%Y-%m-%d %H:%M}"
    try:
        backend = mail_backend(settings, Database(settings.database))
        message = plain_message(
            f"Cave à Vin : échec du job {job.name}",
            f"Le job {job.name} ({job.title}) du {slot} a échoué.\n\n{told}\n\n"
            f"Ce qui s'est passé : cavecron history {job.name}\n"
            f"L'achever, une fois la cause corrigée : cavecron run {job.name} --resume\n",
            recipient=check_address(to),
            sender=backend.sender,
            at=clock.now().astimezone(settings.zone),
            message_id=backend.message_id(f"alert.{job.name}.{slot}.{claim.run}.{claim.attempt}", to),
        )
        backend.send(message, to)
    except CavecronError as error:
        _LOG.warning("L'alerte à CAVECRON_ALERT_TO n'est pas partie : %s", error)
