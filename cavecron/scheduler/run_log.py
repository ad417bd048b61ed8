"""What the log says of a run, at its start and at its end: sentences that people grep for.

They are the runner's: it is its name that stands before them.
"""

import logging
from datetime import datetime
from zoneinfo import ZoneInfo

from cavecron.french import duration, moment
from cavecron.jobs.job import Job
from cavecron.ledger.models import Claim, RunResult

_LOG = logging.getLogger("cavecron.runner")


def say_start(claim: Claim, job: Job, zone: ZoneInfo, now: datetime) -> None:
    """Say that a run begins at `now` (aware), and why now."""
    _LOG.info("Démarrage du job: %s", job.title)
    when = moment(claim.slot.astimezone(zone))
    if claim.attempt > 1:
        what = "de l'exécution à la main" if claim.trigger == "manual" else "du créneau"
        _LOG.info("Job %s : reprise %s du %s, tentative %d", job.name, what, when, claim.attempt)
    elif claim.trigger == "replay":
        late = duration(now - claim.slot)
        _LOG.info("Job %s : rattrapage du créneau du %s, %s de retard", job.name, when, late)


def say_end(job: Job, ending: RunResult, zone: ZoneInfo) -> None:
    """Say how a run ended, and whether it is tried again."""
    if ending.state == "succeeded":
        _LOG.info("Job %s exécuté avec succès", job.name)
        return
    level, words = (
        (logging.WARNING, "interrompu") if ending.state == "interrupted" else (logging.ERROR, "en échec")
    )
    again = f" ; nouvelle tentative à {ending.retry_at.astimezone(zone):%H:%M:%S}" if ending.retry_at else ""
    _LOG.log(level, "Job %s %s : %s%s", job.name, words, ending.reason, again)
