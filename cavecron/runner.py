"""One run of a job, from its start to its outcome; it decides nothing that a job decides.

The three fixed sentences of the log are here and in `jobs.weekly_reports`.
"""

import logging

from cavecron.errors import CavecronError, StoppedError
from cavecron.jobs.registry import Outcome, Run

_LOG = logging.getLogger(__name__)


class JobCrashedError(CavecronError):
    """The job's code has a mistake: its traceback is in the log."""


def execute(run: Run) -> Outcome:
    """Execute `run` in this thread, and log its start and its end.

    Raises:
        CavecronError: the job failed; the log has said why.

    """
    _LOG.info("Démarrage du job: %s", run.job.title)
    try:
        outcome = run.job.function(run)
    except StoppedError as error:
        _LOG.warning("Job %s interrompu : %s", run.job.name, error)
        raise
    except CavecronError as error:
        _LOG.error("Job %s en échec : %s", run.job.name, error)  # no traceback for what a user can cause
        raise
    except Exception as error:
        _LOG.exception("Job %s en échec : erreur de programmation", run.job.name)
        raise JobCrashedError(f"{run.job.name} : {type(error).__name__}: {error}") from error
    if outcome.failures:
        _LOG.warning("Job %s exécuté, avec %d échecs", run.job.name, len(outcome.failures))
    else:
        _LOG.info("Job %s exécuté avec succès", run.job.name)
    return outcome
